"""`python -m benchmarks`: measure, print, and write the report.

Only a full run is written down by itself, so that a quick look while working never replaces the published table.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from benchmarks.footprint import FOOTPRINTS, Footprint, run_footprint
from benchmarks.load import missing_tool
from benchmarks.machine import described, origin_line, placement
from benchmarks.probe import NotReady
from benchmarks.report import Result, as_json, plot, remarks, report, scenario_section
from benchmarks.runner import Effort, run_scenario
from benchmarks.scenarios import SCENARIOS, Scenario

_HERE = Path(__file__).parent
_IMAGES = _HERE.parent / "docs" / "img"
_ALL: tuple[Scenario | Footprint, ...] = (*SCENARIOS, *FOOTPRINTS)
_FULL = Effort()
_QUICK = Effort(runs=3, seconds=1)
EXIT_FINE, EXIT_CRASHED, EXIT_USAGE = 0, 1, 2


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    names = [scenario.name for scenario in _ALL]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three runs of one second: a look, not a measurement")
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--runs", type=int, help=f"runs of each peer (default {_FULL.runs})")
    parser.add_argument("--write", action="store_true", help="write the report of a quick or partial run too")
    chosen = parser.parse_args(argv)
    if chosen.runs is not None and chosen.runs < 1:
        parser.error("--runs must be at least 1")
    return chosen


def effort_of(chosen: argparse.Namespace) -> Effort:
    """Return how much the command line asks to measure."""
    base = _QUICK if chosen.quick else _FULL
    return Effort(chosen.runs or base.runs, base.seconds, base.warm_up)


def say(line: str) -> None:
    """Print at once, for a run takes minutes and someone is watching."""
    print(line, flush=True)


def measure(scenarios: Sequence[Scenario | Footprint], effort: Effort) -> list[Result]:
    """Run the scenarios one after another, printing each table as soon as it is there."""
    results = []
    for scenario in scenarios:
        result = _measured(scenario, effort)
        say(f"\n{scenario_section(result)}\n")
        results.append(result)
    return results


def _measured(scenario: Scenario | Footprint, effort: Effort) -> Result:
    if isinstance(scenario, Footprint):
        return run_footprint(scenario, effort.runs, say)
    return run_scenario(scenario, effort, say)


def write(results: Sequence[Result], effort: str) -> None:
    """Write the report, the raw figures and the plots."""
    about = described(results)
    (_HERE / "results.md").write_text(report(results, about, effort), encoding="utf-8")
    (_HERE / "results.json").write_text(as_json(results, about), encoding="utf-8")
    _IMAGES.mkdir(parents=True, exist_ok=True)
    for result in results:
        if (picture := plot(result)) is not None:
            (_IMAGES / f"bench-{result.scenario.name}.svg").write_text(picture, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit code: 1 only when a peer died, for bars are judged by people."""
    chosen = arguments(argv)
    signal.signal(signal.SIGTERM, _leave)
    if (missing := missing_tool()) is not None:
        say(missing)
        return EXIT_USAGE
    scenarios = [scenario for scenario in _ALL if not chosen.only or scenario.name in chosen.only]
    effort = effort_of(chosen)
    say(f"{placement()}; origin: {origin_line()}")
    try:
        results = measure(scenarios, effort)
    except NotReady as error:
        say(f"the origin did not come up: {error}")
        return EXIT_CRASHED
    _conclude(results, chosen, effort)
    return EXIT_CRASHED if any(result.crashed for result in results) else EXIT_FINE


def _leave(number: int, frame: FrameType | None) -> None:
    """Leave by an exception, so that the children are stopped on the way out."""
    sys.exit(128 + number)


def _conclude(results: Sequence[Result], chosen: argparse.Namespace, effort: Effort) -> None:
    for line in [line for result in results for line in remarks(result)]:
        say(line)
    if chosen.quick or chosen.only:
        say("a quick or partial run" + (", written as asked" if chosen.write else ": not written (--write does)"))
    if chosen.write or not (chosen.quick or chosen.only):
        write(results, f"{effort.runs} alternating runs" + (f" of {effort.seconds} s" if effort.seconds else " of 5 s"))


if __name__ == "__main__":
    sys.exit(main())
