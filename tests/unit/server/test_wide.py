"""What several workers saw is told once."""

from __future__ import annotations

import asyncio

import pytest

from proxy.clock import ManualClock
from proxy.events import (
    ApiError,
    CircuitOpened,
    ConfigReloaded,
    Event,
    SystemStarted,
    UpstreamRecovered,
    UpstreamUnhealthy,
)
from proxy.server.wide import MERGE_HERE, Once

DOWN = UpstreamUnhealthy("shop", "http://a", "refused")
UP = UpstreamRecovered("shop", "http://a", "probe")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def once(clock: ManualClock, told: list[Event]) -> Once:
    return Once(clock, told.append)


def test_one_edge_of_several_workers_is_told_once(once: Once, told: list[Event], clock: ManualClock) -> None:
    for _ in range(4):
        once.heard(DOWN)
        clock.advance(5)
    assert told == [DOWN]


def test_other_things_are_told_too(once: Once, told: list[Event]) -> None:
    other = UpstreamUnhealthy("shop", "http://b", "refused")
    once.heard(DOWN)
    once.heard(other)
    assert told == [DOWN, other]


def test_the_way_back_and_the_next_fall_are_told(once: Once, told: list[Event]) -> None:
    for event in (DOWN, DOWN, UP, UP, DOWN):
        once.heard(event)
    assert told == [DOWN, UP, DOWN]


def test_after_a_while_it_is_news_again(once: Once, told: list[Event], clock: ManualClock) -> None:
    once.heard(DOWN)
    clock.advance(61)
    once.heard(DOWN)
    assert told == [DOWN, DOWN]


def test_circuits_are_apart_from_targets(once: Once, told: list[Event]) -> None:
    opened = CircuitOpened("shop", "http://a", "ratio")
    once.heard(DOWN)
    once.heard(opened)
    assert told == [DOWN, opened]


def test_a_workers_own_life_is_not_told(once: Once, told: list[Event]) -> None:
    once.heard(SystemStarted("1", "abc", ("http://127.0.0.1:1",)))
    once.heard(ConfigReloaded("abc", "abb", ()))
    assert told == []


async def test_what_folds_is_told_at_once_and_then_for_all_workers_together(
    told: list[Event], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.server.wide.MERGE_HERE", 0.001)
    once = Once(clock, told.append)
    for number in range(6):
        once.heard(ApiError("r", "u", 500, "", str(number), str(number), 2))
    assert len(told) == 1
    clock.advance(10)
    async with asyncio.timeout(5):
        while len(told) < 2:
            await asyncio.sleep(MERGE_HERE / 1000)
    assert [one.count for one in told if isinstance(one, ApiError)] == [2, 10]
    once.close()


async def test_at_the_end_what_was_folded_is_told(told: list[Event], clock: ManualClock) -> None:
    once = Once(clock, told.append)
    once.heard(ApiError("r", "u", 500, "", "1", "1"))
    once.heard(ApiError("r", "u", 500, "", "2", "2"))
    once.close()
    assert len(told) == 2
