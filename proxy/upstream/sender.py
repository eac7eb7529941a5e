"""The way out to an upstream: writes a connection's requests, one after the other."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from proxy import flow
from proxy.errors import GatewayError
from proxy.exchange import Exchange
from proxy.flow import Room
from proxy.framing import FramingError, LengthWriter
from proxy.headers import Headers
from proxy.kept import Kept
from proxy.stream import Stream
from proxy.upstream.head import Writer, request_framing, request_head

if TYPE_CHECKING:
    from proxy.upstream.carrier import Carrier

_EXPECT = re.compile(rb"\r\nexpect:", re.IGNORECASE)


class Sender(Room):
    """The sink of one connection's request bodies.

    :ivar sent: whether the request under way is written to its end.
    :ivar expects: whether the request has a body, asked for 100 Continue and got none: nobody knows whether an upstream
        that answers all the same reads that body or takes it for a request (RFC 9110 section 10.1.1).
    """

    __slots__ = ("_connection", "_exchange", "_head", "_pump", "_writer", "expects", "sent")

    def __init__(self, connection: Carrier) -> None:
        super().__init__()
        self._connection = connection
        self._exchange: Exchange | None = None
        self._writer: Writer | None = None
        self._head = b""  # waiting for the first bytes of its body
        self._pump: asyncio.Task[None] | None = None
        self.sent = True
        self.expects = False

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn: the upstream would take more of the request than there is."""
        return not (self.sent or self.full or self.expects)

    def send(self, exchange: Exchange, transport: asyncio.WriteTransport, via: str) -> None:
        """Write a request; a small one leaves in one write.

        :raises GatewayError: when what plugins made of it cannot be sent; nothing is written then.
        """
        self._writer = framing = request_framing(exchange)
        head = request_head(exchange, self._connection.endpoint, framing, via)
        self.expects = framing is not None and _EXPECT.search(head) is not None
        body = exchange.request.body
        data = body.data
        self._exchange = exchange
        if framing is None or (data is not None and len(data) <= flow.SMALL and isinstance(framing, LengthWriter)):
            self.sent = True
            transport.write(head + data if data else head)
            return
        self.sent = False
        self._head = head
        pump = flow.send(body, self, self._connection.spawn)
        if self._exchange is exchange:
            self._pump = pump
            if self._head:  # no byte of the body is here yet, and the upstream may want to answer the head alone
                head, self._head = self._head, b""
                transport.write(head)

    def body_data(self, data: bytes) -> None:
        """:see: `proxy.stream.Sink`."""
        transport, framing = self._connection.transport, self._writer
        if transport is None or framing is None:
            return
        try:
            buffers = framing.frame(data)
        except FramingError as error:
            pump = self._pump
            self._connection.fail(GatewayError(f"a request body is longer than it said: {error.reason}"))
            if pump is not None:
                pump.cancel()  # it would make more of what nobody takes
            return
        if self._head:
            buffers = (self._head, *buffers)
            self._head = b""
        flow.put(transport, buffers, len(data))

    def body_end(self, trailers: Headers | None) -> None:
        """:see: `proxy.stream.Sink`."""
        transport, framing = self._connection.transport, self._writer
        if transport is None or framing is None:
            return
        try:
            tail = self._head + framing.end(trailers)
        except FramingError as error:
            self._connection.fail(GatewayError(f"a request body is shorter than it said: {error.reason}"))
            return
        self._head = b""
        self.sent = True
        if tail:
            transport.write(tail)
        self._connection.request_over()

    def body_failed(self, error: GatewayError) -> None:
        """:see: `proxy.stream.Sink`."""
        self._connection.fail(error)

    def pause(self) -> None:
        """The upstream takes no more for now."""
        self.full = True
        body = self._spliced()
        if body is not None:
            body.pause()

    def resume(self) -> None:
        """There is room again."""
        body = self._spliced()
        if body is not None:
            body.resume()
        self.make_room()

    def _spliced(self) -> Stream | None:
        body = None if self._exchange is None or self.sent or self._pump is not None else self._exchange.request.body
        return body if isinstance(body, Stream) else None

    def over(self) -> None:
        """The exchange has left this connection with its request written to the end."""
        self._exchange = self._writer = self._pump = None

    def stop(self) -> None:
        """Take no more of the request's body: its answer is here already, or nobody wants it (RFC 9112 section 9.3)."""
        exchange, pump, unsent = self._exchange, self._pump, not self.sent
        self.over()
        self._head = b""
        self.sent = True
        self.make_room()
        if pump is not None and pump is not _current_task():
            pump.cancel()
        if unsent and exchange is not None:
            body = exchange.request.body
            if not (isinstance(body, Kept) and body.rewind()):  # then the engine says whether it is sent again
                body.close()


def _current_task() -> asyncio.Task[None] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
