"""Medians, spreads and ratios."""

from __future__ import annotations

from benchmarks.stats import Spread, ratio, spread


def test_one_disturbed_run_does_not_move_the_median() -> None:
    assert spread([10.0, 1.0, 11.0]) == Spread(10.0, 1.0, 11.0, 3)


def test_an_even_count_takes_the_middle() -> None:
    assert spread([1.0, 2.0, 4.0, 8.0]) == Spread(3.0, 1.0, 8.0, 4)


def test_nothing_has_no_spread() -> None:
    assert spread([]) is None


def test_ratio_is_of_medians() -> None:
    assert ratio(spread([3.0, 6.0, 900.0]), spread([4.0])) == 1.5


def test_ratio_needs_both_and_no_zero() -> None:
    some = spread([1.0])
    assert [ratio(None, some), ratio(some, None), ratio(some, spread([0.0]))] == [None, None, None]
