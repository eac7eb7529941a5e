"""Requests wait for events, but never for long."""

from __future__ import annotations

import pytest

from proxy.clock import ManualClock
from proxy.events.brake import Brake


class Held(Brake):
    """A brake, and what it told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.told: list[bool] = []
        super().__init__(self.clock.monotonic)
        self.apply = self.told.append

    def after(self, seconds: float) -> bool:
        """Whether it still holds then."""
        self.clock.advance(seconds)
        self.advance()
        return self.held


def test_it_holds_until_there_is_room() -> None:
    brake = Held()
    brake.press(1)
    brake.press(1)
    assert brake.after(0.5)
    brake.ease(1, empty=False)
    assert (brake.told, brake.seconds) == ([True, False], 0.5)


def test_it_never_holds_for_more_than_a_second() -> None:
    brake = Held()
    brake.press(1)
    assert not brake.after(0.95)
    brake.press(1)
    assert brake.told == [True, False], "nor again, as long as the same events wait"


def test_a_second_in_all_however_often_there_is_room_for_a_moment() -> None:
    brake = Held()
    for _ in range(10):
        brake.press(1)
        brake.after(0.25)
        brake.ease(1, empty=False)
    assert brake.seconds == pytest.approx(1.0)


def test_another_second_once_everything_is_kept() -> None:
    brake = Held()
    brake.press(1)
    brake.after(0.95)
    brake.ease(1, empty=True)
    brake.press(1)
    assert brake.held
    assert brake.after(0.8)


def test_one_of_two_who_press_is_enough() -> None:
    brake = Held()
    brake.press(1)
    brake.press(2)
    brake.ease(1, empty=True)
    assert brake.held
    brake.ease(2, empty=True)
    assert not brake.held


def test_who_eases_without_having_pressed_changes_nothing() -> None:
    brake = Held()
    brake.ease(1, empty=True)
    assert (brake.told, brake.seconds) == ([], 0.0)
