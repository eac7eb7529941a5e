"""Log lines that strangers can cause: the first of a kind at once, further ones at most once a minute, counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from math import inf

_EVERY = 60.0  # seconds
_KINDS = 64  # of others' lines that are told apart


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
        more = _more(self._silent)
        self._last, self._silent = now, 0
        self._log.log(level, message + more, *values)


class Damped(logging.Filter):
    """For a logger of others, whose lines strangers can cause: each kind once a minute, counted.

    Event loops log a line for every write to a connection that is lost, and a trace for every protocol that raises.

    :param now: a monotonic clock, seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._told: dict[tuple[object, ...], tuple[float, int]] = {}  # when it was told last, and what was not since

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to tell it; what is below a warning was asked for."""
        if record.levelno < logging.WARNING:
            return True
        kind = (record.levelno, str(record.msg).partition("\n")[0], record.exc_info and record.exc_info[0])
        now = self._now()
        last, silent = self._told.get(kind, (-inf, 0))
        if now - last < _EVERY:
            self._told[kind] = (last, silent + 1)
            return False
        if len(self._told) >= _KINDS:
            self._told.clear()
        self._told[kind] = (now, 0)
        if silent:
            record.msg, record.args = record.getMessage() + _more(silent), ()
        return True


def _more(silent: int) -> str:
    return f" (and {silent} times since it was last told)" if silent else ""
