"""Figures into tables: markdown for people, JSON for whoever wants to reckon again.

Everything that was measured is shown: the rows where the project loses, the bars it missed, the peers that were not
there and the runs that failed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from benchmarks.footprint import FootprintResult
from benchmarks.results import PeerResult, ScenarioResult
from benchmarks.scenarios import DIRECT, KIB, SUBJECT
from benchmarks.stats import Spread
from benchmarks.svg import Bar, bar_chart, number

_NONE = "-"
_LARGE = 32 * KIB  # from this size on, bytes a second say more than answers a second
_INTRODUCTION = (
    "Written by `python -m benchmarks`, {effort}. Rates are medians with their whole spread; "
    f"`{SUBJECT} is` gives the ratio of medians, and the column after it the spread of the ratios round by round. "
    "`core` is the share of its core that the proxy used: well below 100 % the load was the limit and the rate is a "
    "lower bound. `CPU us` is processor time for each answer. See README.md for how this is measured."
)
Row = Sequence[str]
Result = ScenarioResult | FootprintResult


def markdown_table(header: Row, rows: Sequence[Row]) -> str:
    """Return a markdown table whose first column is text and whose others are numbers, padded to be read as it is."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(row, widths) for row in (header, rule, *rows)]
    return "\n".join(lines)


def _line(row: Row, widths: Sequence[int]) -> str:
    others = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "| " + " | ".join([f"{row[0]:<{widths[0]}}", *others]) + " |"


def scenario_table(result: Result) -> str:
    """Return the table that suits: rates and ratios, latencies and what is added to them, or footprints."""
    if isinstance(result, FootprintResult):
        return _footprint_table(result)
    if result.scenario.rate is not None:
        return _latency_table(result)
    header = ["proxy", "answers/s", "spread", f"{SUBJECT} is", "of it, by rounds", "p50 ms", "p99 ms", "core", "CPU us"]
    large = result.scenario.answer >= _LARGE
    header += ["MB/s", "CPU s/GB"] if large else []
    return markdown_table(header, [_rate_row(result, peer, large) for peer in result.peers.values()])


def _rate_row(result: ScenarioResult, peer: PeerResult, large: bool) -> Row:
    row = [
        peer.name,
        _number(peer.rate),
        _range(peer.rate),
        _ratio(result, peer.name),
        _times_range(result, peer.name),
        _fixed(peer.spread(lambda sample: sample.p50_ms), 2),
        _fixed(peer.spread(lambda sample: sample.p99_ms), 2),
        _percent(peer.spread(lambda sample: sample.busy)),
        _fixed(peer.spread(lambda sample: sample.cpu_per_request_us), 1),
    ]
    if large:
        row += [
            _number(peer.spread(lambda sample: sample.bytes / sample.seconds / 1e6)),
            _fixed(peer.spread(lambda sample: sample.cpu_per_gb), 2),
        ]
    return row


def _latency_table(result: ScenarioResult) -> str:
    header = ["proxy", "p50 ms", "p90 ms", "p99 ms", "p50 added", "p99 added", "CPU us"]
    return markdown_table(header, [_latency_row(result, peer) for peer in result.peers.values()])


def _latency_row(result: ScenarioResult, peer: PeerResult) -> Row:
    return [
        peer.name,
        _fixed(peer.spread(lambda sample: sample.p50_ms), 3),
        _fixed(peer.spread(lambda sample: sample.p90_ms), 3),
        _fixed(peer.spread(lambda sample: sample.p99_ms), 3),
        _added(result, peer.name, "p50"),
        _added(result, peer.name, "p99"),
        _fixed(peer.spread(lambda sample: sample.cpu_per_request_us), 1),
    ]


def _added(result: ScenarioResult, name: str, percentile: str) -> str:
    found = None if name == DIRECT else result.added_ms(name, percentile)
    return _NONE if found is None else f"{found:.3f}"


def _ratio(result: ScenarioResult, name: str) -> str:
    found = None if name == SUBJECT else result.ratio_to(name)
    return _NONE if found is None else f"{found:.2f} x"


