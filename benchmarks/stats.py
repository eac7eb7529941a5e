"""The few statistics that a table of ratios needs.

Medians, because one run disturbed by a neighbour must not move the figure; the whole spread beside them, because a
reader should see how much the runs disagreed.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the extremes around it, in the unit of what was summarised."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    """Summarise `values`; None when there are none."""
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values), len(values))


def ratio(over: Spread | None, under: Spread | None) -> float | None:
    """Return the ratio of two medians; None when either is missing or the lower one is zero."""
    if over is None or under is None or under.median == 0:
        return None
    return over.median / under.median
