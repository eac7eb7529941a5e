"""Events of something that goes out and comes back, without a flood when it flaps.

The first edge is told at once. After that one in ten seconds at most; what holds at the end of that time is told, so
that the last word is always true.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from proxy.clock import Clock
from proxy.events import Event, EventBus
from proxy.timers import Timer, Wheel

_HYSTERESIS = 10.0  # seconds

Make = Callable[[str], Event]


class Teller:
    """What edges need.

    :ivar events: where they are told.
    """

    __slots__ = ("events", "now", "wheel")

    def __init__(self, events: EventBus, clock: Clock, wheel: Wheel) -> None:
        self.events = events
        self.now = clock.monotonic
        self.wheel = wheel


class Edge(Timer):
    """One thing that is in or out.

    :ivar out: what holds now.
    :ivar reason: why, in words.
    """

    __slots__ = ("_make_in", "_make_out", "_teller", "_told", "_told_at", "out", "reason")

    def __init__(self, teller: Teller, make_out: Make, make_in: Make) -> None:
        super().__init__()
        self._teller = teller
        self._make_out = make_out
        self._make_in = make_in
        self._told = False
        self._told_at = -inf
        self.out = False
        self.reason = ""

    def set(self, out: bool, reason: str) -> None:
        """It is out, or in, from now on; saying so again changes nothing."""
        if out == self.out:
            return
        self.out = out
        self.reason = reason
        due = self._told_at + _HYSTERESIS - self._teller.now()
        if due <= 0:
            self.expired()
        else:
            self._teller.wheel.arm(self, due)

    def expired(self) -> None:
        """It may be told now, if it is anything new."""
        if self.out == self._told:
            return
        self._told = self.out
        self._told_at = self._teller.now()
        self._teller.events.publish((self._make_out if self.out else self._make_in)(self.reason))

    def forget(self) -> None:
        """Nothing more will be told of it."""
        self._teller.wheel.forget(self)
