"""Bodies that a connection feeds.

Where no plugin touches a body, the engine attaches a sink to the stream and the bytes are spliced: pushed on as they
arrive, the source paused when the sink is full. A plugin pulls.
Nothing is held beyond one high-water mark and one read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol

from proxy.body import CLOSED, Body
from proxy.errors import ClientLeft, GatewayError
from proxy.headers import Headers

HIGH_WATER = 65536  # bytes held for a consumer that is slower than its source


class Source(Protocol):
    """What feeds a stream: one side of a connection."""

    def pause(self) -> None:
        """Stop reading from the peer; may be called when paused already."""

    def resume(self) -> None:
        """Read on."""

    def wanted(self) -> None:
        """A reader here begins to pull: the moment for our own `100 Continue` (RFC 9110 section 10.1.1)."""

    def abandon(self) -> None:
        """Nobody wants the rest."""


class Sink(Protocol):
    """What takes a spliced body: the other connection. None of these raises."""

    def body_data(self, data: bytes) -> None:
        """Bytes of content, never empty."""

    def body_end(self, trailers: Headers | None) -> None:
        """The body is whole."""

    def body_failed(self, error: GatewayError) -> None:
        """The body will not become whole."""


class Stream(Body):
    """A body fed by a connection, spliced to a sink or pulled by a reader.

    The feeding side calls `feed`, `finish` and `fail`; exactly one of `attach` and iteration takes the bytes.
    """

    __slots__ = (
        "_callbacks",
        "_closed",
        "_done",
        "_full",
        "_held",
        "_parts",
        "_paused",
        "_sink",
        "_source",
        "_taken",
        "_waiter",
        "error",
    )

    def __init__(self, source: Source, size: int | None) -> None:
        self.data = None
        self.size = size
        self.trailers = None
        self._source = source
        self._sink: Sink | None = None
        self._parts: deque[bytes] = deque()
        self._held = 0
        self._paused = False
        self._full = False
        self._done = False
        self._taken = False
        self._closed = False
        self.error: GatewayError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._callbacks: list[Callable[[], None]] = []

    @property
    def spliceable(self) -> bool:
        """Whether no reader has begun to pull."""
        return not self._taken

    @property
    def ended(self) -> bool:
        """Whether the last byte, or a failure, has arrived."""
        return self._done

    # the feeding side

    def feed(self, data: bytes) -> None:
        """Bytes of content arrived."""
        sink = self._sink
        if sink is not None:
            sink.body_data(data)
        elif not self._closed:
            self._parts.append(data)
            self._held += len(data)
            if self._held >= HIGH_WATER and not self._paused:
                self._paused = True
                self._source.pause()
            self._wake()

    def finish(self, trailers: Headers | None = None) -> None:
        """The body is whole."""
        if self._done:
            return
        self.trailers = trailers
        self._done = True
        if self._sink is not None:
            self._sink.body_end(trailers)
        else:
            self._wake()
        self._ended()

    def fail(self, error: GatewayError) -> None:
        """The body will not become whole; what was fed already can still be read."""
        if self._done:
            return
        self._done = True
        self.error = error
        if self._sink is not None:
            self._sink.body_failed(error)
        else:
            self._wake()
        self._ended()

    # the taking side

    def attach(self, sink: Sink) -> None:
        """Push everything to `sink` from now on, beginning with what is held."""
        self._taken = True
        closed = self._closed
        while self._parts:  # which may fill the sink, end in a failure or a close: hence the order of what follows
            sink.body_data(self._parts.popleft())
        self._held = 0
        if self._closed != closed:
            return
        self._sink = sink
        if self.error is not None:
            sink.body_failed(self.error)
        elif self._done:
            sink.body_end(self.trailers)
        elif self._paused:
            self._paused = False
            if not self._full:
                self._source.resume()

    def pause(self) -> None:
        """The sink is full."""
        self._full = True
        if not self._done:
            self._source.pause()

    def resume(self) -> None:
        """The sink has room."""
        self._full = False
        if not self._done:
            self._source.resume()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        unread = bool(self._parts)
        self._parts.clear()
        self._held = 0
        self._sink = None
        if not self._done:
            self._source.abandon()
            self.fail(ClientLeft(CLOSED))
        elif unread and self.error is None:  # else whoever pulls on would take a part for the whole
            self.error = ClientLeft(CLOSED)

    def __aiter__(self) -> AsyncIterator[bytes]:
        if self._sink is not None:
            raise RuntimeError("this body is on its way to the other side already")
        return self._pull() if self.data is None else self._once()

    async def _pull(self) -> AsyncGenerator[bytes, None]:
        if not self._taken:
            self._taken = True
            self._source.wanted()
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._held -= len(part)
                if self._paused and self._held < HIGH_WATER // 2:
                    self._paused = False
                    self._source.resume()
                yield part
            if self.error is not None:
                raise self.error
            if self._done:
                return
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the last byte arrived, or none will; at once if that was so."""
        if self._done:
            callback()
        else:
            self._callbacks.append(callback)

    def _ended(self) -> None:
        if self._callbacks:
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
