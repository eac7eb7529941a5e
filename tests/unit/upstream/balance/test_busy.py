"""Least busy and two choices look at what is under way, and fall back to weights."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.upstream.balance import LeastBusy, TwoChoices
from proxy.upstream.condition import Target
from tests.unit.upstream.crew import alone, exchange, ports

PICKS = 100_000

Busy = LeastBusy | TwoChoices


def ready(balancer: Busy, *weights: int) -> list[Target]:
    targets = alone(*weights)
    balancer.use(targets, targets)
    return targets


def both() -> list[Busy]:
    return [LeastBusy(), TwoChoices(random.Random(3))]


@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(0, 1))
def test_idle_targets_get_their_share_within_one_percent(weights: list[int], which: int) -> None:
    balancer, x = both()[which], exchange()
    ready(balancer, *weights)
    counts = Counter(ports([balancer.pick(x) for _ in range(PICKS)]))
    for port, weight in enumerate(weights, 1):
        assert abs(counts[port] / PICKS - weight / sum(weights)) < 0.01


@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=6), st.integers(0, 1))
def test_held_requests_spread_by_weight_within_one_percent(weights: list[int], which: int) -> None:
    """None ends, so what is under way is the share."""
    balancer, x = both()[which], exchange()
    targets = ready(balancer, *weights)
    for _ in range(PICKS):
        balancer.pick(x).condition.active += 1
    for target in targets:
        assert abs(target.condition.active / PICKS - target.share / sum(weights)) < 0.01


def test_the_least_busy_relative_to_its_weight() -> None:
    balancer = LeastBusy()
    one, two, three = ready(balancer, 1, 2, 4)
    one.condition.active, two.condition.active, three.condition.active = 1, 3, 3  # 1, 1.5, 0.75
    for _ in range(7):
        assert balancer.preview(exchange()) is balancer.pick(exchange()) is three


def test_equals_take_turns() -> None:
    balancer = LeastBusy()
    for target in ready(balancer, 1, 1, 1):
        target.condition.active = 4
    assert ports([balancer.pick(exchange()) for _ in range(6)]) == [1, 2, 3, 1, 2, 3]


def test_two_choices_never_takes_the_busiest() -> None:
    balancer = TwoChoices(random.Random(1))
    targets = ready(balancer, 1, 1, 1)
    targets[1].condition.active = 5
    assert set(ports([balancer.pick(exchange()) for _ in range(200)])) == {1, 3}


@pytest.mark.parametrize("balancer", both(), ids=["least_busy", "two_choices"])
def test_what_is_to_be_avoided_is_not_picked(balancer: Busy) -> None:
    targets = ready(balancer, 1, 9, 3)
    for kept in targets:
        others = [target.endpoint for target in targets if target is not kept]
        assert balancer.pick(exchange(), others) is kept


@pytest.mark.parametrize("balancer", both(), ids=["least_busy", "two_choices"])
@pytest.mark.parametrize("weights", [(1,), (1, 1), (1, 7, 3)])
def test_the_preview_is_what_comes(balancer: Busy, weights: tuple[int, ...]) -> None:
    ready(balancer, *weights)
    for _ in range(30):
        told = balancer.preview(exchange())
        assert balancer.preview(exchange()) is told
        assert balancer.pick(exchange()) is told
