"""Bodies: bytes in memory, streams that something feeds, and streams that something else makes.

To a plugin a body is pulled: asynchronous iteration is the back-pressure. Where no plugin touches a body, the engine
attaches a sink to the stream and the bytes are spliced: pushed on as they arrive, the source paused when the sink is
full. Nothing is held beyond one high-water mark and one read.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from typing import Protocol

from proxy.errors import BodyTooLarge, ClientLeft, GatewayError
from proxy.headers import Headers

_CLOSED = "the body was closed before its end"
HIGH_WATER = 65536  # bytes held for a consumer that is slower than its source

Filter = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]


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


class Body:
    """A body in memory, and the base of those that flow.

    :ivar data: all bytes when they are in memory already, else None.
    :ivar size: length in bytes when it is known, else None.
    :ivar trailers: trailer fields (RFC 9110 section 6.5), complete only once the body has been read to its end.
    """

    __slots__ = ("data", "size", "trailers")

    def __init__(self, data: bytes = b"") -> None:
        self.data: bytes | None = data
        self.size: int | None = len(data)
        self.trailers: Headers | None = None

    @staticmethod
    def of(chunks: AsyncIterable[bytes], size: int | None = None) -> Body:
        """A body made of an asynchronous iterable of bytes, read once.

        :param size: its length in bytes when that is known; what is made must then agree with it.
        """
        return Generated(chunks, size)

    def through(self, change: Filter) -> Body:
        """This body changed by `change`, which takes an iterator of bytes and gives one: the only way to change bytes.

        The new length is unknown; trailers pass. Nothing runs before the new body is read.
        """
        return Filtered(self, change)

    async def read(self, limit: int) -> bytes:
        """The whole body as bytes; from then on it is in memory, and still goes where it was going.

        :param limit: the most bytes to hold.
        :raises BodyTooLarge: when there is more.
        """
        if self.size is not None and self.size > limit:
            raise BodyTooLarge(f"the body has {self.size} bytes, over the limit of {limit}")
        if self.data is not None:
            return self.data
        parts, held = [], 0
        async for part in self:
            held += len(part)
            if held > limit:
                raise BodyTooLarge(f"the body is over the limit of {limit} bytes")
            parts.append(part)
        self.data = data = b"".join(parts)
        self.size = held
        return data

    def close(self) -> None:
        """Let go of it unread: what feeds it is stopped. Safe to call twice."""

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the body has been taken to its end, failed or was closed; at once if it has."""
        callback()

    def rests_on(self, other: Body) -> bool:
        """Whether this body is `other`, or made of it by `through`."""
        return self is other

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._once()

    async def _once(self) -> AsyncGenerator[bytes, None]:
        if self.data:
            yield self.data


EMPTY = Body()


class _Pulled(Body, ABC):
    """What bodies made by code have in common: they run only while somebody pulls, and once closed give no more."""

    __slots__ = ("_callbacks", "_over")

    def __init__(self, size: int | None) -> None:
        self.data = None
        self.size = size
        self.trailers = None
        self._callbacks: list[Callable[[], None]] = []
        self._over = False

    def on_end(self, callback: Callable[[], None]) -> None:
        if self._over:
            callback()
        else:
            self._callbacks.append(callback)

    def close(self) -> None:
        self._ended()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._run() if self.data is None else self._once()

    async def _run(self) -> AsyncGenerator[bytes, None]:
        opened: list[AsyncIterator[bytes]] = []
        try:
            self._open(opened)
            async for part in opened[-1]:
                if self._over:
                    raise ClientLeft(_CLOSED)
                if part:
                    yield part
            self._whole()
        finally:
            for iterator in reversed(opened):
                await _finish(iterator)
            self.close()

    @abstractmethod
    def _open(self, opened: list[AsyncIterator[bytes]]) -> None:
        """Begin: every iterator that takes part, the last one giving the bytes."""

    def _whole(self) -> None:
        """The last byte was made."""

    def _ended(self) -> None:
        self._over = True
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class Generated(_Pulled):
    """A body that an asynchronous iterable makes."""

    __slots__ = ("_chunks",)

    def __init__(self, chunks: AsyncIterable[bytes], size: int | None) -> None:
        super().__init__(size)
        self._chunks = chunks

    def _open(self, opened: list[AsyncIterator[bytes]]) -> None:
        opened.append(aiter(self._chunks))


class Filtered(_Pulled):
    """A body pulled through a filter."""

    __slots__ = ("_change", "inner")

    def __init__(self, inner: Body, change: Filter) -> None:
        super().__init__(None)
        self.inner = inner
        self._change = change

    def _open(self, opened: list[AsyncIterator[bytes]]) -> None:
        opened.append(aiter(self.inner))
        opened.append(self._change(opened[-1]))

    def _whole(self) -> None:
        self.trailers = self.inner.trailers

    def rests_on(self, other: Body) -> bool:
        return self is other or self.inner.rests_on(other)

    def close(self) -> None:
        self.inner.close()
        self._ended()


async def _finish(iterator: AsyncIterator[bytes]) -> None:
    """Run an asynchronous generator's clean-up now, not when the collector finds it."""
    if isinstance(iterator, AsyncGenerator):
        await iterator.aclose()


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
            self.fail(ClientLeft(_CLOSED))
        elif unread and self.error is None:  # else whoever pulls on would take a part for the whole
            self.error = ClientLeft(_CLOSED)

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
