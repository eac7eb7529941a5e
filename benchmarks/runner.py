"""Alternating runs: every peer of a scenario is up at once, and each round measures all of them in turn.

What drifts on a shared machine then drifts for everybody. The order turns by one each round, so that nobody always runs
after the same neighbour; a first short run of each is thrown away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import run_load
from benchmarks.origin import lengths, origin_kind, running_origin
from benchmarks.peers import PEERS, Absent, Peer
from benchmarks.probe import NotReady, wait_for
from benchmarks.process import Child
from benchmarks.results import PeerResult, ScenarioResult
from benchmarks.sample import RunFailed
from benchmarks.scenarios import DIRECT, Scenario

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure: `runs` of each peer, each cut to `seconds` when given, after `warm_up` seconds of each."""

    runs: int = 7
    seconds: int | None = None
    warm_up: int = 1

    def length(self, scenario: Scenario) -> int:
        """Return the seconds of one run of `scenario`."""
        return scenario.seconds if self.seconds is None else min(self.seconds, scenario.seconds)


@dataclass(slots=True)
class Runner:
    """A peer that is up, where it listens, and what came of it so far. The origin itself has no child."""

    result: PeerResult
    child: Child | None
    port: int

    def cpu_seconds(self) -> float | None:
        return self.child.cpu_seconds() if self.child else None

    def dead(self) -> bool:
        return self.child is not None and not self.child.alive()


def turned(items: Sequence[Runner], turn: int) -> list[Runner]:
    """Return `items` beginning with another one each turn."""
    by = turn % len(items) if items else 0
    return [*items[by:], *items[:by]]


def run_scenario(scenario: Scenario, effort: Effort, say: Say) -> ScenarioResult:
    """Measure every peer of `scenario` that is here; those that are not have a reason in place of figures.

    Raises:
        NotReady: when the origin does not come up: nothing can be measured then.
    """
    results = {name: PeerResult(name) for name in scenario.peers}
    with TemporaryDirectory(prefix="passerelle-bench-") as where, contextlib.ExitStack() as stack:
        origin = stack.enter_context(running_origin(Path(where)))
        started = [_start(scenario, result, Path(where), origin, stack, say) for result in results.values()]
        runners = [runner for runner in started if runner is not None]
        for runner in runners:
            _measure(scenario, runner, None, effort.warm_up, say)
        for turn in range(effort.runs):
            for runner in turned(runners, turn):
                _measure(scenario, runner, turn, effort.length(scenario), say)
    return ScenarioResult(scenario, results)


def _start(
    scenario: Scenario, result: PeerResult, where: Path, origin: int, stack: contextlib.ExitStack, say: Say
) -> Runner | None:
    peer = PEERS[result.name]
    try:
        result.version = peer.version()
        return _direct(result, origin) if peer.name == DIRECT else _up(scenario, peer, result, where, origin, stack)
    except Absent as reason:
        result.absent = str(reason)
        say(f"{scenario.name}: {peer.name} is left out: {reason}")
    except (NotReady, OSError) as error:
        result.crashed = True
        result.failures.append("it did not come up")
        say(f"{scenario.name}: {peer.name} did not come up: {error}")
    return None


def _direct(result: PeerResult, origin: int) -> Runner:
    return Runner(result, None, origin)


def _up(
    scenario: Scenario, peer: Peer, result: PeerResult, where: Path, origin: int, stack: contextlib.ExitStack
) -> Runner:
    if scenario.serve != "respond" and scenario.path not in lengths(origin_kind()):
        raise Absent(f"the origin does not serve {scenario.path}: nginx is not installed")
    child, port = stack.enter_context(peer.running(where, origin, scenario.serve))
    body = b"x" * scenario.body if scenario.body else None
    wait_for(child, port, scenario.path, scenario.answer, scenario.method, body)
    return Runner(result, child, port)


def _measure(scenario: Scenario, runner: Runner, turn: int | None, seconds: int, say: Say) -> None:
    """Make one run, unless the peer has died; `turn` None means a warm-up, which is not kept."""
    name = runner.result.name
    if runner.result.crashed:
        return
    try:
        sample = run_load(scenario, runner.port, seconds, runner.cpu_seconds)
    except RunFailed as failure:
        say(f"{scenario.name}: {name}: a run FAILED: {failure}")
        runner.result.failures.append(str(failure))
    else:
        if turn is not None:
            runner.result.samples[turn] = sample
            say(f"{scenario.name} {turn + 1}: {name} {sample.rate:,.0f}/s, p99 {sample.p99_ms:.2f} ms")
    if runner.dead():
        runner.result.crashed = True
        say(f"{scenario.name}: {name} DIED: {runner.child.last_words() if runner.child else ''}")