def _times_range(result: ScenarioResult, name: str) -> str:
    found = None if name == SUBJECT else result.paired_ratios(name)
    return _NONE if found is None else f"{found.low:.2f}-{found.high:.2f}"


def _number(value: Spread | None) -> str:
    return _NONE if value is None else number(value.median)


def _range(value: Spread | None) -> str:
    return _NONE if value is None else f"{number(value.low)}-{number(value.high)}"


def _fixed(value: Spread | None, digits: int) -> str:
    return _NONE if value is None else f"{value.median:.{digits}f}"


def _percent(value: Spread | None) -> str:
    return _NONE if value is None else f"{value.median:.0%}"


def _footprint_table(result: FootprintResult) -> str:
    header = ["configuration", "start s", "spread", "CPU s", "memory MiB", "idle connection KiB"]
    return markdown_table(header, [_footprint_row(result, row) for row in result.runs])


def _footprint_row(result: FootprintResult, row: str) -> Row:
    start = result.spread(row, lambda taken: taken.start)
    return [
        row,
        _fixed(start, 2),
        _range(start),
        _fixed(result.spread(row, lambda taken: taken.cpu), 2),
        _fixed(result.spread(row, lambda taken: taken.memory), 1),
        _fixed(result.spread(row, lambda taken: taken.idle), 1),
    ]


def remarks(result: Result) -> list[str]:
    """Return what a table cannot say: verdicts on the bars, absent peers, failed runs, deaths."""
    lines = [verdict.line() for verdict in result.verdicts()]
    if isinstance(result, FootprintResult):
        return [*lines, *(f"FAILED: {failure}" for failure in result.failures)]
    for peer in result.peers.values():
        if peer.absent is not None:
            lines.append(f"left out of {result.scenario.name}: {peer.name}: {peer.absent}")
        lines += [f"FAILED: {result.scenario.name}: {peer.name}: {failure}" for failure in peer.failures]
        if peer.crashed:
            lines.append(f"CRASHED: {result.scenario.name}: {peer.name}")
    return lines


def scenario_section(result: Result) -> str:
    """Return the heading, table and remarks of one scenario, in markdown."""
    listed = [f"- {line}" for line in remarks(result)]
    parts = [f"## {result.scenario.name}", result.scenario.title + ".", scenario_table(result)]
    return "\n\n".join([*parts, *(["\n".join(listed)] if listed else [])])


def report(results: Sequence[Result], about: Mapping[str, str], effort: str) -> str:
    """Return the whole report in markdown."""
    versions = "\n".join(f"- {name}: {text}" for name, text in about.items())
    parts = [
        "# Benchmark results",
        _INTRODUCTION.format(effort=effort),
        versions,
        *(scenario_section(result) for result in results),
    ]
    return "\n\n".join(parts) + "\n"


def as_json(results: Sequence[Result], about: Mapping[str, str]) -> str:
    """Return every sample, with the machine they were taken on."""
    scenarios = {result.scenario.name: _raw(result) for result in results}
    return json.dumps({"about": dict(about), "scenarios": scenarios}, indent=1) + "\n"


def _raw(result: Result) -> dict[str, object]:
    if isinstance(result, FootprintResult):
        return {row: {"samples": [asdict(taken) for taken in runs]} for row, runs in result.runs.items()}
    return {
        peer.name: {
            "samples": [sample.as_json() for _, sample in sorted(peer.samples.items())],
            "failures": peer.failures,
            "absent": peer.absent,
            "crashed": peer.crashed,
        }
        for peer in result.peers.values()
    }


def plot(result: Result) -> str | None:
    """Return the scenario's figures as SVG; None when there are none, or they have no common unit."""
    if isinstance(result, FootprintResult):
        return None
    paced = result.scenario.rate is not None
    spreads = [
        (peer.name, peer.spread(lambda sample: sample.p99_ms) if paced else peer.rate) for peer in result.peers.values()
    ]
    bars = [Bar(name, value, name == SUBJECT) for name, value in spreads if value is not None]
    unit = "p99 in milliseconds, less is better" if paced else "answers a second, more is better"
    return bar_chart(result.scenario.title, unit, bars) if bars else None
