"""The time by which deliveries are scheduled: it does not jump when somebody sets the clock.

While a process runs it goes on by the clock that never jumps. What it schedules outlives it, and is read by others, who
may have begun after the clock was set: so nobody is ever behind what anybody has written down. Were one an hour behind,
what is due now would be an hour away for it, and leases would last an hour longer.
"""

from __future__ import annotations

from proxy.api import Clock


class Steady:
    """Seconds since the epoch as they were at the beginning, and from then on; never before what was heard of.

    :ivar wall: seconds since the epoch as they are told now.
    """

    def __init__(self, clock: Clock) -> None:
        self.wall = clock.time
        self._monotonic = clock.monotonic
        self._base = clock.time() - clock.monotonic()

    def __call__(self) -> float:
        return self._base + self._monotonic()

    def hear(self, moment: float) -> None:
        """Somebody else has come to this moment: go on from there, if that is later."""
        self._base = max(self._base, moment - self._monotonic())

    def shown(self, moment: float) -> float:
        """A moment of this time as people know it."""
        return moment - self() + self.wall()
