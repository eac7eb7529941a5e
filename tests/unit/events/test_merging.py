"""The first at once, the rest together."""

from __future__ import annotations

import pytest

from proxy.clock import ManualClock
from proxy.events import ApiError, Event
from proxy.events import merging as module
from proxy.events.merging import Merger


class Stage(Merger):
    """A merger, and what it told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.told: list[Event] = []
        self.lost: list[Event] = []
        super().__init__(self.clock.monotonic, self.told.append, self.lost.append, 10.0)

    def fail(self, number: int, route: str = "r", count: int = 1) -> None:
        self.take(ApiError(route, "u", 500 + number, "", str(number), str(number), count))

    def after(self, seconds: float) -> list[tuple[str, str, int]]:
        """What is told when time has passed: first and last request, and the count."""
        self.told.clear()
        self.clock.advance(seconds)
        self.advance()
        return [
            (one.first_request_id, one.last_request_id, one.count) for one in self.told if isinstance(one, ApiError)
        ]


def test_the_first_is_told_at_once_and_alone() -> None:
    stage = Stage()
    stage.fail(1)
    assert len(stage.told) == 1
    assert stage.after(100) == []
    assert len(stage) == 0


def test_the_rest_is_told_together() -> None:
    stage = Stage()
    for number in range(1, 6):
        stage.fail(number)
    assert len(stage.told) == 1
    assert stage.after(9.9) == []
    assert stage.after(0.1) == [("2", "5", 4)]


def test_counts_are_added_up() -> None:
    stage = Stage()
    stage.fail(1)
    stage.fail(2, count=7)
    stage.fail(3, count=5)
    assert stage.after(10) == [("2", "3", 12)]


def test_while_it_lasts_it_is_told_every_window() -> None:
    stage = Stage()
    told = []
    for number in range(40):
        stage.fail(number)
        told += stage.after(1)
    assert [count for _, _, count in told] == [9, 10, 10, 10]


def test_subjects_are_apart() -> None:
    stage = Stage()
    stage.fail(1, "a")
    stage.fail(2, "b")
    assert len(stage.told) == 2
    stage.fail(3, "a")
    stage.fail(4, "b")
    assert stage.after(10) == [("3", "3", 1), ("4", "4", 1)]


def test_after_a_quiet_time_the_next_is_told_at_once() -> None:
    stage = Stage()
    stage.fail(1)
    stage.after(10)
    stage.fail(2)
    assert len(stage.told) == 1


def test_subjects_are_bounded_and_the_newest_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SUBJECTS", 2)
    stage = Stage()
    for number in range(3):
        stage.fail(number, f"route{number}")
    assert ([one.subject for one in stage.told], [one.subject for one in stage.lost]) == (
        ["route0", "route1"],
        ["route2"],
    )
    stage.after(10)
    stage.fail(9, "route9")
    assert len(stage.told) == 1


def test_at_the_end_nothing_is_kept_back() -> None:
    stage = Stage()
    stage.fail(1)
    stage.fail(2)
    stage.told.clear()
    stage.flush()
    assert len(stage.told) == 1
    assert len(stage) == 0
