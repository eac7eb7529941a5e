"""A breaker opens on a rate of failures, refuses at once, and closes after one probe that succeeded."""

from __future__ import annotations

import pytest

from proxy.errors import CircuitOpen
from proxy.events import CircuitClosed, CircuitOpened
from proxy.upstream.breaker import Breaker, BreakerRules, BreakerState
from proxy.upstream.edges import Edge
from proxy.upstream.targets import Targets
from tests.unit.upstream.crew import Crew, attempt, end, exchange, fail, fail_at, succeed


@pytest.fixture
def crew() -> Crew:
    return Crew()


def breaker(crew: Crew, rules: BreakerRules | None = None) -> Breaker:
    edge = Edge(
        crew.teller, lambda reason: CircuitOpened("app", "", reason), lambda reason: CircuitClosed("app", "", reason)
    )
    return Breaker(rules or BreakerRules(), crew.clock, crew.wheel, crew.random, edge)


def state(targets: Targets) -> BreakerState:
    assert targets.breaker is not None
    return targets.breaker.state


def opened(crew: Crew) -> Targets:
    targets = crew.targets(1, 1, breaker=breaker(crew))
    for count in range(20):
        fail_at(targets, 1 + count % 2)
    assert state(targets) is BreakerState.OPEN
    return targets


def half_open(crew: Crew) -> Targets:
    targets = opened(crew)
    crew.pass_time(5.6)
    assert state(targets) is BreakerState.HALF_OPEN
    return targets


def test_it_opens_at_half_of_twenty(crew: Crew) -> None:
    targets = crew.targets(1, 1, breaker=breaker(crew))
    fail_at(targets, 1)  # with which the span begins
    for _ in range(10):
        succeed(targets)
    for _ in range(8):
        fail_at(targets, 2)
    assert state(targets) is BreakerState.CLOSED  # 9 of 19
    fail_at(targets, 1)
    assert state(targets) is BreakerState.OPEN  # 10 of 20


def test_failures_of_long_ago_are_forgotten(crew: Crew) -> None:
    targets = crew.targets(1, breaker=breaker(crew))
    for _ in range(40):
        fail_at(targets, 1)
        crew.pass_time(0.6)
    assert state(targets) is BreakerState.CLOSED


def test_open_it_refuses_at_once_and_says_until_when(crew: Crew) -> None:
    targets = opened(crew)
    crew.pass_time(1)
    for choose in (targets.pick, targets.preview):
        with pytest.raises(CircuitOpen) as raised:
            choose(exchange())
        assert (raised.value.status, raised.value.proxy_error) == (503, "destination_unavailable")
        assert raised.value.retry_after in (4, 5)


def test_half_open_it_lets_one_probe_through(crew: Crew) -> None:
    targets = half_open(crew)
    probe, _ = attempt(targets)
    with pytest.raises(CircuitOpen):
        attempt(targets)
    assert probe.claim is not None
    probe.claim.succeeded()
    assert state(targets) is BreakerState.CLOSED
    assert {succeed(targets) for _ in range(4)} == {1, 2}
    end(probe)
    assert sum(t.condition.active for t in targets) == 0


def test_a_probe_that_fails_opens_it_again(crew: Crew) -> None:
    targets = half_open(crew)
    probe, _ = attempt(targets)
    assert probe.claim is not None
    probe.claim.failed(503)
    assert state(targets) is BreakerState.OPEN
    with pytest.raises(CircuitOpen):
        attempt(targets, probe)  # not even this one is tried again
    end(probe)
    crew.pass_time(5.6)
    assert state(targets) is BreakerState.HALF_OPEN
    attempt(targets)


def test_a_probe_that_was_given_up_makes_room_for_another(crew: Crew) -> None:
    targets = half_open(crew)
    probe, _ = attempt(targets)
    end(probe)  # its client has left
    assert state(targets) is BreakerState.HALF_OPEN
    attempt(targets)


def test_edges_are_told(crew: Crew) -> None:
    targets = half_open(crew)
    assert crew.told[0].data() == {"upstream": "app", "endpoint": "", "reason": "20 of 20 requests failed"}
    succeed(targets)
    assert crew.types() == ["circuit.opened"]
    crew.pass_time(10)
    assert crew.types() == ["circuit.opened", "circuit.closed"]


def test_what_was_under_way_when_it_opened_decides_nothing(crew: Crew) -> None:
    targets = crew.targets(1, 1, breaker=breaker(crew))
    late = [attempt(targets)[0] for _ in range(2)]
    for _ in range(20):
        fail_at(targets, 1)
    crew.pass_time(5.6)
    for x in late:
        assert x.claim is not None
        x.claim.succeeded()
        end(x)
    assert state(targets) is BreakerState.HALF_OPEN


def test_a_reload_keeps_its_state(crew: Crew) -> None:
    old = opened(crew)
    new = crew.targets(1, 1, breaker=breaker(crew))
    new.adopt(old)
    old.close()
    with pytest.raises(CircuitOpen):
        new.pick(exchange())
    crew.pass_time(5.6)
    assert state(new) is BreakerState.HALF_OPEN
    succeed(new)
    assert state(new) is BreakerState.CLOSED


def test_a_reload_while_its_probe_is_under_way_leaves_one_breaker_and_one_probe(crew: Crew) -> None:
    old = opened(crew)
    crew.pass_time(5.6)
    probe, _ = attempt(old)
    new = crew.targets(1, 1, breaker=breaker(crew))
    new.adopt(old)
    assert new.breaker is old.breaker
    for targets in (new, old):
        with pytest.raises(CircuitOpen):
            targets.pick(exchange())
    assert probe.claim is not None
    probe.claim.succeeded()
    end(probe)
    assert state(new) is BreakerState.CLOSED
    assert {succeed(new) for _ in range(4)} == {1, 2}
    assert {succeed(old) for _ in range(4)} == {1, 2}, "what began before the reload is not held up either"
    old.close()
    crew.pass_time(11)
    assert crew.types() == ["circuit.opened", "circuit.closed"]


def test_a_reload_brings_its_rules(crew: Crew) -> None:
    old = opened(crew)
    new = crew.targets(1, 1, breaker=breaker(crew))
    assert new.breaker is not None
    new.breaker.rules.open = 1.0
    new.adopt(old)
    old.close()
    crew.pass_time(5.6)
    fail(new)
    assert state(new) is BreakerState.OPEN
    crew.pass_time(1.2)
    assert state(new) is BreakerState.HALF_OPEN


def test_a_reload_that_removes_it_lets_everything_through(crew: Crew) -> None:
    old = opened(crew)
    new = crew.targets(1, 1)
    new.adopt(old)
    old.close()
    assert {succeed(new) for _ in range(4)} == {1, 2}
    crew.pass_time(11)
    assert crew.types() == ["circuit.opened", "circuit.closed"]


def test_it_tells_its_rules_and_state(crew: Crew) -> None:
    targets = opened(crew)
    assert targets.breaker is not None
    assert targets.breaker.describe() == "open; opens for 5 s when 50% of at least 20 fail within 10 s"
