"""Log lines that strangers can cause: the first of a kind at once, further ones at most once a minute, counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from math import inf

_EVERY = 60.0  # seconds


class Seldom:
    """One place in the program that logs, however often it is come by.

    :param now: a monotonic clock, seconds.
    """

    __slots__ = ("_last", "_log", "_now", "_silent")

    def __init__(self, log: logging.Logger, now: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._now = now
        self._last = -inf
        self._silent = 0

    def tell(self, message: str, *values: object, level: int = logging.WARNING) -> None:
        """Log it, unless something was logged here within the last minute."""
        now = self._now()
        if now - self._last < _EVERY:
            self._silent += 1
            return
        more = f" (and {self._silent} times since it was last told)" if self._silent else ""
        self._last, self._silent = now, 0
        self._log.log(level, message + more, *values)
