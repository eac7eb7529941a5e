"""The order of turns, and the effort."""

from __future__ import annotations

from benchmarks.results import PeerResult
from benchmarks.runner import Effort, Runner, turned
from benchmarks.scenarios import Scenario

SCENARIO = Scenario("forward", "Forward", "/json", 565, ("passerelle",), seconds=5)


def test_each_round_begins_with_another_peer() -> None:
    runners = [Runner(PeerResult(name), None, 0) for name in "abc"]
    orders = ["".join(runner.result.name for runner in turned(runners, turn)) for turn in range(4)]
    assert orders == ["abc", "bca", "cab", "abc"]
    assert turned([], 1) == []


def test_a_quick_look_shortens_and_never_lengthens() -> None:
    assert [Effort(seconds=seconds).length(SCENARIO) for seconds in (None, 1, 60)] == [5, 1, 5]
