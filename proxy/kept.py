"""An upload that can be sent again: a stream that remembers what it has passed on, up to a limit.

The bytes are spliced as they come; what was passed on is kept beside, so that a try that failed can be repeated from
the first byte while the rest of the upload still arrives. Beyond the limit nothing is kept, and the upload flows on.
"""

from __future__ import annotations

from collections import deque

from proxy.errors import GatewayError
from proxy.headers import Headers
from proxy.stream import Source, Stream


class Allowance:
    """What several bodies may keep together.

    :ivar used: bytes kept now.
    :ivar most: bytes at most.
    """

    __slots__ = ("most", "used")

    def __init__(self, most: int) -> None:
        self.used = 0
        self.most = most


class _Behind:
    """The client's stream as a source: what the sink wants of the kept stream, it is told."""

    __slots__ = ("_source", "_stream")

    def __init__(self, stream: Stream, source: Source) -> None:
        self._stream = stream
        self._source = source

    def pause(self) -> None:
        self._stream.pause()

    def resume(self) -> None:
        self._stream.resume()

    def wanted(self) -> None:
        self._source.wanted()

    def abandon(self) -> None:
        self._stream.close()


class Kept(Stream):
    """Takes a client's stream and passes it on, as often as is needed.

    :param inner: nobody has taken it yet.
    :param limit: bytes to keep; whoever sends more cannot begin again.
    """

    __slots__ = ("_kept", "_limit", "_room", "_size")

    def __init__(self, inner: Stream, limit: int, room: Allowance) -> None:
        super().__init__(_Behind(inner, inner._source), inner.size)
        self._kept: list[bytes] | None = []
        self._size = 0
        self._limit = limit
        self._room = room
        inner.attach(self)

    @property
    def whole(self) -> bool:
        """Whether everything that was passed on so far is still here."""
        return self._kept is not None

    def rewind(self) -> bool:
        """Begin again, for another sink; False when that cannot be done any more."""
        if self._kept is None:
            return False
        self._sink = None
        self._taken = False
        self._parts = deque(self._kept)
        self._held = self._size
        self._paused = self._paused or self._full  # the sink that was full is gone; the next one resumes the source
        self._full = False
        return True

    def forget(self) -> None:
        """Nobody will begin again."""
        if self._kept is not None:
            self._kept = None
            self._room.used -= self._size

    def settle(self) -> None:
        """There will be no further try: what was taken back is closed, what flows goes on and is not kept."""
        self.forget()
        if self._sink is None and not self._taken:
            self.close()

    def close(self) -> None:
        """:see: `proxy.body.Body.close`."""
        self.forget()
        super().close()

    # the sink of the client's stream

    def body_data(self, data: bytes) -> None:
        """:see: `proxy.stream.Sink`."""
        if self._kept is not None:
            self._keep(data)
        self.feed(data)

    def _keep(self, data: bytes) -> None:
        size = len(data)
        if self._kept is None or self._size + size > self._limit or self._room.used + size > self._room.most:
            self.forget()
            return
        self._kept.append(data)
        self._size += size
        self._room.used += size

    def body_end(self, trailers: Headers | None) -> None:
        """:see: `proxy.stream.Sink`."""
        self.finish(trailers)

    def body_failed(self, error: GatewayError) -> None:
        """:see: `proxy.stream.Sink`."""
        self.forget()
        self.fail(error)
