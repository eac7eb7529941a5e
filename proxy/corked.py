"""Heads that came in one turn of the loop are worked on together, and small writes leave together behind them.

One turn of the loop often reads a dozen connections. Working and writing after each of them sends the kernel, and the
peers that it wakes, over the interpreter's warm caches every time; a dozen writes in a row cost about a third less for
each exchange, and work that no system call comes between about a tenth less again. Answers to pipelined requests leave
in one segment. While a single exchange is under way there is nothing to gather: what comes is worked on, and what it
writes leaves, at once, and a client that is alone waits about a tenth less.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

log = logging.getLogger("passerelle.http")

_MOST = 16384  # bytes held for one connection; what is larger leaves at once
_PATIENT = 262144  # bytes held for one that is not hasty


class Taker(Protocol):
    """A connection that keeps what came until it may work on it."""

    def take(self) -> None:
        """Work on what came, if that has not been done meanwhile."""

    def abort(self) -> None:
        """End at once: working on it failed."""


class Flusher:
    """Knows which connections hold something, to be worked on or to be written.

    :param call_soon: the loop's own.
    :ivar crowd: whether the last turn had more than one to serve.
    :ivar single: tells that no second exchange is under way.
    """

    __slots__ = ("_answers", "_call_soon", "_due", "_early", "_requests", "_waiting", "crowd", "single")

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._answers: list[Taker] = []
        self._requests: list[Taker] = []
        self._waiting: list[Corked] = []
        self._due = False  # whether the end of this turn is waited for
        self._early = 0  # how much has left in this turn already: one, or nothing
        self.crowd = False
        self.single: Callable[[], bool] = _never

    def add(self, transport: Corked) -> None:
        """A transport holds something: for now while there is nothing to gather, else for the end of this turn.

        The first of a crowd is single too, and so is each of many that are answered at once; were all of them hasty,
        they would leave one by one for ever.
        """
        if not self._due:
            self._due = True
            call_soon, single = self._call_soon, self.single  # calls by way of an attribute are slower
            call_soon(self.flush)
            if not self.crowd and transport.hasty and single():
                self._early = 1
                transport.flush()
                return
        self._waiting.append(transport)

    def later(self, taker: Taker, *, answer: bool = False) -> bool:
        """Whether `taker` is told at the end of this turn to take what came; False: it had better do so now.

        Answers go first: they free connections for the requests behind them.
        """
        if not self.crowd:
            return False
        (self._answers if answer else self._requests).append(taker)
        if not self._due:
            self._due = True
            self._call_soon(self.flush)
        return True

    def flush(self) -> None:
        """The turn is over: work on all that came, write all that is held. One that fails does not keep the others."""
        taken = self._take()
        waiting, self._waiting = self._waiting, []
        self.crowd = taken > 1 or len(waiting) + self._early > 1
        self._due, self._early = False, 0
        for transport in waiting:
            try:
                transport.flush()
            except Exception as error:
                log.error("a write failed", exc_info=error)
                transport.abort()

    def _take(self) -> int:
        """Have all taken that waits for it; returns how many did."""
        taken = 0
        while self._answers or self._requests:
            takers = (*self._answers, *self._requests)
            self._answers, self._requests = [], []
            taken += len(takers)
            for taker in takers:
                try:
                    taker.take()
                except KeyboardInterrupt:
                    raise
                except BaseException as error:  # whatever a plugin raises: what came after it must not stay for ever
                    log.error("working on what a connection sent failed", exc_info=error)
                    taker.abort()
        return taken


def _never() -> bool:
    return False


class Corked(asyncio.Transport):
    """A transport that gathers small writes; in all else it is the one inside.

    :ivar hasty: whether what is written alone, or is much, may leave at once. Where it may not, what was read in the
        same turn was there before anything left.
    :ivar left: how often something of what was written has left.
    """

    __slots__ = ("_flusher", "_held", "_inner", "_most", "hasty", "is_closing", "left")

    is_closing: Callable[[], bool]

    def __init__(self, inner: asyncio.Transport, flusher: Flusher, *, hasty: bool = True) -> None:
        super().__init__()
        self._inner = inner
        self._flusher = flusher
        self._held = b""
        self.is_closing = inner.is_closing  # the inner one's own: it is asked more often than anything else
        self.hasty = hasty
        self._most = _MOST if hasty else _PATIENT
        self.left = 0

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Hold a few bytes until the turn ends; write many now, behind what is held."""
        if self._held:
            self._held += data
            if len(self._held) > self._most:
                self.flush()
        elif len(data) > self._most:
            self._pass(data)
        else:
            self._held = bytes(data)
            self._flusher.add(self)

    def flush(self) -> None:
        """Write what is held."""
        held, self._held = self._held, b""
        closing = self.is_closing  # a call by way of the attribute would be looked up as a method first
        if held and not closing():  # as `_pass`, for what is written most
            self.left += 1
            self._inner.write(held)

    def _pass(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Write, unless the connection has ended: its end is told a turn later, and loops log writes till then."""
        if not self.is_closing():
            self.left += 1
            self._inner.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        """Write now, behind what is held."""
        if not self.hasty:
            self.write(b"".join(list_of_data))
            return
        self.flush()
        if not self.is_closing():
            self.left += 1
            self._inner.writelines(list_of_data)

    def write_eof(self) -> None:
        """End our side behind what is held."""
        self.flush()
        self._inner.write_eof()

    def close(self) -> None:
        """End behind what is held. Once: asyncio's TLS transport cannot be aborted after a second `close`."""
        self.flush()
        if not self.is_closing():
            self._inner.close()

    def abort(self) -> None:
        """End now; what is held is lost."""
        self._held = b""
        self._inner.abort()

    def get_write_buffer_size(self) -> int:
        """Bytes not yet given to the system."""
        return len(self._held) + self._inner.get_write_buffer_size()

    def can_write_eof(self) -> bool:
        """:see: `asyncio.WriteTransport`."""
        return self._inner.can_write_eof()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """:see: `asyncio.BaseTransport`."""
        return self._inner.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """:see: `asyncio.WriteTransport`."""
        self._inner.set_write_buffer_limits(high, low)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """:see: `asyncio.BaseTransport`."""
        self._inner.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """:see: `asyncio.BaseTransport`."""
        return self._inner.get_protocol()

    def is_reading(self) -> bool:
        """:see: `asyncio.ReadTransport`."""
        return self._inner.is_reading()

    def pause_reading(self) -> None:
        """:see: `asyncio.ReadTransport`."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """:see: `asyncio.ReadTransport`."""
        self._inner.resume_reading()
