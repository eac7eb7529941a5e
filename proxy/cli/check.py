"""`passerelle check`: is a configuration sound, and do its own tests pass? Nothing is started or sent."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.cli.configuration import built, find_config
from proxy.cli.failures import Exit, show

if TYPE_CHECKING:
    from proxy.registry import Registry
    from proxy.settings import Loaded, Problem


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    parser = commands.add_parser("check", help="check a configuration and run its own tests", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="default: where serve looks for it")
    parser.add_argument("--json", action="store_true", help="print problems and the effective configuration as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, and tell."""
    from proxy.settings import Severity

    path = find_config(args.file)
    loaded, problems = check(path)
    failed = any(problem.severity is Severity.ERROR for problem in problems)
    if args.json:
        print(json.dumps(_report(loaded, problems, failed), indent=2, default=str))
    else:
        show(problems)
        if loaded is not None and not failed:
            print(f"{path}: {_summary(loaded)}")
    return Exit.BAD_CONFIGURATION if failed else Exit.FINE


def check(path: Path) -> tuple[Loaded | None, list[Problem]]:
    """All that is wrong or doubtful about a file; the configuration is None when it cannot be used at all."""
    from proxy.registry import Registry
    from proxy.settings import SettingsError, load

    try:
        loaded = load(path, os.environ)
    except SettingsError as error:
        return None, list(error.problems)
    try:
        return loaded, asyncio.run(_check_built(loaded, Registry.installed()))
    except SettingsError as error:
        return None, list(error.problems)


async def _check_built(loaded: Loaded, registry: Registry) -> list[Problem]:
    async with built(loaded, registry) as (made, runtime):
        from proxy.build.selftests import run_tests

        return [*made.warnings, *await run_tests(made, runtime)]


def _report(loaded: Loaded | None, problems: list[Problem], failed: bool) -> dict[str, object]:
    report: dict[str, object] = {"ok": not failed, "problems": [problem.as_json() for problem in problems]}
    if loaded is not None:
        report |= {"revision": loaded.revision, "config": loaded.dump()}
    return report


def _summary(loaded: Loaded) -> str:
    settings = loaded.settings
    counts = {"route": settings.routes, "upstream": settings.upstreams, "test": settings.tests}
    parts = [f"{len(items)} {name}{'' if len(items) == 1 else 's'}" for name, items in counts.items()]
    return f"fine: {', '.join(parts)}, revision {loaded.revision}"
