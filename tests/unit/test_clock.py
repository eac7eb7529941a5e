from __future__ import annotations

import time

import pytest

from proxy.clock import Clock, ManualClock


def test_the_real_clock_is_the_c_functions_themselves() -> None:
    clock = Clock()
    assert clock.monotonic is time.monotonic
    assert clock.time is time.time


def test_a_manual_clock_moves_both_readings_and_only_when_told() -> None:
    clock = ManualClock(monotonic=5.0, epoch=100.0)
    assert (clock.monotonic(), clock.time()) == (5.0, 100.0)
    clock.advance(2.5)
    assert (clock.monotonic(), clock.time()) == (7.5, 102.5)
    assert clock.monotonic() == clock.monotonic()


def test_a_reading_bound_early_keeps_up() -> None:
    clock = ManualClock()
    now = clock.monotonic
    before = now()
    clock.advance(1)
    assert now() == before + 1


def test_a_manual_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        ManualClock().advance(-0.1)
