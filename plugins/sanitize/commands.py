"""`passerelle sanitize test TEXT` and `passerelle sanitize rehearse FILE`: try rules before they refuse anybody."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from plugins.sanitize.config import Config
from plugins.sanitize.recorded import requests_of
from plugins.sanitize.rehearsal import Rehearsal
from proxy.sanitize import Finding, inspect, score

FINE, FOUND, USAGE = 0, 1, 2
_THRESHOLD = 5


def run(arguments: Sequence[str]) -> int:
    """Run the subcommand. :returns: 0 when nothing would be refused, 1 when something would, 2 for wrong usage."""
    try:
        args = _parser().parse_args(list(arguments))
    except SystemExit as ended:
        return USAGE if ended.code else FINE
    code: int = args.run(args)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="passerelle sanitize", description="Try what the sanitizer would do.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    test = commands.add_parser("test", help="judge one text")
    test.add_argument("text", help="a value as an application would get it; - reads it from stdin")
    rehearse = commands.add_parser("rehearse", help="judge recorded requests")
    rehearse.add_argument("file", type=Path, help="a HAR file, or JSON lines as `serve --record` writes them")
    for command, function in ((test, _test), (rehearse, _rehearse)):
        command.add_argument("--paranoia", type=int, choices=(1, 2, 3), default=1, help="default: 1")
        command.add_argument("--threshold", type=int, default=_THRESHOLD, help=f"default: {_THRESHOLD}")
        command.add_argument("--json", action="store_true", help="for programs")
        command.set_defaults(run=function)
    return parser


def _test(args: argparse.Namespace) -> int:
    text = sys.stdin.read() if args.text == "-" else args.text
    findings = inspect(text, paranoia=args.paranoia)
    total = score(findings)
    refused = bool(findings) and total >= args.threshold
    if args.json:
        _print(json.dumps({"refused": refused, "score": total, "findings": [_as_data(one) for one in findings]}))
    else:
        _print(f"{'refused' if refused else 'passes'}: score {total}, threshold {args.threshold}")
        for one in findings:
            _print(f"  {one.rule.name:<20} {one.rule.summary} (score {one.rule.score}, level {one.rule.level})")
            _print(f"  {'':<20} matched {one.span!r}" + (f" in {one.reading!r}" if one.reading != text else ""))
    return FOUND if refused else FINE


def _as_data(one: Finding) -> dict[str, object]:
    return {
        "rule": one.rule.name,
        "score": one.rule.score,
        "level": one.rule.level,
        "summary": one.rule.summary,
        "decoded": one.reading,
        "span": [one.start, one.end],
        "matched": one.span,
    }


def _rehearse(args: argparse.Namespace) -> int:
    rehearsal = Rehearsal(Config(mode="block", paranoia=args.paranoia, threshold=args.threshold))
    try:
        for request in requests_of(args.file):
            rehearsal.add(request)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{args.file}: {error}\n")
        return USAGE
    _print(json.dumps(rehearsal.as_data()) if args.json else rehearsal.report())
    return FOUND if rehearsal.refused else FINE


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
