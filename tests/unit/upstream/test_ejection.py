"""Targets that fail real requests go out, for a while and never too many, and come back."""

from __future__ import annotations

import pytest

from proxy.errors import (
    BadResponse,
    ClientLeft,
    ConnectTimeout,
    GatewayError,
    IncompleteResponse,
    PoolFull,
    ReadTimeout,
    UpstreamTimeout,
)
from proxy.upstream.condition import Condition
from proxy.upstream.ejection import Rules
from proxy.upstream.targets import Targets
from tests.unit.upstream.crew import REFUSED, RESET, Crew, attempt, end, exchange, fail, fail_at, succeed

A, B, C = "http://a:1", "http://a:2", "http://a:3"


@pytest.fixture
def crew() -> Crew:
    return Crew()


def fails(targets: Targets, port: int, times: int, cause: GatewayError | int = RESET) -> Condition:
    for _ in range(times):
        fail_at(targets, port, cause)
    return targets[f"http://a:{port}"].condition


@pytest.mark.parametrize(
    "cause", [RESET, REFUSED, UpstreamTimeout(), ConnectTimeout(), ReadTimeout(), BadResponse(), 502, 503, 504]
)
def test_five_failures_in_a_row_put_a_target_out(crew: Crew, cause: GatewayError | int) -> None:
    targets = crew.targets(1, 1, rules=Rules())
    assert not fails(targets, 1, 4, cause).ejected
    assert fails(targets, 1, 1, cause).ejected
    assert {succeed(targets) for _ in range(4)} == {2}


def test_a_success_between_begins_anew(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules())
    for _ in range(4):
        condition = fails(targets, 1, 4)
        condition.succeeded()
    assert not condition.ejected


@pytest.mark.parametrize("cause", [ClientLeft(), PoolFull(), GatewayError()])
def test_what_is_not_the_target_s_fault_is_no_failure(crew: Crew, cause: GatewayError) -> None:
    targets = crew.targets(1, rules=Rules())
    fail(targets, cause)
    assert targets[A].condition.streak == 0


def test_answers_that_break_off_count(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules(after=3))
    for _ in range(6):
        end(attempt(targets)[0], IncompleteResponse("cut"))
    assert [t.condition.ejected for t in targets].count(True) == 1


def test_a_rate_of_failures_suffices(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules())
    condition = targets[A].condition
    for count in range(1, 10):
        fail_at(targets, 1)
        condition.succeeded()
        assert not condition.ejected, count
    fail_at(targets, 1)
    condition.succeeded()
    fail_at(targets, 1)  # 11 of 21, never two in a row
    assert condition.ejected


def test_a_rate_is_that_of_ten_seconds(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules())
    for _ in range(100):
        fail_at(targets, 1)
        targets[A].condition.succeeded()
        crew.pass_time(1.2)
    assert not targets[A].condition.ejected


def test_an_ejection_lasts_and_doubles_and_is_forgotten(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules())
    lasted = []
    for _ in range(5):
        condition = fails(targets, 1, 5)
        lasted.append(condition.until - condition.ejected_at)
        crew.pass_time(lasted[-1] - 1)
        assert condition.ejected
        crew.pass_time(1.2)
        assert not condition.ejected
    for seconds, expected in zip(lasted, [30, 60, 120, 240, 300], strict=True):
        assert expected <= seconds <= expected * 1.1
    crew.pass_time(30 * 3 + 1)
    condition = fails(targets, 1, 5)
    assert 120 <= condition.until - condition.ejected_at <= 132  # three spans of good behaviour, three doublings less


