"""One body that several take at once, as it arrives, each at its own pace.

What flows is held whole up to a limit, since it is to be kept anyway; whoever joins later begins with the first byte.
Beyond the limit nothing is kept: what every reader has is let go, and the slowest of them is the pace of the source.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from proxy.body import Body
from proxy.errors import ClientLeft, GatewayError
from proxy.flow import Room, Spawn, send
from proxy.headers import Headers
from proxy.kept import Allowance
from proxy.stream import HIGH_WATER, Stream


class _Reader:
    """One taker's place in the body: the source of its stream."""

    __slots__ = ("_busy", "_paused", "_shared", "at", "offset", "stream")

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._paused = self._busy = False
        self.at = 0  # number of the next part
        self.offset = 0  # bytes taken
        self.stream = Stream(self, shared.size)

    def push(self) -> None:
        """Give what is there, as long as there is room for it."""
        if self._busy:
            return
        self._busy = True
        shared = self._shared
        while not self._paused and (part := shared.part(self.at)) is not None:
            self.at += 1
            self.offset += len(part)
            self.stream.feed(part)
        self._busy = False
        if not self._paused:
            shared.reached(self)

    def pause(self) -> None:
        """:see: `proxy.body.Source`."""
        self._paused = True

    def resume(self) -> None:
        """:see: `proxy.body.Source`."""
        if self._paused:
            self._paused = False
            self.push()
            self._shared.moved()

    def wanted(self) -> None:
        """:see: `proxy.body.Source`."""

    def abandon(self) -> None:
        """:see: `proxy.body.Source`."""
        self._shared.dropped(self)


class Shared(Room):
    """Takes a body, and gives it to as many as want it.

    :param body: nobody has taken it yet.
    :param limit: bytes to hold; a longer body only passes through.
    :param budget: shared with other bodies; what finds no room in it only passes through too.
    :param done: called once, with the whole body; or with None when it is not kept.
    :ivar keeps: whether all that came so far is still here, so that others may join.
    :ivar ended: whether its last byte, or a failure, has arrived.
    """

    __slots__ = (
        "_base",
        "_budget",
        "_done",
        "_error",
        "_held",
        "_limit",
        "_parts",
        "_pump",
        "_readers",
        "_source",
        "_spawn",
        "_trailers",
        "ended",
        "keeps",
        "size",
    )

    def __init__(
        self, body: Body, limit: int, budget: Allowance, spawn: Spawn, done: Callable[[bytes | None], None]
    ) -> None:
        super().__init__()
        self._source = body
        self._limit = limit
        self._budget = budget
        self._done: Callable[[bytes | None], None] | None = done
        self._parts: deque[bytes] = deque()
        self._base = 0  # number of the first part that is here
        self._held = 0  # bytes that came, while they are kept
        self._readers: list[_Reader] = []
        self._error: GatewayError | None = None
        self._trailers: Headers | None = None
        self._spawn = spawn
        self._pump: asyncio.Task[None] | None = None
        self.size = body.size
        self.keeps = True
        self.ended = False

    def start(self) -> None:
        """Take the body; to be called once, when the first reader is there."""
        self._pump = send(self._source, self, self._spawn)

    def reader(self) -> Stream:
        """The body for one more taker, from its first byte on.

        :raises ValueError: when that is gone already.
        """
        if not self.keeps:
            raise ValueError("the beginning of this body is not here any more")
        reader = _Reader(self)
        self._readers.append(reader)
        reader.push()
        return reader.stream

    def abandon(self) -> None:
        """Nobody wants the rest."""
        if self.ended:
            return
        if self._pump is not None:
            self._pump.cancel()
        self._source.close()
        self.body_failed(ClientLeft("nobody wants the rest of this body"))

    # for readers

    def part(self, at: int) -> bytes | None:
        """The part of that number, or None when it has not come."""
        at -= self._base
        return self._parts[at] if at < len(self._parts) else None

    def reached(self, reader: _Reader) -> None:
        """A reader has all that came so far."""
        if not self.ended or self.part(reader.at) is not None:
            return
        if reader in self._readers:
            self._readers.remove(reader)
        if self._error is None:
            reader.stream.finish(self._trailers)
        else:
            reader.stream.fail(self._error)

    def dropped(self, reader: _Reader) -> None:
        """A taker has gone."""
        if reader in self._readers:
            self._readers.remove(reader)
        if not self.keeps and not self.ended and not self._readers:
            self.abandon()
        else:
            self.moved()

    def moved(self) -> None:
        """A reader is further, or gone: let go of what all of them have, and go on if there is room again."""
        if self.keeps:
            return
        first = min((reader.at for reader in self._readers), default=self._base + len(self._parts))
        while self._parts and self._base < first:
            self._parts.popleft()
            self._base += 1
        if self.full and self._lag() < HIGH_WATER // 2:
            self.make_room()
            if isinstance(self._source, Stream):
                self._source.resume()

    def _lag(self) -> int:
        return sum(map(len, self._parts))

    # the sink

    def body_data(self, data: bytes) -> None:
        """:see: `proxy.body.Sink`."""
        self._parts.append(data)
        if self.keeps:
            self._held += len(data)
            self._budget.used += len(data)
            if self._held > self._limit or self._budget.used > self._budget.most:
                self._give_up()
        for reader in tuple(self._readers):
            reader.push()
        if not self.keeps:
            self._brake()

    def body_end(self, trailers: Headers | None) -> None:
        """:see: `proxy.body.Sink`."""
        self._trailers = trailers
        self._end(b"".join(self._parts) if self.keeps and not trailers else None)

    def body_failed(self, error: GatewayError) -> None:
        """:see: `proxy.body.Sink`."""
        self._error = error
        self._end(None)

    def _end(self, whole: bytes | None) -> None:
        if self.ended:
            return
        self.ended = True
        self._tell(whole)
        for reader in tuple(self._readers):
            reader.push()

    def _give_up(self) -> None:
        """It is too much to be kept."""
        self.keeps = False
        self._tell(None)

    def _tell(self, whole: bytes | None) -> None:
        self._budget.used -= self._held
        self._held = 0
        done, self._done = self._done, None
        if done is not None:
            done(whole)

    def _brake(self) -> None:
        """Let the slowest reader be the pace."""
        self.moved()
        if not self._readers:
            self.abandon()
        elif not self.full and self._lag() >= HIGH_WATER:
            self.full = True
            if isinstance(self._source, Stream):
                self._source.pause()
