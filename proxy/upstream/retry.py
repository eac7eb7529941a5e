"""How much may be tried again: a share of what was asked, so that an outage is never multiplied."""

from __future__ import annotations

from proxy.clock import Clock

_SPAN = 10  # seconds


class Budget:
    """Counts requests and retries over the last ten seconds, in buckets of one.

    :param share: retries allowed for each request, 0.2 being 20 %.
    :param floor: retries a second that are always allowed, so that a quiet upstream has any at all.
    """

    __slots__ = ("_now", "_requests", "_retries", "_second", "floor", "share")

    def __init__(self, clock: Clock, share: float, floor: int = 10) -> None:
        self._now = clock.monotonic
        self.share = share
        self.floor = floor
        self._requests = [0] * _SPAN
        self._retries = [0] * _SPAN
        self._second = int(self._now())

    def request(self, now: float) -> None:
        """Count a request that came at this clock reading, which may lie behind another's."""
        second = int(now)
        if second > self._second:
            self._turn(second)
        self._requests[second % _SPAN] += 1

    def retry(self) -> bool:
        """Take one retry; False when there is none left."""
        second = int(self._now())
        if second > self._second:
            self._turn(second)
        allowed = max(self.floor * _SPAN, int(self.share * sum(self._requests)))
        if sum(self._retries) >= allowed:
            return False
        self._retries[second % _SPAN] += 1
        return True

    def _turn(self, second: int) -> None:
        """Empty the buckets of the seconds that passed without a count."""
        for passed in range(max(self._second + 1, second - _SPAN + 1), second + 1):
            self._requests[passed % _SPAN] = self._retries[passed % _SPAN] = 0
        self._second = second
