"""Equal keys stay together, few move when targets change, and no target is drowned."""

from __future__ import annotations

from collections import Counter
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.upstream.balance import Hashed, key_of
from proxy.upstream.balance.hashing import BOUND
from proxy.upstream.condition import Target
from tests.unit.upstream.crew import alone, exchange

KEYS = 5_000
PICKS = 100_000


def ready(*weights: int) -> tuple[Hashed, list[Target]]:
    balancer, targets = Hashed(key_of("header:X-User"), "header:X-User"), alone(*weights)
    balancer.use(targets, targets)
    return balancer, targets


def owners(balancer: Hashed, count: int = KEYS) -> list[int]:
    return [balancer.pick(exchange(headers={"X-User": f"u{n}"})).endpoint.port for n in range(count)]


def test_an_equal_key_has_an_equal_target() -> None:
    balancer, _ = ready(1, 1, 1)
    assert owners(balancer, 500) == owners(balancer, 500) == owners(ready(1, 1, 1)[0], 500)


@settings(max_examples=1, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_keys_spread_by_weight_within_one_percent(weights: list[int]) -> None:
    counts = Counter(owners(ready(*weights)[0], PICKS))
    for port, weight in enumerate(weights, 1):
        assert abs(counts[port] / PICKS - weight / sum(weights)) < 0.01


@settings(max_examples=5, deadline=None)
@given(st.integers(2, 10), st.data())
def test_only_the_keys_of_a_target_that_leaves_move(size: int, data: st.DataObject) -> None:
    balancer, targets = ready(*[1] * size)
    gone = data.draw(st.sampled_from(targets))
    before = owners(balancer)
    balancer.use([target for target in targets if target is not gone], targets)
    after = owners(balancer)
    moved = [n for n in range(KEYS) if before[n] != after[n]]
    assert all(before[n] == gone.endpoint.port for n in moved)
    assert len(moved) / KEYS < 1 / size + 0.02
    balancer.use(targets, targets)  # it joins again: the same ones come back, and no others move
    assert owners(balancer) == before


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=50, max_size=200),
)
def test_the_bound_holds_whatever_is_asked_and_ends(weights: list[int], steps: list[tuple[int, bool]]) -> None:
    """Few keys, so that some are popular; every other step may end a request."""
    balancer, targets = ready(*weights)
    held: list[Target] = []
    for key, ends in steps:
        if ends and held:
            held.pop(0).condition.active -= 1
        target = balancer.pick(exchange(headers={"X-User": f"k{key}"}))
        target.condition.active += 1
        held.append(target)
        assert target.condition.active <= ceil(BOUND * len(held) * target.share / sum(weights))
    assert sum(target.condition.active for target in targets) == len(held)


def test_a_popular_key_overflows_in_its_own_order() -> None:
    balancer, _ = ready(1, 1, 1)
    x = exchange(headers={"X-User": "popular"})
    first = balancer.pick(x)
    first.condition.active += 2
    second = balancer.pick(x)
    assert second is not first
    first.condition.active -= 2
    assert balancer.pick(x) is balancer.preview(x) is first


def test_another_try_goes_to_the_next_in_order() -> None:
    balancer, targets = ready(1, 1, 1)
    x = exchange(headers={"X-User": "u1"})
    order = [balancer.pick(x)]
    while len(order) < 3:
        order.append(balancer.pick(x, [target.endpoint for target in order]))
    assert {target.endpoint.port for target in order} == {1, 2, 3}
    balancer.use([target for target in targets if target is not order[0]], targets)
    assert balancer.pick(x) is order[1]


def test_requests_without_a_key_take_turns() -> None:
    balancer, targets = ready(1, 1)
    got = []
    for _ in range(4):
        told = balancer.preview(exchange())
        got.append(balancer.pick(exchange()))
        assert got[-1] is told
    assert [target.endpoint.port for target in got] == [1, 2, 1, 2]
    assert balancer.pick(exchange(), [targets[0].endpoint]) is targets[1]


@pytest.mark.parametrize("weights", [(1,), (1, 1, 1)])
def test_a_repeated_try_on_a_dead_connection_stays(weights: tuple[int, ...]) -> None:
    assert ready(*weights)[0].affine
