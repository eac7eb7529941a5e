"""`passerelle webhooks`: how endpoints are doing, what they are owed, and what can be done about it."""

from __future__ import annotations

import argparse
import base64
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from proxy.cli.admin import Unreachable, add_admin, ask, where
from proxy.cli.failures import Exit, say

_PATIENCE = 20.0  # seconds for the answer to a test
_LOOK_EVERY = 0.1
_KEY = 32  # bytes of a new secret
_EVENT = re.compile(r"[0-9a-f]{32}")

Asked = Callable[..., dict[str, Any]]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    parser = commands.add_parser("webhooks", help="look at webhooks, replay and test them", description=__doc__)
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _command(inner, "list", _list, "every endpoint, and what it is owed")
    _command(inner, "show", _show, "an event with its deliveries, or an endpoint with its latest ones", "ID")
    _command(inner, "attempts", _attempts, "every request that was sent for an event", "EVENT")
    replay = _command(inner, "replay", _replay, "deliver again: one event, or the dead letters that are chosen")
    replay.add_argument("id", nargs="?", metavar="EVENT")
    replay.add_argument("--endpoint", help="only to this one")
    replay.add_argument("--type", metavar="GLOB", help="only events of these types")
    replay.add_argument("--since", type=_moment, metavar="TIME", help="ISO 8601, or seconds since the epoch")
    replay.add_argument("--until", type=_moment, metavar="TIME")
    replay.add_argument("--state", choices=("dead", "done"), help="default: dead")
    _command(inner, "test", _test, "send an endpoint a test event, and wait for its answer", "ENDPOINT")
    _command(inner, "enable", _switch("enable"), "deliver to an endpoint again, what it is owed at once", "ENDPOINT")
    _command(inner, "disable", _switch("disable"), "deliver nothing to an endpoint; events are kept", "ENDPOINT")
    secret = inner.add_parser("secret", help="make a secret, or show the whsec_ form of a plain one")
    secret.add_argument("text", nargs="?", metavar="TEXT")
    secret.set_defaults(run=run_secret)


def _command(inner: Any, name: str, does: Any, about: str, argument: str = "") -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = inner.add_parser(name, help=about)
    if argument:
        parser.add_argument("id", metavar=argument)
    parser.add_argument("--json", action="store_true", help="print what the admin API says")
    add_admin(parser)
    parser.set_defaults(run=run, does=does)
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask, and tell."""
    url, token = where(args)

    def asked(what: str, body: Any = None) -> dict[str, Any]:
        return ask(url, token, what, body)

    try:
        code: int = args.does(args, asked)
    except Unreachable as error:
        say(f"{url}: {error}")
        return Exit.BAD_CONFIGURATION
    return code


def run_secret(args: argparse.Namespace) -> int:
    """Print a secret as every receiver's library takes it."""
    key = secrets.token_bytes(_KEY) if args.text is None else args.text.encode()
    print(f"whsec_{base64.b64encode(key).decode()}")
    return Exit.FINE


def _list(args: argparse.Namespace, asked: Asked) -> int:
    found = asked("webhooks")
    _print(args, found, (line for one in found["endpoints"] for line in _endpoint(one)))
    return Exit.FINE


def _show(args: argparse.Namespace, asked: Asked) -> int:
    if _EVENT.fullmatch(args.id):
        found = asked(f"webhooks/events/{args.id}")
        shown = [json.dumps(found["event"], indent=2, ensure_ascii=False), *map(_delivery, found["deliveries"])]
        _print(args, found, iter(shown))
        return Exit.FINE
    one = asked(f"webhooks/endpoints/{quote(args.id, safe='')}")
    latest = asked(f"webhooks/deliveries?endpoint={quote(args.id, safe='')}&limit=20")
    _print(args, {**one, **latest}, iter([*_endpoint(one), *map(_delivery, latest["deliveries"])]))
    return Exit.FINE


