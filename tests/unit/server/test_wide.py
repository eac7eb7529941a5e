"""What several workers saw is told once."""

from __future__ import annotations

import pytest

from proxy.clock import ManualClock
from proxy.events import CircuitOpened, ConfigReloaded, Event, SystemStarted, UpstreamRecovered, UpstreamUnhealthy
from proxy.server.wide import Once

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
