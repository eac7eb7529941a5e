"""One wheel for all deadlines of the process.

A proxy sets several deadlines for each request and nearly always takes them back. A loop timer for each would cost a
heap operation both ways; here setting one is a division and usually one assignment, because a timer that already
waits somewhere earlier only has its deadline changed: it is moved when its slot comes round.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from math import inf

from proxy.clock import Clock

_NOWHERE = inf  # later than any slot, so that one comparison finds what must be placed

_log = logging.getLogger("passerelle.timers")


class Timer(ABC):
    """Something with a deadline. A subclass says what happens when it passes.

    :ivar deadline: monotonic time in seconds, `inf` while there is none; changed only by the wheel.
    :ivar slot: where it waits; the wheel's own.
    """

    __slots__ = ("deadline", "slot")

    def __init__(self) -> None:
        self.deadline = inf
        self.slot: float = _NOWHERE

    @abstractmethod
    def expired(self) -> None:
        """The deadline has passed: called once for each arming, from `Wheel.advance`."""


def log_failure(timer: Timer, error: Exception) -> None:
    """What is done about a timer that raises, unless something else was asked for."""
    _log.error("a timer failed: %r", timer, exc_info=error)


class Wheel:
    """The deadlines.

    :param resolution: seconds covered by one slot, and between two calls of `advance`. No timer expires early; one
        expires in the first `advance` at or after its deadline.
    :param on_error: told about a timer that raised; must not raise itself.
    :ivar now: the clock's monotonic reading.
    """

    __slots__ = ("_on_error", "_per_second", "_slots", "_tick", "now", "resolution")

    def __init__(
        self,
        clock: Clock,
        resolution: float = 0.1,
        *,
        on_error: Callable[[Timer, Exception], None] = log_failure,
    ) -> None:
        self.resolution = resolution
        self.now = clock.monotonic
        self._on_error = on_error
        self._per_second = 1 / resolution
        self._slots: dict[float, dict[Timer, None]] = {}  # dicts, for the order in which timers came
        self._tick = int(self.now() * self._per_second)

    def arm(self, timer: Timer, seconds: float) -> None:
        """Set the deadline, or move it, to so many (finite) seconds from now."""
        now = self.now  # a call by way of the attribute would be looked up as a method first
        timer.deadline = deadline = now() + seconds
        slot = deadline * self._per_second
        if slot < timer.slot:
            self._place(timer, int(slot))

    def disarm(self, timer: Timer) -> None:
        """Take the deadline back. The wheel holds the timer until its slot comes: `forget` what is done with."""
        timer.deadline = inf

    def forget(self, timer: Timer) -> None:
        """Take the deadline back and let go of the timer at once. It may be armed again."""
        timer.deadline = inf
        if timer.slot != _NOWHERE:
            self._take(timer)

    def advance(self) -> None:
        """Call what is due, in the order of the deadlines.

        A timer armed from within is looked at in the next call at the earliest, so that this one ends.
        """
        now = self.now()
        due = self._collect(now)
        due.sort(key=_deadline)
        for timer in due:
            if timer.deadline > now:
                continue  # one that ran before took the deadline back or moved it
            timer.deadline = inf
            try:
                timer.expired()
            except Exception as error:
                self._on_error(timer, error)

    def _collect(self, now: float) -> list[Timer]:
        """Empty the slots up to `now`; what is not due yet goes where it belongs."""
        due: list[Timer] = []
        for slot in self._passed(int(now * self._per_second)):
            for timer in self._slots.pop(slot, ()):
                timer.slot = _NOWHERE
                if timer.deadline <= now:
                    due.append(timer)
                elif timer.deadline != inf:
                    self._place(timer, int(timer.deadline * self._per_second))
        return due

    def _passed(self, tick: int) -> Iterable[float]:
        """The slots that have come up since the last call; the newest is not over and will come up again."""
        first, self._tick = self._tick, tick
        if tick - first < len(self._slots):
            return range(first, tick + 1)
        return [slot for slot in self._slots if slot <= tick]

    def _place(self, timer: Timer, slot: int) -> None:
        if timer.slot != _NOWHERE:
            self._take(timer)
        slot = max(slot, self._tick)
        timer.slot = float(slot)  # compared with a deadline: two numbers of one kind are compared faster
        waiting = self._slots.get(slot)
        if waiting is None:
            self._slots[slot] = {timer: None}
        else:
            waiting[timer] = None

    def _take(self, timer: Timer) -> None:
        waiting = self._slots[timer.slot]
        del waiting[timer]
        if not waiting:
            del self._slots[timer.slot]
        timer.slot = _NOWHERE

    def __len__(self) -> int:
        """How many timers the wheel holds, taken-back ones in slots still to come included."""
        return sum(map(len, self._slots.values()))


def _deadline(timer: Timer) -> float:
    return timer.deadline
