"""How fast an endpoint is told."""

from __future__ import annotations

import pytest

from plugins.webhook.pace import Pace


def spent(pace: Pace, now: float) -> int:
    count = pace.free(now)
    pace.take(count)
    return count


def test_a_second_of_requests_at_once_then_as_they_come() -> None:
    pace = Pace(50, 0.0)
    assert spent(pace, 0.0) == 50
    assert spent(pace, 0.0) == 0
    assert pace.wait(0.0) == pytest.approx(0.02)
    assert spent(pace, 0.1) == 5
    assert spent(pace, 10.0) == 50


def test_less_than_one_a_second() -> None:
    pace = Pace(0.5, 0.0)
    assert spent(pace, 0.0) == 1
    assert spent(pace, 1.9) == 0
    assert spent(pace, 2.1) == 1


def test_after_a_recovery_it_begins_with_five_and_doubles() -> None:
    pace = Pace(50, 0.0)
    pace.slow(0.0)
    assert spent(pace, 0.0) == 1
    assert [pace.rate(at) for at in (0.0, 9.9, 10.0, 20.0, 30.0, 40.0)] == [5, 5, 10, 20, 40, 50]


def test_the_ramp_never_exceeds_what_is_configured() -> None:
    pace = Pace(2, 0.0)
    pace.slow(0.0)
    assert pace.rate(0.0) == 2


def test_time_that_stands_still_gives_nothing() -> None:
    pace = Pace(10, 5.0)
    spent(pace, 5.0)
    assert pace.free(4.0) == 0
