"""An answer, from the engine to the client's connection: the exchange's client end and its body's sink."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from proxy import flow
from proxy.errors import ClientLeft, GatewayError
from proxy.exchange import Exchange
from proxy.flow import Room
from proxy.framing import BODILESS, ChunkedWriter, CloseWriter, FramingError, LengthWriter, writer
from proxy.frontend import answer
from proxy.headers import Headers
from proxy.message import Response
from proxy.stream import Stream
from proxy.tunnel import Tunnel

if TYPE_CHECKING:
    from proxy.frontend.http1 import Connection


class Outlet(Room):
    """Writes one connection's answers, one after the other.

    :ivar exchange: the exchange under way, or None between two; the connection's to set when one begins.
    """

    __slots__ = ("_connection", "_head", "_pump", "_sent", "_source", "_writer", "exchange")

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self.exchange: Exchange | None = None
        self._sent = False  # whether the head of the answer under way is written
        self._head = b""  # of the answer, waiting for the first bytes of its body
        self._writer: LengthWriter | ChunkedWriter | CloseWriter | None = None
        self._source: Stream | None = None  # the answer's body while it is spliced
        self._pump: asyncio.Task[None] | None = None

    # the exchange's client

    def informed(self, exchange: Exchange, response: Response) -> None:
        """Pass an interim answer on to those who understand it (RFC 9110 section 15.2)."""
        if not self._sent and exchange.request.version != "1.0":
            if response.status == 100:
                self._connection.upload.expects = False
            elif self.full:
                return  # for one that does not read, hints would only pile up
            self._connection.write_interim(answer.interim(response))

    def deliver(self, exchange: Exchange) -> None:
        """Write the answer, body and all, in the cheapest way."""
        connection, response = self._connection, exchange.response
        if connection.transport is None or response is None:
            self.exchange = None
            exchange.delivered(ClientLeft("the client left before its answer"))
            return
        if connection.upload.reader is not None and not connection.upload.keeps():
            connection.keep = False
        if response.status in BODILESS or exchange.request.method == "HEAD":
            self._deliver_bodiless(exchange, response)
            return
        if response.headers.marked:
            answer.strip(response, keep_length=False)
        body = response.body
        data = body.data
        if data is not None and not body.trailers and len(data) <= flow.SMALL:
            size = exchange.bytes_out = len(data)
            head = self._make_head(exchange, response, f"Content-Length: {size}\r\n")
            self._sent = True
            connection.transport.write(head + data)
            self._done()
            return
        self._writer = framing = writer(None if body.trailers else body.size, exchange.request.version)
        if type(framing) is CloseWriter:
            connection.keep = False
        self._head = self._make_head(exchange, response, answer.framing_line(framing))
        self._sent = True
        self._send(exchange, response)

    def _send(self, exchange: Exchange, response: Response) -> None:
        """A body that flows: the head leaves with its first bytes, or now when there are none yet."""
        body = response.body
        self._source = body if isinstance(body, Stream) and flow.splices(body) else None
        if self.full and self._source is not None:
            self._source.pause()  # the room went to answers before this one
        pump = flow.send(body, self, self._connection.listener.spawn)
        if self.exchange is exchange:
            self._pump = pump
            transport = self._connection.transport
            if self._head and transport is not None:
                head, self._head = self._head, b""
                transport.write(head)

    def _deliver_bodiless(self, exchange: Exchange, response: Response) -> None:
        """HEAD and 304 tell the length that a GET would have; 1xx and 204 have none (RFC 9110 section 8.6).

        The upstream's word counts only while no plugin has put another body in the place of its own.
        """
        if isinstance(response.tunnel, Tunnel):
            self._switch(exchange, response, response.tunnel)
            return
        body = response.body
        tells = response.status != 204 and response.status >= 200
        answer.strip(response, keep_length=tells and (body.data == b"" or isinstance(body, Stream)))
        size = body.size
        told = tells and exchange.request.method == "HEAD" and "content-length" not in response.headers
        head = self._make_head(exchange, response, f"Content-Length: {size}\r\n" if told and size else "")
        self._sent = True
        transport = self._connection.transport
        if transport is not None:
            transport.write(head)
        response.close()
        self._done()

    def _switch(self, exchange: Exchange, response: Response, tunnel: Tunnel) -> None:
        """A 101: from now on the transport is the tunnel's, and the exchange ends with it."""
        connection = self._connection
        transport, listener = connection.transport, connection.listener
        if transport is None or connection.upload.reader is not None:  # a plugin answered for a body still to come
            response.close()
            self._cut(GatewayError("the protocol was switched before the request was whole"))
            return
        answer.strip(response, keep_length=False)
        line = f"Upgrade: {tunnel.protocol}\r\n"
        transport.write(answer.head(response, line, exchange.id, listener, "Upgrade"))
        self.exchange = None
        connection.switch(tunnel, full=self.full)

        def over() -> None:
            exchange.bytes_in += tunnel.received
            exchange.bytes_out = tunnel.sent
            exchange.delivered(tunnel.error)

        tunnel.on_end(over)

    def _make_head(self, exchange: Exchange, response: Response, framing: str) -> bytes:
        connection = self._connection
        if not connection.keep or connection.listener.draining:
            connection.keep = False
            option = "close"
        else:
            option = "keep-alive" if exchange.request.version == "1.0" else ""
        return answer.head(response, framing, exchange.id, connection.listener, option)

    # the body's sink

    def body_data(self, data: bytes) -> None:
        """:see: `proxy.stream.Sink`."""
        transport, framing = self._connection.transport, self._writer
        if transport is None or framing is None:
            return  # the client left and the exchange is detached: drained into nothing
        try:
            buffers = framing.frame(data)
        except FramingError as error:
            pump = self._pump
            self._cut(GatewayError(f"an answer is longer than it said: {error.reason}"))
            if pump is not None:
                pump.cancel()  # it would make more of what nobody takes
            return
        if self._head:
            buffers = (self._head, *buffers)
            self._head = b""
        if self.exchange is not None:
            self.exchange.bytes_out += len(data)
        flow.put(transport, buffers, len(data))

    def body_end(self, trailers: Headers | None) -> None:
        """:see: `proxy.stream.Sink`."""
        transport, framing = self._connection.transport, self._writer
        if transport is not None and framing is not None:
            try:
                tail = self._head + framing.end(trailers)
            except FramingError as error:
                self._cut(GatewayError(f"an answer is shorter than it said: {error.reason}"))
                return
            self._head = b""
            if tail:
                transport.write(tail)
        self._done()

    def body_failed(self, error: GatewayError) -> None:
        """:see: `proxy.stream.Sink`."""
        self._cut(error)

    def _cut(self, error: GatewayError) -> None:
        """The answer cannot become whole: end the connection so that the client sees it."""
        exchange, self.exchange = self.exchange, None
        abrupt = isinstance(self._writer, CloseWriter)  # there a plain end would look like a whole body
        self._source = self._pump = self._writer = None
        self._head = b""
        self._connection.cut(abrupt=abrupt)
        if exchange is not None:  # else the client left, which is no news
            self._connection.listener.cuts.tell("an answer was cut: %s", error, level=logging.INFO)
            exchange.delivered(error)

    def _done(self) -> None:
        exchange, self.exchange = self.exchange, None
        self._source = self._pump = self._writer = None
        self._sent = False
        connection = self._connection
        if exchange is not None:
            left = None if connection.transport is not None else ClientLeft("the client left")
            exchange.driver.delivered(exchange, left)
        connection.answer_over()

    # back-pressure and the client's leaving

    def pause(self) -> None:
        """The client takes no more for now."""
        self.full = True
        if self._source is not None:
            self._source.pause()

    def resume(self) -> None:
        """There is room again."""
        self.make_room()
        if self._source is not None:
            self._source.resume()

    def lost(self) -> None:
        """The client is gone: a detached answer is drained into nothing, any other is stopped."""
        self.make_room()
        exchange = self.exchange
        if exchange is None:
            return
        if exchange.detached:
            self._writer = None  # what is drained is not written to a transport that only waits to be empty
            exchange.left()
            if self._source is not None:
                self._source.resume()
            return
        self.exchange = self._source = None
        if self._pump is not None:
            self._pump.cancel()
        exchange.left()
