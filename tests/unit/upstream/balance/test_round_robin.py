"""Round robin gives every target its share, evenly spread, and another one for another try."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.upstream.balance import RoundRobin
from proxy.upstream.condition import Target
from tests.unit.upstream.crew import alone, exchange, ports

PICKS = 100_000


def ready(*weights: int) -> tuple[RoundRobin, list[Target]]:
    balancer, targets = RoundRobin(), alone(*weights)
    balancer.use(targets, targets)
    return balancer, targets


def picked(balancer: RoundRobin, count: int) -> list[int]:
    x = exchange()
    return ports([balancer.pick(x) for _ in range(count)])


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8))
def test_every_target_gets_its_share_within_one_percent(weights: list[int]) -> None:
    counts = Counter(picked(ready(*weights)[0], PICKS))
    for port, weight in enumerate(weights, 1):
        assert abs(counts[port] / PICKS - weight / sum(weights)) < 0.01


@given(st.lists(st.integers(1, 600), min_size=2, max_size=6))
def test_a_round_is_exact(weights: list[int]) -> None:
    """Whether it is laid out beforehand or worked out turn by turn."""
    balancer, _ = ready(*weights)
    for _ in range(2):
        assert Counter(picked(balancer, sum(weights))) == dict(enumerate(weights, 1))


def test_a_heavy_target_gets_no_burst() -> None:
    assert picked(ready(5, 1, 1)[0], 7) == [1, 1, 2, 1, 3, 1, 1]


@pytest.mark.parametrize("scale", [1, 7, 1000])
def test_only_the_proportion_counts(scale: int) -> None:
    assert picked(ready(*(weight * scale for weight in (5, 1, 1)))[0], 14) == [1, 1, 2, 1, 3, 1, 1] * 2


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=6), st.integers(0, 50))
def test_what_is_to_be_avoided_is_not_picked(weights: list[int], before: int) -> None:
    balancer, targets = ready(*weights)
    picked(balancer, before)
    for kept in targets:
        others = [target.endpoint for target in targets if target is not kept]
        assert balancer.pick(exchange(), others) is kept


@pytest.mark.parametrize("weights", [(1,), (1, 1), (5, 1, 1), (1, 7, 3), (999, 1000, 5)])
def test_the_preview_takes_no_turn(weights: tuple[int, ...]) -> None:
    balancer, _ = ready(*weights)
    for _ in range(30):
        told = balancer.preview(exchange())
        assert balancer.preview(exchange()) is told
        assert balancer.pick(exchange()) is told


def test_other_targets_from_now_on() -> None:
    balancer, targets = ready(1, 1, 1)
    balancer.use(targets[1:], targets)
    assert set(picked(balancer, 10)) == {2, 3}
