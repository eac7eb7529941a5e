"""Bars held against figures: met, missed, and not judged for want of a figure."""

from __future__ import annotations

import pytest

from benchmarks.results import PeerResult, ScenarioResult
from benchmarks.sample import Sample
from benchmarks.scenarios import AddedBar, RateBar, Scenario
from benchmarks.stats import Spread


def sample(rate: float, p50: float = 1.0, p99: float = 2.0) -> Sample:
    return Sample(int(rate * 5), 5.0, 1000, p50, p50, p99, p99)


def peer(name: str, *rates: float) -> PeerResult:
    return PeerResult(name, samples={turn: sample(rate) for turn, rate in enumerate(rates)})


def result(bar: RateBar | AddedBar, *peers: PeerResult) -> ScenarioResult:
    scenario = Scenario("forward", "Forward", "/json", 565, tuple(one.name for one in peers), (bar,))
    return ScenarioResult(scenario, {one.name: one for one in peers})


def lines(of: ScenarioResult) -> list[str]:
    return [verdict.line() for verdict in of.verdicts()]


@pytest.mark.parametrize(
    ("ours", "line"),
    [
        (1200, "MISSED: forward vs caddy 1.20 < 1.5"),
        (1500, "met: forward vs caddy 1.50 >= 1.5"),
        (2000, "met: forward vs caddy 2.00 >= 1.5"),
    ],
)
def test_rate_bar(ours: int, line: str) -> None:
    assert lines(result(RateBar("caddy", 1.5), peer("passerelle", ours), peer("caddy", 1000))) == [line]


def test_rate_bar_without_the_subject_is_not_judged() -> None:
    absent = PeerResult("passerelle", absent="not installed")
    found = result(RateBar("caddy", 1.5), absent, peer("caddy", 1000))
    assert lines(found) == ["not judged: forward vs caddy: no figure of passerelle"]


def test_rate_bar_against_a_peer_that_was_not_asked() -> None:
    found = result(RateBar("caddy", 1.5), peer("passerelle", 1000))
    assert lines(found) == ["not judged: forward vs caddy: no figure of caddy"]


@pytest.mark.parametrize(
    ("bar", "line"),
    [
        (AddedBar("p50", 0.25), "met: forward p50 added 0.200 ms <= 0.25 ms"),
        (AddedBar("p99", 1.5), "MISSED: forward p99 added 2.500 ms > 1.5 ms"),
    ],
)
def test_added_bar_is_a_difference_to_the_origin(bar: AddedBar, line: str) -> None:
    ours = PeerResult("passerelle", samples={0: sample(1000, p50=0.5, p99=3.5)})
    direct = PeerResult("direct", samples={0: sample(1000, p50=0.3, p99=1.0)})
    assert lines(result(bar, direct, ours)) == [line]


def test_added_bar_without_the_origin_is_not_judged() -> None:
    found = result(AddedBar("p50", 0.25), peer("passerelle", 1000))
    assert lines(found) == ["not judged: forward p50 added: no figure of direct"]


def test_paired_ratios_use_only_rounds_that_both_finished() -> None:
    ours, theirs = peer("passerelle", 100, 300, 80), peer("caddy", 50, 100, 20)
    del theirs.samples[2]
    assert result(RateBar("caddy", 1.5), ours, theirs).paired_ratios("caddy") == Spread(2.5, 2.0, 3.0, 2)


def test_the_dead_are_named() -> None:
    dead = peer("caddy", 1000)
    dead.crashed = True
    assert result(RateBar("caddy", 1.5), peer("passerelle", 1), dead).crashed == ["caddy"]
