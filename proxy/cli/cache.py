"""`passerelle cache`: what the cache of a running gateway did, what it holds, and how to make it forget."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from proxy.cli.admin import DEFAULT, TOKEN, Unreachable, ask, where
from proxy.cli.configuration import add_config
from proxy.cli.failures import Exit, say

_SERVED = ("hit", "stale", "collapsed", "revalidated", "stale-error")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    about = f"{__doc__} The token is taken from {TOKEN}, or from the configuration file."
    parser = commands.add_parser("cache", help="ask and purge the cache of a running gateway", description=about)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    stats = actions.add_parser("stats", help="hits, misses and what each reason costs")
    purge = actions.add_parser("purge", help="forget a URL, a tag, a prefix or everything")
    purge.add_argument("url", metavar="URL", nargs="?", help="absolute; all its variants")
    purge.add_argument("--tag", metavar="TAG", help="of Surrogate-Key or Cache-Tag")
    purge.add_argument("--prefix", metavar="URL", help="all URLs that begin so")
    purge.add_argument("--all", action="store_const", const=True, help="everything")
    purge.add_argument("--dry-run", action="store_true", help="only count")
    purge.add_argument("--soft", action="store_true", help="validate before further use, in the place of forgetting")
    explain = actions.add_parser("explain", help="what is stored for a URL, and what would be done with a request")
    explain.add_argument("url", metavar="URL")
    explain.add_argument("-X", "--method", metavar="METHOD", default="GET", type=str.upper)
    explain.add_argument("-d", "--data", metavar="TEXT", default="", help="the body, where a method has one")
    explain.add_argument("-H", "--header", metavar="FIELD", action="append", default=[], help="Name: value")
    for action, run in ((stats, _stats), (purge, _purge), (explain, _explain)):
        action.add_argument("--admin", metavar="URL", help=f"default: what the file says, else {DEFAULT}")
        add_config(action)
        action.add_argument("--json", action="store_true", help="print what the admin API says")
        action.set_defaults(run=run)


def _stats(args: argparse.Namespace) -> int:
    return _told(args, "cache/stats", None, _stats_lines)


def _purge(args: argparse.Namespace) -> int:
    named = {"url": args.url, "tag": args.tag, "prefix": args.prefix, "all": args.all}
    body = {name: value for name, value in named.items() if value is not None}
    if len(body) != 1:
        say("name one of URL, --tag, --prefix and --all")
        return Exit.USAGE
    return _told(args, "cache/purge", {**body, "dry_run": args.dry_run, "soft": args.soft}, _purge_lines)


def _explain(args: argparse.Namespace) -> int:
    pairs = [field.partition(":") for field in args.header]
    headers = {name.strip(): value.strip() for name, _, value in pairs}
    question = {"url": args.url, "method": args.method, "headers": headers, "body": args.data}
    return _told(args, "cache/explain", question, _explain_lines)


def _told(args: argparse.Namespace, what: str, body: Any, lines: Any) -> int:
    """Ask, and tell; 1 when there is no answer."""
    url, token = where(args)
    try:
        found = ask(url, token, what, body)
    except Unreachable as error:
        say(f"{url}: {error}")
        return Exit.BAD_CONFIGURATION
    print(json.dumps(found, indent=2) if args.json else "\n".join(lines(found)))
    return Exit.FINE


def _stats_lines(found: dict[str, Any]) -> Iterator[str]:
    for route in found["routes"]:
        results = route["results"]
        total = sum(results.values())
        share = sum(results.get(name, 0) for name in _SERVED) / total if total else 0.0
        told = ", ".join(f"{number} {name}" for name, number in sorted(results.items(), key=lambda item: -item[1]))
        yield f"route {route['name'] or '(none)'}: {share:.1%} of {total} from the cache; {told}"
    for level, told in found["levels"].items():
        if told is not None:
            counts = f"{told['entries']} entries, {told['bytes'] / 1048576:.1f} MiB, {told['evictions']} evicted"
            yield f"{level}: {counts}, {told['hits']} found and {told['misses']} not"
    total = sum(loss["requests"] for loss in found["losses"])
    for loss in sorted(found["losses"], key=lambda loss: -loss["requests"]):
        remedy = f" (mostly on {loss['route']}): {loss['remedy']}" if loss["remedy"] else ""
        yield f"{loss['requests'] / total:6.1%} of what went upstream: {loss['name'].replace(':', ' on ')}{remedy}"


def _purge_lines(found: dict[str, Any]) -> Iterator[str]:
    verb = "would be purged" if found["dry_run"] else "made stale" if found["soft"] else "purged"
    yield f"{found['purged']} {'entry' if found['purged'] == 1 else 'entries'} {verb}"


def _explain_lines(found: dict[str, Any]) -> Iterator[str]:
    yield found["url"]
    for entry in found["entries"]:
        yield f"route {entry['route'] or '(none)'}: {entry['verdict']}, {len(entry['variants'])} stored"
        for one in entry["variants"]:
            mark = "> " if one["chosen"] else "  "
            vary = "".join(f", {name}: {value}" for name, value in one["vary"].items())
            state = f"fresh for {one['fresh_for']} s" if one["fresh_for"] > 0 else f"stale for {-one['fresh_for']} s"
            yield f"{mark}{one['status']} {one['coding']}, {one['bytes']} bytes, {state}, age {one['age']} s{vary}"
