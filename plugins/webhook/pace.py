"""How fast an endpoint is told: a bucket of tokens, which fills slowly at first when it has just come back."""

from __future__ import annotations

_FIRST = 5.0  # a second, after a recovery
_DOUBLES = 10.0  # seconds until it is twice as much


class Pace:
    """Tokens for requests.

    :param per_second: how many come in a second; the bucket holds as many, and at least one.
    """

    def __init__(self, per_second: float, now: float) -> None:
        self._most = per_second
        self._tokens = max(1.0, per_second)
        self._at = now
        self._recovered: float | None = None

    def slow(self, now: float) -> None:
        """The endpoint has come back: begin gently."""
        self._recovered = now
        self._fill(now)
        self._tokens = min(self._tokens, 1.0)

    def rate(self, now: float) -> float:
        """Tokens in a second, now."""
        if self._recovered is None:
            return self._most
        rate = _FIRST * 2.0 ** min(60, (now - self._recovered) // _DOUBLES)
        if rate >= self._most:
            self._recovered = None
        return float(min(rate, self._most))

    def free(self, now: float) -> int:
        """How many requests may begin."""
        self._fill(now)
        return int(self._tokens)

    def take(self, count: int = 1) -> None:
        """So many requests begin."""
        self._tokens -= count

    def wait(self, now: float) -> float:
        """Seconds until one may begin."""
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate(now))

    def _fill(self, now: float) -> None:
        rate = self.rate(now)
        self._tokens = min(max(1.0, rate), self._tokens + max(0.0, now - self._at) * rate)
        self._at = now
