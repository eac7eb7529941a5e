"""Which targets can take a request, what is held of each, and what becomes of that over another try and a reload."""

from __future__ import annotations

from collections import Counter

import pytest

from proxy.errors import IncompleteResponse, Retry, Unavailable, UpstreamReset
from proxy.upstream.balance import Cookie, Hashed, RoundRobin, Sticky, key_of
from proxy.upstream.ejection import Rules
from tests.unit.upstream.crew import Crew, attempt, end, endpoint, exchange, fail, succeed

A, B, C = "http://a:1", "http://a:2", "http://a:3"


@pytest.fixture
def crew() -> Crew:
    return Crew()


@pytest.mark.parametrize("weights", [(1,), (1, 1), (2, 1, 1)])
def test_a_try_is_held_until_its_end(crew: Crew, weights: tuple[int, ...]) -> None:
    targets = crew.targets(*weights)
    under_way = [attempt(targets)[0] for _ in range(8)]
    assert [t.condition.active for t in targets] == [8 * weight // sum(weights) for weight in weights]
    for x in under_way:
        end(x)
    assert [t.condition.active for t in targets] == [0] * len(weights)


def test_another_try_goes_where_none_was_made(crew: Crew) -> None:
    targets = crew.targets(1, 1, 1, 1)
    for _ in range(5):
        x = exchange()
        assert sorted(fail(targets, x=x) for _ in range(4)) == [1, 2, 3, 4]
        assert fail(targets, x=x) in (1, 2, 3, 4)  # there is none left
        end(x)
    assert sum(t.condition.active for t in targets) == 0


def test_the_only_target_is_tried_again(crew: Crew) -> None:
    targets, x = crew.targets(3), exchange()
    assert [fail(targets, x=x) for _ in range(3)] == [1, 1, 1]
    end(x)
    assert targets[A].condition.active == 0
    assert (targets[A].condition.answers, targets[A].condition.failures) == (3, 3)


def dead_connection() -> UpstreamReset:
    return UpstreamReset("it was idle", retry=Retry.REUSED)


def test_a_dead_idle_connection_speaks_against_nobody(crew: Crew) -> None:
    targets = crew.targets(1, 1)
    fail(targets, dead_connection())
    assert [(t.condition.answers, t.condition.streak, t.condition.active) for t in targets] == [(0, 0, 0)] * 2


@pytest.mark.parametrize("affine", [True, False])
def test_after_a_dead_idle_connection_only_those_stay_who_belong_there(crew: Crew, affine: bool) -> None:
    balancer = Hashed(key_of("client"), "client") if affine else RoundRobin()
    targets, x = crew.targets(1, 1, balancer=balancer), exchange()
    first = fail(targets, dead_connection(), x)
    x.fresh = True
    assert (fail(targets, x=x) == first) is affine
    if affine:
        assert fail(targets, x=x) != first
    end(x)
    assert sum(t.condition.active for t in targets) == 0


def test_an_answer_that_breaks_off_speaks_against_its_target(crew: Crew) -> None:
    targets = crew.targets(1)
    x, _ = attempt(targets)
    assert x.claim is not None
    x.claim.succeeded()
    end(x, IncompleteResponse("cut"))
    condition = targets[A].condition
    assert (condition.answers, condition.failures, condition.streak, condition.active) == (1, 1, 1, 0)


def test_ill_targets_get_nothing(crew: Crew) -> None:
    targets = crew.targets(1, 1, 1)
    targets.probed(targets[B], False, "probes fail")
    assert {succeed(targets) for _ in range(6)} == {1, 3}
    targets.probed(targets[A], False, "probes fail")
    assert {succeed(targets) for _ in range(6)} == {3}
    targets.probed(targets[C], False, "probes fail")
    with pytest.raises(Unavailable) as raised:
        targets.pick(exchange())
    assert raised.value.retry_after
    with pytest.raises(Unavailable):
        targets.preview(exchange())
    targets.probed(targets[B], True, "probes succeed")
    assert {succeed(targets) for _ in range(6)} == {2}


def test_draining_and_weights_by_an_operator(crew: Crew) -> None:
    targets = crew.targets(1, 1, 2)
    targets.drain(A)
    assert Counter(succeed(targets) for _ in range(9)) == {2: 3, 3: 6}
    targets.set_weight(B, 4)
    assert Counter(succeed(targets) for _ in range(9)) == {2: 6, 3: 3}
    targets.set_weight(B, None)
    targets.drain(A, draining=False)
    assert Counter(succeed(targets) for _ in range(8)) == {1: 2, 2: 2, 3: 4}
    with pytest.raises(KeyError):
        targets.drain("http://nobody")
    with pytest.raises(ValueError, match="1 to 1000"):
        targets.set_weight(A, 0)


def test_requests_under_way_end_on_a_draining_target_and_its_clients_stay(crew: Crew) -> None:
    targets = crew.targets(1, 1, balancer=Sticky(Cookie("at", b"s" * 16), RoundRobin()))
    x, port = attempt(targets)
    targets.drain(f"http://a:{port}")
    assert targets[f"http://a:{port}"].condition.active == 1
    assert {succeed(targets) for _ in range(4)} == {3 - port}
    token = Cookie("at", b"s" * 16).token(targets[f"http://a:{port}"].endpoint)
    assert attempt(targets, exchange(headers={"Cookie": f"at={token}"}))[1] == port
    end(x)


def test_a_slow_start_ramps_up(crew: Crew) -> None:
    targets = crew.targets(1, 1, slow_start=30.0)
    targets.probed(targets[A], False, "probes fail")
    targets.probed(targets[A], True, "probes succeed")
    shares = []
    for _ in range(6):
        counts = Counter(succeed(targets) for _ in range(1100))
        shares.append(counts[1] / counts[2])
        crew.pass_time(6.2)
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0.1, abs=0.02)
    assert shares[-1] == 1.0
    assert not len(crew.wheel)