def _attempts(args: argparse.Namespace, asked: Asked) -> int:
    found = asked(f"webhooks/events/{quote(args.id, safe='')}/attempts")
    _print(args, found, map(_attempt, found["attempts"]))
    return Exit.FINE


def _replay(args: argparse.Namespace, asked: Asked) -> int:
    names = {
        "id": "event",
        "endpoint": "endpoint",
        "type": "type",
        "since": "since",
        "until": "until",
        "state": "state",
    }
    said = {key: value for name, key in names.items() if (value := getattr(args, name)) is not None}
    if not said:
        say("say what is to be replayed: an event, --endpoint, --type, --since or --until")
        return Exit.USAGE
    found = asked("webhooks/replay", said)
    _print(args, found, iter([f"{_counted(found['replayed'], 'delivery is', 'deliveries are')} due again"]))
    return Exit.FINE


def _test(args: argparse.Namespace, asked: Asked) -> int:
    event = asked(f"webhooks/endpoints/{quote(args.id, safe='')}/test", {})["event"]
    until = time.monotonic() + _PATIENCE
    while not (found := asked(f"webhooks/events/{event}/attempts"))["attempts"]:
        if time.monotonic() >= until:
            say(f"event {event} waits: `passerelle webhooks show {args.id}` tells how the endpoint is doing")
            return Exit.BAD_CONFIGURATION
        time.sleep(_LOOK_EVERY)
    _print(args, found, map(_attempt, found["attempts"]))
    return Exit.BAD_CONFIGURATION if found["attempts"][-1]["error"] else Exit.FINE


def _switch(what: str) -> Callable[[argparse.Namespace, Asked], int]:
    def does(args: argparse.Namespace, asked: Asked) -> int:
        found = asked(f"webhooks/endpoints/{quote(args.id, safe='')}/{what}", {})
        _print(args, found, iter([f"{args.id}: {what}d within a second"]))
        return Exit.FINE

    return does


# for people


def _print(args: argparse.Namespace, found: Mapping[str, Any], shown: Iterator[str]) -> None:
    print(json.dumps(found, indent=2, ensure_ascii=False) if args.json else "\n".join(shown))


def _endpoint(one: Mapping[str, Any]) -> Iterator[str]:
    oldest = "" if one["oldest_seconds"] is None else f" (the oldest for {one['oldest_seconds']:.0f} s)"
    yield f"{one['id']}: {one['state']}, {one['pending']} pending{oldest}, {one['dead']} dead"
    yield f"  {one['url']}  {', '.join(one['events'])}"
    if one["failures"]:
        since = _time(one["failing_since"])
        yield f"  {one['failures']} failures since {since}, last status {one['last_status'] or 'none'}"
    if one.get("silent_until") is not None:  # a gateway of before does not tell
        until = _time(one["silent_until"])
        yield f"  nothing is sent until {until}; `passerelle webhooks enable {one['id']}` ends that"
    if one["previous_secret_until"] is not None:
        yield f"  the previous secret signs until {_time(one['previous_secret_until'])}"
    if one["reason"]:
        yield f"  {one['reason']}"


def _delivery(one: Mapping[str, Any]) -> str:
    then = f", next at {_time(one['next_at'])}" if one["next_at"] is not None else ""
    why = f": {one['error']}" if one["error"] else ""
    name = f"{one['event']} {one['type']} to {one['endpoint']}"
    tried = _counted(one["attempts"], "attempt", "attempts")
    return f"{_time(one['time'])} {name}: {one['state']} after {tried}{then}{why}"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _attempt(one: Mapping[str, Any]) -> str:
    what = one["error"] or f"answered {one['status']}"
    return f"{_time(one['at'])} {one['endpoint']}: {what}, {one['duration_ms']:.0f} ms"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(text: str) -> float:
    """:raises ValueError: for what is no time; argparse tells."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.astimezone()).timestamp()
