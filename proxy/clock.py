"""Time as a thing that is handed in, so that deadlines, events and tests agree on what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """The real time.

    The two readings are the C functions themselves: hot paths bind them once and pay no Python call.

    :ivar monotonic: seconds from an arbitrary start; never goes back.
    :ivar time: seconds since the epoch.
    """

    __slots__ = ("monotonic", "time")

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, epoch: Callable[[], float] = time.time) -> None:
        self.monotonic = monotonic
        self.time = epoch


class ManualClock(Clock):
    """A clock that moves only when told to.

    :param monotonic: first reading of the monotonic clock, in seconds.
    :param epoch: first reading of the wall clock, in seconds since the epoch.
    """

    __slots__ = ("_elapsed",)

    def __init__(self, monotonic: float = 1000.0, epoch: float = 1_700_000_000.0) -> None:
        self._elapsed = 0.0
        super().__init__(lambda: monotonic + self._elapsed, lambda: epoch + self._elapsed)

    def advance(self, seconds: float) -> None:
        """Let time pass. :raises ValueError: for a negative number: a monotonic clock does not go back."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds}")
        self._elapsed += seconds