def test_without_slow_start_a_target_is_back_at_once(crew: Crew) -> None:
    targets = crew.targets(1, 1)
    targets.probed(targets[A], False, "probes fail")
    targets.probed(targets[A], True, "probes succeed")
    assert Counter(succeed(targets) for _ in range(10)) == {1: 5, 2: 5}


def test_other_endpoints_from_now_on(crew: Crew) -> None:
    """Those that stay keep what is known of them; a try on one that is gone still ends well."""
    targets = crew.targets(1, 1)
    ill, gone = targets[A].condition, attempt(targets)[0]
    assert gone.endpoint is not None
    targets.probed(targets[B], False, "probes fail")
    targets.replace([endpoint(2), endpoint(3), endpoint(4)])
    assert [one.port for one in targets.endpoints] == [2, 3, 4]
    assert {succeed(targets) for _ in range(8)} == {3, 4}
    end(gone, IncompleteResponse("cut"))
    assert ill.active == 0


def test_a_reload_keeps_what_is_known_of_targets_that_stay(crew: Crew) -> None:
    old = crew.targets(1, 1, 1, rules=Rules(after=1))
    under_way, port = attempt(old)
    old.probed(old[C], False, "probes fail")
    old.drain(B)
    old.set_weight(A, 7)
    new = crew.targets(1, 1, 1, 1)
    new.adopt(old)
    old.close()
    assert new[A].condition.active == (1 if port == 1 else 0)
    assert [new[url].condition is old[url].condition for url in (A, B, C)] == [True] * 3
    assert new[C].condition.unhealthy
    assert new[B].condition.draining
    assert new[A].weight == 7
    assert {succeed(new) for _ in range(30)} == {1, 4}
    end(under_way, IncompleteResponse("cut"))
    assert new[f"http://a:{port}"].condition.active == 0
    assert new[f"http://a:{port}"].condition.failures == 1


def test_what_the_old_configuration_finds_out_counts_in_the_new_one(crew: Crew) -> None:
    old = crew.targets(1, 1, rules=Rules(after=1))
    new = crew.targets(1, 1, rules=Rules(after=1))
    x, port = attempt(old)
    new.adopt(old)
    old.close()
    old.failed(x, UpstreamReset("it died"))
    assert new[f"http://a:{port}"].condition.ejected
    assert {succeed(new) for _ in range(4)} == {3 - port}


def test_it_tells_what_it_does(crew: Crew) -> None:
    targets = crew.targets(1, 1, slow_start=30.0)
    targets.drain(A)
    assert targets.describe() == "round_robin, 1 of 2 targets ready, slow start over 30 s"
