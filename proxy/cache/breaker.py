"""Stops asking a store that does not answer, so that its outage costs nobody more than a miss.

Every question to a store that hangs costs its whole timeout. After a few in a row nothing is asked any more for a
while, then one question goes through; what becomes of it decides.
"""

from __future__ import annotations

import random

from proxy.clock import Clock

_FAILURES = 3  # in a row
_FIRST = 0.5  # seconds that it is open first
_LONGEST = 8.0
_JITTER = 0.1  # share by which it may stay open longer, so that gateways do not all ask at once


class Breaker:
    """One store's.

    :ivar opened: how often it has opened.
    """

    def __init__(self, clock: Clock, randomness: random.Random | None = None) -> None:
        self.opened = 0
        self._now = clock.monotonic
        self._random = (randomness or random.Random()).random
        self._failures = 0
        self._open_for = 0.0  # seconds; 0 while it is closed
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Whether the store is held for unreachable."""
        return self._open_for > 0

    def allows(self) -> bool:
        """Whether to ask now: always while it is closed, once in a while when it is open."""
        if not self._open_for:
            return True
        now = self._now()
        if now < self._until:
            return False
        self._until = now + self._open_for
        return True

    def succeeded(self) -> None:
        """There was an answer."""
        self._failures = 0
        self._open_for = 0.0

    def failed(self) -> None:
        """There was none."""
        self._failures += 1
        if self._failures >= _FAILURES:
            self.trip()

    def trip(self) -> None:
        """Ask nothing more for a while, each time for longer."""
        self.opened += not self._open_for
        self._failures = _FAILURES
        self._open_for = min(_LONGEST, 2 * self._open_for or _FIRST)
        self._until = self._now() + self._open_for * (1 + _JITTER * self._random())
