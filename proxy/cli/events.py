"""`passerelle events`: watch events as they happen, and see what shape they have."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from proxy.cli.admin import Unreachable, add_admin, lines, where
from proxy.cli.failures import Exit, say


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    parser = commands.add_parser("events", help="watch events, or print their JSON Schemas", description=__doc__)
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    tail = inner.add_parser("tail", help="print events of a running gateway as they happen")
    tail.add_argument("--type", action="append", metavar="GLOB", help="which; default: all but request.completed")
    tail.add_argument("--json", action="store_true", help="a JSON object a line")
    add_admin(tail)
    tail.set_defaults(run=run_tail)
    schema = inner.add_parser("schema", help="print the JSON Schema of an event, or of all, as webhooks carry them")
    schema.add_argument("type", nargs="?", metavar="TYPE")
    schema.set_defaults(run=run_schema)


def run_tail(args: argparse.Namespace) -> int:
    """Print until interrupted, or until the gateway ends."""
    url, token = where(args)
    what = f"events?type={quote(','.join(args.type))}" if args.type else "events"
    try:
        for kind, told in events(lines(url, token, what)):
            print(json.dumps(told, ensure_ascii=False) if args.json else _line(kind, told), flush=True)
    except Unreachable as error:
        say(f"{url}: {error}")
        return Exit.BAD_CONFIGURATION
    return Exit.FINE


def run_schema(args: argparse.Namespace) -> int:
    """Print one schema, or all by type; 1 for a type that there is not."""
    from proxy.events import CATALOGUE, schema
    from proxy.settings import suggestion

    if args.type is None:
        print(json.dumps({name: schema(kind) for name, kind in CATALOGUE.items()}, indent=2))
        return Exit.FINE
    if args.type not in CATALOGUE:
        say(f'no event is called "{args.type}"; {suggestion(args.type, tuple(CATALOGUE))}')
        return Exit.BAD_CONFIGURATION
    print(json.dumps(schema(CATALOGUE[args.type]), indent=2))
    return Exit.FINE


def events(stream: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-sent events as pairs of their type and what is told."""
    kind = ""
    for line in stream:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)


def _line(kind: str, told: dict[str, Any]) -> str:
    if kind == "lost":
        return f"--- {told['lost']} events were lost, since they were not read in time"
    moment = datetime.fromtimestamp(told["time"], UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
    data = " ".join(f"{name}={_plain(value)}" for name, value in told["data"].items())
    return f"{moment} {kind} {data}".rstrip()


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and value and " " not in value else json.dumps(value, ensure_ascii=False)
