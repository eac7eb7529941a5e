"""Bodies: bytes in memory, and those that code makes. Those that a connection feeds are in `proxy.stream`.

To a plugin a body is pulled: asynchronous iteration is the back-pressure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable

from proxy.errors import BodyTooLarge, ClientLeft
from proxy.headers import Headers

CLOSED = "the body was closed before its end"

Filter = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]


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
                    raise ClientLeft(CLOSED)
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
