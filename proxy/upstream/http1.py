"""One connection to an upstream that speaks HTTP/1.1: aiohttp's ResponseHandler, driven by callbacks.

A connection that the pool took over carries one exchange after the other: the head is written at once, the request's
body follows by splice or pump (`proxy.upstream.carrier`), the answer's head and body advance the exchange as they
arrive. Without a pool it is aiohttp's own, for plugins that use the ClientSession.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from proxy.body import Body
from proxy.corked import Corked
from proxy.errors import (
    BadResponse,
    GatewayError,
    IncompleteResponse,
    ResponseHeadTooLarge,
    Retry,
    UpstreamReset,
)
from proxy.exchange import Endpoint, Exchange
from proxy.framing import BODILESS, FramingError, LengthReader, Reader, response_reader
from proxy.headers import Headers
from proxy.message import Response
from proxy.stream import Stream
from proxy.tunnel import Tunnel
from proxy.upstream.carrier import Carrier
from proxy.upstream.head import MAX_HEAD, AnswerParser, ResponseHead, read_head, tell_length, unfit
from proxy.upstream.held import Held, is_held
from proxy.upstream.lenient import Straightener
from proxy.upstream.unread import unread

if TYPE_CHECKING:
    from proxy.upstream.pool import Pool

_END = b"\r\n\r\n"
_NO_FIELDS = Headers()
_LARGE = 16384  # bytes that are worked on while they are in the processor's caches, whoever else sends something
_MAX_INTERIMS = 100  # for one request; hints come by ones and twos


class Connection(Carrier):
    """A connection to one endpoint, reading the answers to what it carries."""

    __slots__ = ("_early", "_held", "_http")

    _http: AnswerParser

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._early = b""  # what came of a head in this turn
        self._held = b""  # part of a head

    def adopt(self, pool: Pool, endpoint: Endpoint) -> bool:
        """:see: `Member.adopt`."""
        self._http = AnswerParser()
        if not pool.strict:
            self._straightener = Straightener(self.fail)
        return super().adopt(pool, endpoint)

    # bytes from the upstream

    def data_received(self, data: bytes) -> None:
        """Bytes came: of a body, of a head, or unasked."""
        if self._pool is None:
            super().data_received(data)
        elif self._exchange is None:
            self.leave("unasked")  # nobody asked for these: the next client must not get them
        elif self._reader is not None:
            self._body(data)
        elif self._early and self._straightener is not None:
            self.take()  # only then is it known whether what follows is of a head at all
            self.data_received(data)
        elif self._silent and isinstance(self.transport, Corked) and self.transport.left == self._left:
            self.fail(UpstreamReset("the upstream spoke before it was asked", retry=Retry.UNSENT))
        else:
            self._silent = False
            if self._straightener is not None:
                data = self._straightener.feed(data)
            flusher = self._pool.flusher
            if self._early or (flusher is not None and flusher.crowd):
                self._gather(data)
            elif data:
                self._heads(self._held + data if self._held else data)

    def _gather(self, data: bytes) -> None:
        """More of a head: looked at now, or together with what others send in this turn."""
        early, pool = self._early, self._pool
        self._early = early + data if early else data
        flusher = None if early or pool is None or len(data) > _LARGE else pool.flusher
        if flusher is None or not flusher.later(self, answer=True):
            self.take()

    def fail(self, error: GatewayError) -> None:
        """:see: `Carrier.fail`. What has come by now counts before what befell the connection later."""
        exchange, uses = self._exchange, self.uses
        self.take()
        if self._exchange is exchange and self.uses == uses:  # else its next try is on its way here, unharmed
            super().fail(error)

    def take(self) -> None:
        """:see: `proxy.corked.Taker`."""
        data, self._early = self._early, b""
        if data:
            self._heads(self._held + data if self._held else data)

    def _heads(self, data: bytes) -> None:
        """Interim heads, then the final one."""
        while True:
            end = data.find(_END, max(len(self._held) - 3, 0) if self._held else 0)
            if end < 0:
                self._hold(data)
                return
            self._held = b""
            try:
                head = read_head(data[: end + 4], self._http)
            except BadResponse as error:
                self.fail(error)
                return
            data = data[end + 4 :]
            if head.response.status >= 200:
                break
            if head.response.status == 101:
                self._switch(head, data)
                return
            self._interim(head)
            if self._exchange is None or not data:
                return
        self._final(head, data)

    def _hold(self, data: bytes) -> None:
        """Part of a head; what is held already was looked at when it came."""
        seen, self._held = len(self._held), data
        fresh = data[seen - data.endswith(b"\r", 0, seen) :]
        if len(data) > MAX_HEAD:
            self.fail(ResponseHeadTooLarge(f"the head of the upstream's answer is over {MAX_HEAD} bytes"))
        elif fresh.count(b"\n") != fresh.count(b"\r\n"):
            self.fail(BadResponse("the upstream's answer has no well-formed head"))

    def _interim(self, head: ResponseHead) -> None:
        self._interims += 1
        if self._interims > _MAX_INTERIMS:
            self.fail(BadResponse("the upstream sends interim answers without end"))
        elif self._exchange is not None:
            if head.response.status == 100:
                self._sender.expects = False
            self._exchange.informed(head.response)

    def _switch(self, head: ResponseHead, early: bytes) -> None:
        """A 101: from now on the transport is a tunnel's, and only the pool's books know of this connection."""
        pool, exchange, transport = self._pool, self._exchange, self.transport
        if pool is None or exchange is None or transport is None:
            return
        error = unfit(head, exchange.request, whole=self._sender.sent)
        if error is None and transport.is_closing():  # a tunnel would never be told of its end
            error = UpstreamReset("the upstream switched protocols and closed", retry=Retry.IDEMPOTENT)
        if error is not None:
            self.fail(error)
            return
        patience = exchange.patience
        tunnel = Tunnel(head.upgrade, pool.wheel, patience.tunnel_idle)
        self._exchange = None
        self.why = "tunnel"
        exchange.deadline = inf  # `total` is for answers; a tunnel has an idle limit
        full = self._sender.full
        self._sender.over()
        pool.wheel.disarm(self._watch)
        tunnel.begin(self, transport, early, full=full, patience=patience.between_bytes)
        exchange.attempt = head.response.tunnel = tunnel
        exchange.answered(head.response)

    def _final(self, head: ResponseHead, data: bytes) -> None:
        """The final head is here, and perhaps the whole body with it."""
        exchange = self._exchange
        if exchange is None:
            return
        response, method = head.response, exchange.request.method
        self._keep = head.keep
        length = head.length
        if length >= len(data) and length and response.status not in BODILESS and method != "HEAD":
            if length == len(data):
                response.body = Body(data)  # all of it is here: what a reader would come to
                self._finish(exchange, b"")
                exchange.driver.answered(exchange, response)
            else:
                plain = LengthReader(length)
                self._flow(exchange, response, plain, plain.feed(data))
            return
        try:
            reader = response_reader(method, response.status, head.version, head.framing or _NO_FIELDS)
            content = reader.feed(data) if reader is not None and data else b""
        except FramingError as error:
            self.fail(BadResponse(f"the upstream's answer is misframed: {error.reason}"))
            return
        if reader is None:
            tell_length(response, head.framing)
            self._finish(exchange, data)
            exchange.answered(response)
        elif reader.done:
            response.body = Body(content)
            response.body.trailers = reader.trailers
            self._finish(exchange, reader.rest)
            exchange.driver.answered(exchange, response)
        else:
            self._flow(exchange, response, reader, content)

    def _flow(self, exchange: Exchange, response: Response, reader: Reader, content: bytes) -> None:
        self._reader = reader
        held = is_held(exchange, reader.size)
        if held:
            stream: Stream | Held = Held(exchange, response)
        else:
            stream = response.body = Stream(self, reader.size)
        self._stream = stream
        self._patient(exchange, response)
        if content:
            stream.feed(content)
        if not held:
            exchange.answered(response)

    def _patient(self, exchange: Exchange, response: Response) -> None:
        """Events may be hours apart; any other body must keep coming."""
        if self._pool is None:
            return
        kind = response.headers.get("content-type") or ""
        if kind.lower().startswith("text/event-stream"):
            self._gap = 0.0
            self._pool.wheel.disarm(self._watch)
        else:
            self._gap = exchange.patience.between_bytes
            self._pool.wheel.arm(self._watch, self._gap)

    def _body(self, data: bytes) -> None:
        reader, stream, exchange, pool = self._reader, self._stream, self._exchange, self._pool
        if reader is None or stream is None or exchange is None or pool is None:
            return
        try:
            content = reader.feed(data)
        except FramingError as error:
            self.fail(BadResponse(f"the upstream's answer is misframed: {error.reason}"))
            return
        if self._gap:
            pool.wheel.arm(self._watch, self._gap)
        if content:
            stream.feed(content)
        if reader.done and self._reader is reader:
            self._finish(exchange, reader.rest)
            stream.finish(reader.trailers)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The upstream closed, or we did."""
        self.take()
        exchange = self._exchange
        if exc is not None and exchange is not None and self.transport is not None and not self._stopped:
            for data in unread(self.transport):  # such as a 413 in front of the reset on which our writing failed
                self.data_received(data)
                self.take()
                if self._exchange is not exchange:
                    break
        super().connection_lost(exc)
        exchange, reader = self._exchange, self._reader
        if self._pool is None or exchange is None:
            return
        if reader is None:
            retry = Retry.REUSED if self._silent and self.uses > 1 else Retry.IDEMPOTENT
            self.fail(UpstreamReset("the upstream closed the connection before its answer", retry=retry))
            return
        try:
            if exc is not None:
                raise FramingError("the connection was reset")
            reader.eof()
        except FramingError:
            self.fail(IncompleteResponse("the upstream closed the connection in the middle of its answer"))
            return
        stream = self._stream
        self._finish(exchange, b"")
        if stream is not None:
            stream.finish(reader.trailers)
