"""`passerelle status`: is a gateway ready, what does it serve, and how did the last reload go?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from proxy.cli.admin import DEFAULT, TOKEN, Unreachable, ask, where
from proxy.cli.configuration import add_config
from proxy.cli.failures import Exit, say

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    about = f"{__doc__} The token is taken from {TOKEN}, or from the configuration file."
    parser = commands.add_parser("status", help="tell how a running gateway is doing", description=about)
    parser.add_argument("--admin", metavar="URL", help=f"default: what the file says, else {DEFAULT}")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print what the admin API says")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask, and tell; 1 when it is not ready or does not answer."""
    url, token = where(args)
    try:
        found = {"admin": url, **ask(url, token, "status"), **ask(url, token, "upstreams")}
    except Unreachable as error:
        say(f"{url}: {error}")
        return Exit.BAD_CONFIGURATION
    print(json.dumps(found, indent=2) if args.json else "\n".join(_lines(found)))
    return Exit.FINE if found["ready"] else Exit.BAD_CONFIGURATION


# for people


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"passerelle {found['version']}: {found['state']} for {_ago(found['uptime_seconds'])}"
    yield ""
    yield f"revision     {found['revision']}"
    yield f"listens on   {', '.join(found['listen'])}"
    yield f"requests     {found['requests_active']} under way, {found['requests_total']} done"
    yield f"connections  {found['connections']}"
    if found.get("redis", "none") != "none":
        yield f"redis        {found['redis']}"
    yield from _reload(found["reload"])
    for upstream in found["upstreams"]:
        yield ""
        yield from _upstream(upstream)


def _reload(last: dict[str, Any] | None) -> Iterator[str]:
    if last is None:
        return
    if last["ok"]:
        yield f"last reload  done ({last['cause']}): {'; '.join(last['changes']) or 'nothing was different'}"
        return
    yield f"last reload  REFUSED ({last['cause']})"
    for problem in last["problems"]:
        place = ":".join(str(problem[key]) for key in ("file", "line", "column") if problem[key])
        told = "; ".join(filter(None, (problem["message"], problem["remedy"])))
        yield f"             {f'{place}: ' if place else ''}{told}"


def _upstream(one: dict[str, Any]) -> Iterator[str]:
    busy, idle, most = (one["connections"][key] for key in ("busy", "idle", "max"))
    breaker = "" if one["breaker"] in ("off", "closed") else f", BREAKER {one['breaker'].upper()}"
    yield f"upstream {one['name']}: {busy} busy and {idle} idle of {most} connections, {one['queued']} queued{breaker}"
    width = max((len(target["url"]) for target in one["targets"]), default=0)
    for target in one["targets"]:
        counts = f"{target['active']} active, {target['failures']} of {target['answers']} failed"
        yield f"  {target['url'].ljust(width)}  {target['state']}, weight {target['weight']}, {counts}"


def _ago(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
