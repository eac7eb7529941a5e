"""A request's body, from the client's connection to whoever takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.body import Body
from proxy.errors import BadRequest, ClientError, ClientLeft
from proxy.exchange import Exchange
from proxy.framing import FramingError, Reader
from proxy.stream import Stream

if TYPE_CHECKING:
    from proxy.frontend.http1 import Connection

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"  # without trailers
_DRAIN = 262144  # bytes of an upload that are read and thrown away after an early answer, to keep the connection


def _guess(reader: Reader, data: bytes, at: int) -> int:
    """Where a body that begins at `at` will have ended, or the end of what is here."""
    if reader.size is not None:
        return at + reader.size
    found = data.find(_LAST_CHUNK, at)
    return len(data) if found < 0 else found + len(_LAST_CHUNK)


def _taken(reader: Reader, data: bytes, at: int) -> tuple[bytes, int]:
    """The content of a body that begins at `at`, as far as it is there, and where what was read of it ends.

    The reader is given what belongs to the body, or can be taken for its end, so that the many requests that may stand
    behind it are not copied with it.

    :raises FramingError: as the reader does.
    """
    parts = []
    while at < len(data) and not reader.done:  # again where what looked like the end stood inside of a chunk
        end = _guess(reader, data, at)
        parts.append(reader.feed(data[at:end]))
        at = min(end, len(data)) - len(reader.rest)
    reader.rest = b""
    return parts[0] if len(parts) == 1 else b"".join(parts), at


class Upload:
    """The source of one connection's request bodies, one after the other.

    :ivar reader: the framing of the body under way, or None between bodies.
    :ivar stream: where its content goes; None while what is left of it is thrown away.
    :ivar expects: whether the client waits for 100 Continue.
    """

    __slots__ = ("_connection", "_discard", "_exchange", "expects", "reader", "stream")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._exchange: Exchange | None = None
        self._discard = 0
        self.reader: Reader | None = None
        self.stream: Stream | None = None
        self.expects = False

    def open(self, exchange: Exchange, reader: Reader, data: bytes, at: int, expects: bool) -> int:
        """Begin a body: bytes in memory when all of it is here already, else a stream.

        :param data: what came from the client, the head ending at `at`.
        :returns: where the body ends in `data`.
        """
        self._exchange = exchange
        request = exchange.request
        try:
            content, end = _taken(reader, data, at)
        except FramingError as error:
            request.body = stream = Stream(self, reader.size)
            self._connection.distrust()
            stream.fail(BadRequest(error.reason))
            return len(data)
        exchange.bytes_in = len(content)
        if reader.done:
            request.body = Body(content)
            request.body.trailers = reader.trailers
            return end
        self.expects = expects and at >= len(data)
        self.reader = reader
        self.stream = request.body = Stream(self, reader.size)
        if content:
            self.stream.feed(content)
        return end

    def feed(self, data: bytes) -> None:
        """More bytes from the client while a body is under way."""
        reader, stream = self.reader, self.stream
        if reader is None:
            return
        try:
            content = reader.feed(data)
        except FramingError as error:
            self.stop(BadRequest(error.reason))
            return
        if stream is None:
            self._throw_away(len(data))
        elif content:
            if self._exchange is not None:
                self._exchange.bytes_in += len(content)
            stream.feed(content)
        if reader.done and self.reader is reader:
            self._end(reader)

    def _end(self, reader: Reader) -> None:
        self.reader = self._exchange = None
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.finish(reader.trailers)
        self._connection.body_over(reader.rest)

    def stop(self, error: ClientError) -> None:
        """The body will not become whole, so the connection cannot be kept."""
        self._connection.distrust()
        self.reader = self._exchange = None
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.fail(error)
        self._connection.body_over(b"")

    def lost(self) -> None:
        """The client is gone."""
        self.reader = self._exchange = None
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.fail(ClientLeft("the client left before its request was complete"))

    def _throw_away(self, count: int) -> None:
        self._discard -= count
        if self._discard <= 0:
            self.stop(BadRequest("the upload went on for too long after its answer"))

    def keeps(self) -> bool:
        """Whether the connection can be kept although the answer comes before the upload is done."""
        reader = self.reader
        return reader is None or (not self.expects and reader.size is not None and reader.size <= _DRAIN)

    # the stream's source: back-pressure on the client

    def pause(self) -> None:
        """:see: `proxy.stream.Source`."""
        self._connection.stop_reading()

    def resume(self) -> None:
        """:see: `proxy.stream.Source`."""
        self._connection.go_on_reading()

    def wanted(self) -> None:
        """A plugin or a pump reads the body: nobody else will tell the client to send it."""
        if self.expects:
            self.expects = False
            self._connection.write_interim(_CONTINUE)

    def abandon(self) -> None:
        """Nobody reads the body any more: what is left of it is thrown away, up to a limit."""
        if self.stream is not None:
            self.stream = None
            self._discard = _DRAIN
            self._connection.go_on_reading()