@pytest.mark.parametrize(("size", "out"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_never_more_than_half(crew: Crew, size: int, out: int) -> None:
    targets = crew.targets(*[1] * size, rules=Rules())
    for port in range(1, size + 1):
        fails(targets, port, 10)
    assert [t.condition.ejected for t in targets].count(True) == out


def test_those_that_probes_took_out_count_as_out(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules())
    targets.probed(targets[B], False, "probes fail")
    assert not fails(targets, 1, 10).ejected


def test_one_that_was_spared_goes_when_there_is_room(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules())
    fails(targets, 1, 5)
    assert not fails(targets, 2, 7).ejected
    targets.restore(targets[A].condition, "test")
    assert fails(targets, 2, 1).ejected


def test_the_last_resort_is_tried_when_all_others_have_failed(crew: Crew) -> None:
    """A is out although it is well again; B dies: whoever fails there is saved by A, which is back at once."""
    targets = crew.targets(1, 1, rules=Rules())
    condition = fails(targets, 1, 5)
    x = exchange()
    assert targets.last_resort(x) is None
    assert fail(targets, x=x) == 2
    assert targets.last_resort(x) is targets[A]
    _, port = attempt(targets, x)
    assert port == 1
    assert x.claim is not None
    x.claim.succeeded()
    end(x)
    assert not condition.ejected
    assert [t.condition.active for t in targets] == [0, 0]


def test_the_oldest_ejection_comes_first(crew: Crew) -> None:
    targets = crew.targets(1, 1, 1, 1, rules=Rules(after=1))
    fails(targets, 3, 1)
    crew.pass_time(1)
    fails(targets, 1, 1)
    x = exchange()
    assert {fail(targets, x=x), fail(targets, x=x)} == {2, 4}
    assert fail(targets, x=x) == 3
    assert fail(targets, x=x) == 1
    end(x)


def test_a_target_that_would_be_out_is_no_better_than_the_last_resort(crew: Crew) -> None:
    targets = crew.targets(1, 1, 1, rules=Rules())
    fails(targets, 1, 5)
    fails(targets, 2, 5)  # spared, since no more than one may be out
    fails(targets, 3, 5)
    x = exchange()
    first = fail(targets, x=x)
    assert first in (2, 3)
    assert attempt(targets, x)[1] == 1
    end(x)


def test_a_last_resort_that_fails_is_left_alone_for_a_second(crew: Crew) -> None:
    """So an outage of everything is not doubled."""
    targets = crew.targets(1, 1, rules=Rules())
    fails(targets, 1, 5)
    tried = 0
    for _ in range(500):  # ten seconds at fifty a second
        x = exchange()
        fail(targets, x=x)
        if targets.last_resort(x) is not None:
            tried += 1
            assert fail(targets, x=x) == 1
        end(x)
        crew.pass_time(0.02, 0.02)
    assert 8 <= tried <= 11


def test_few_wait_for_a_last_resort_at_once(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules())
    fails(targets, 1, 5)
    resorted = 0
    for _ in range(100):
        x = exchange()
        fail(targets, x=x)
        if targets.last_resort(x) is not None:
            attempt(targets, x)
            resorted += 1
    assert resorted == 32


def test_when_all_are_out_the_oldest_takes_what_comes(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules(at_most=1.0))
    fails(targets, 2, 5)
    crew.pass_time(1)
    fails(targets, 1, 5)
    assert targets.preview(exchange()).port == 2
    assert succeed(targets) == 2
    assert not targets[B].condition.ejected


def test_one_that_refused_is_back_when_it_takes_a_connection(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules())
    condition = fails(targets, 1, 5, REFUSED)
    crew.pass_time(10)
    assert 9 <= len(crew.knocks) <= 10
    assert condition.ejected
    crew.open.add(1)
    crew.pass_time(1.3)
    assert {succeed(targets) for _ in range(4)} == {1, 2}
    assert crew.knocks[-1] == 1
    count = len(crew.knocks)
    crew.pass_time(60)
    assert len(crew.knocks) == count
    assert not len(crew.wheel)


def test_one_that_did_not_refuse_is_not_knocked_at(crew: Crew) -> None:
    fails(crew.targets(1, 1, rules=Rules()), 1, 5, RESET)
    crew.pass_time(20)
    assert crew.knocks == []


def test_edges_are_told_once_and_not_in_a_flood(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules(lasting=3.0))
    fails(targets, 1, 5)
    assert crew.types() == ["upstream.unhealthy"]
    assert crew.told[0].data() == {
        "upstream": "app",
        "endpoint": A,
        "reason": "ejected for 3 s: 5 failures in a row, the last one upstream_reset",
    }
    crew.pass_time(5)
    assert not targets[A].condition.ejected
    assert crew.types() == ["upstream.unhealthy"]
    crew.pass_time(6)
    assert crew.types() == ["upstream.unhealthy", "upstream.recovered"]


def test_a_reload_goes_on_with_an_ejection(crew: Crew) -> None:
    old = crew.targets(1, 1, rules=Rules())
    condition = fails(old, 1, 5, REFUSED)
    new = crew.targets(1, 1, rules=Rules())
    new.adopt(old)
    old.close()
    assert {succeed(new) for _ in range(4)} == {2}
    crew.open.add(1)
    crew.pass_time(1.3)
    assert not condition.ejected
    assert {succeed(new) for _ in range(4)} == {1, 2}


def test_a_reload_that_switches_ejection_off_ends_it(crew: Crew) -> None:
    old = crew.targets(1, 1, rules=Rules())
    fails(old, 1, 5)
    new = crew.targets(1, 1)
    new.adopt(old)
    old.close()
    assert {succeed(new) for _ in range(4)} == {1, 2}
    crew.pass_time(11)
    assert crew.types() == ["upstream.unhealthy", "upstream.recovered"]


def test_nothing_is_left_when_it_closes(crew: Crew) -> None:
    targets = crew.targets(1, 1, rules=Rules(), slow_start=30.0)
    fails(targets, 1, 5, REFUSED)
    targets.close()
    crew.pass_time(5)
    assert crew.knocks == []
    assert not len(crew.wheel)


def test_it_tells_its_rules(crew: Crew) -> None:
    ejector = crew.targets(1, rules=Rules()).ejector
    assert ejector is not None
    assert ejector.describe() == (
        "after 5 failures in a row or 50% of at least 20 within 10 s, for 30 s, doubling, at most 50% of the targets"
    )
