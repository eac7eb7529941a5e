"""One client connection that speaks HTTP/1.x: aiohttp's RequestHandler, driven by callbacks alone.

It takes from RequestHandler the place in aiohttp's server, the C parser and the protocol's life; it does not start its
task. Heads are cut at the empty line and parsed; bodies are framed by `proxy.framing`; what the engine answers at once
is written before `data_received` returns. How a connection is waited for and ends is in `proxy.frontend.line`.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, cast

from proxy.corked import Corked
from proxy.errors import BadRequest, ClientError
from proxy.exchange import Exchange
from proxy.framing import FramingError, Reader, request_reader
from proxy.frontend import answer
from proxy.frontend.head import Head
from proxy.frontend.line import Line
from proxy.frontend.stamp import stamp
from proxy.message import Request

if TYPE_CHECKING:
    from proxy.frontend.identity import Identity
    from proxy.frontend.listener import Listener
    from proxy.frontend.proxy_protocol import Told
    from proxy.tunnel import Tunnel

_END = b"\r\n\r\n"
_CR = ord("\r")
_EMPTY_LINES = re.compile(rb"(?:\r\n)+")
_NO_HEAD = (b"", b"\r")  # the second may become an empty line, which begins nothing
_HIGH_WATER = 65536  # bytes that wait to be written, or to be parsed behind a request under way


class Connection(Line):
    """A client's connection: reads one request at a time, gives it to the engine, writes its answer."""

    __slots__ = ("_at", "_heads", "_identity", "_parsing", "_scanned", "_told")

    def __init__(self, listener: Listener, loop: asyncio.AbstractEventLoop, told: Told | None = None) -> None:
        super().__init__(listener, loop)
        self._told = told  # by a PROXY header
        self._heads = listener.new_parser()
        self._at = 0  # so that taking one of many requests does not copy those behind it
        self._parsing = False
        self._scanned = 0  # bytes of a head that were looked at already, so that one sent byte by byte costs no more

    # the connection's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        listener, made = self.listener, cast("asyncio.Transport", transport)
        self.transport = made if listener.flusher is None else Corked(made, listener.flusher)
        listener.opened(self)
        self._identity: Identity = listener.identify(self.transport, self._told)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER)
        listener.wheel.arm(self._watch, listener.limits.idle)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone, or we closed: whatever is under way ends."""
        self.transport = None
        self._closing = True
        self._buffer = b""
        self.listener.wheel.forget(self._watch)
        self.listener.closed(self)
        self.upload.lost()
        self.outlet.lost()

    def renew(self) -> None:
        """The listener goes by other limits, and believes others: from the next head on this counts here too."""
        if self.transport is not None:
            self._identity = self.listener.identify(self.transport, self._told)
            self._heads = self.listener.new_parser()

    # bytes from the client

    def data_received(self, data: bytes) -> None:
        """Bytes came: of a body, of a head, or of the request after the one under way."""
        if self.upload.reader is not None:
            self.upload.feed(data)
            if self.transport is not None and not self._lingers:
                self._rearm()
        elif self._closing:
            return
        elif self.outlet.exchange is not None or self._parsing or self.outlet.full:
            self._put(self._buffer[self._at :] + data)
            if len(self._buffer) >= _HIGH_WATER:
                self.stop_reading()
        elif self._buffer:
            self._put(self._buffer[self._at :] + data)
            self.take()
        else:
            self._buffer = data
            flusher = self.listener.flusher
            if flusher is None or not flusher.crowd or not flusher.later(self):
                self.take()
            else:
                self._gathered = True

    def _put(self, data: bytes, at: int = 0) -> None:
        """Take further requests from there."""
        self._buffer, self._at = (data, at) if at < len(data) else (b"", 0)

    def take(self) -> None:
        """Take requests from the buffer until one has to wait. Iterative, so that no pipeline is too deep."""
        if self._parsing:
            return
        self._parsing, self._gathered = True, False
        try:
            while (
                self._buffer
                and not self._closing
                and self.outlet.exchange is None
                and self.upload.reader is None
                and not self.outlet.full  # who does not read gets no more answers
                and self._next()
            ):
                pass
        finally:
            self._parsing = False
        if not self._stopped:
            return
        if self.listener.held:
            self.listener.waiting.add(self)  # it reads again when others may go on
        elif len(self._buffer) - self._at < _HIGH_WATER and self.upload.reader is None:
            self.go_on_reading()

    def _next(self) -> bool:
        """Begin the next request of the buffer; False when its head is not whole, or when it has to wait."""
        if self.listener.held:
            self._wait()
            return False
        data, at = self._buffer, self._at
        if data[at] == _CR:
            empty = _EMPTY_LINES.match(data, at)
            if empty is not None:  # RFC 9112 section 2.2: empty lines before the request line are ignored
                at = empty.end()
        end = data.find(_END, max(self._scanned - 3, at) if self._scanned else at) + 4
        if end < 4:
            self._put(data[at:])
            self._wait_for_head(data[at:])
            return False
        self._scanned = 0
        try:
            head = self.listener.reader.read(data[at:end], self._heads)
            if self._identity.hosts is not None:
                self._identity.check_host(head.request.host)
            body = None
            if head.upgrade:
                self._heads = self.listener.new_parser()  # the old one takes what follows for another protocol
            if head.framing is not None:
                body = request_reader(head.request.version, head.framing)
        except FramingError as error:
            self._refuse(BadRequest(error.reason))
        except ClientError as error:
            self._refuse(error)
        else:
            self._buffer, self._at = (data, end) if end < len(data) else (b"", 0)  # inlined: each request comes here
            self._begin(head, body)
        return True

    def _wait_for_head(self, data: bytes) -> None:
        seen, self._scanned = self._scanned, len(data)
        error = self.listener.reader.unfinished(data, seen)
        if error is not None:
            self._refuse(error)
        elif data not in _NO_HEAD and not self._heading:
            self._heading = True
            self.listener.wheel.arm(self._watch, self.listener.limits.head)

    def _begin(self, head: Head, reader: Reader | None) -> None:
        request = head.request
        self._heading, self.keep = False, not head.close
        exchange = self._new_exchange(request)
        if reader is not None:
            self.go_on_reading()  # which may have been stopped for what was held; the body has its own back-pressure
            self._put(self._buffer, self.upload.open(exchange, reader, self._buffer, self._at, head.expects))
        stamp(exchange, head, self._identity, self.listener)
        if reader is None:
            self.listener.wheel.disarm(self._watch)
        else:
            self._rearm()
        if head.last:
            self.listener.engine.reply(exchange, answer.options())
        else:
            self.listener.engine.begin(exchange)

    def _new_exchange(self, request: Request) -> Exchange:
        engine = self.listener.engine
        now = engine.clock.monotonic  # a call by way of the attribute would be looked up as a method first
        exchange = Exchange(engine.new_id(), request, self._identity.peer, self.outlet, now())
        self.outlet.exchange = exchange
        return exchange

    def _refuse(self, error: ClientError) -> None:
        """Answer what cannot be accepted, and close: nothing after it on this connection can be trusted."""
        self.keep = self._heading = False
        self._closing = self._talking = True
        method = "HEAD" if self._buffer.startswith(b"HEAD ", self._at) else "GET"  # RFC 9110 section 9.3.2: no content
        exchange = self._new_exchange(Request(method, "/", scheme=self.listener.scheme))
        self.listener.engine.refuse(exchange, error)

    def _wait(self) -> None:
        """What came has to wait, and no clock runs meanwhile: that it does is no fault of the client's."""
        self.stop_reading()
        self._heading = False
        self.listener.wheel.disarm(self._watch)
        self.listener.waiting.add(self)

    def let_go(self) -> None:
        """Requests need not wait any more."""
        self.take()
        if self.transport is not None and not self._closing:
            self._rearm()

    # called by the upload

    def body_over(self, rest: bytes) -> None:
        """The request's body has ended, whole or not; `rest` came behind it."""
        self._put(rest)
        if self.outlet.exchange is None:
            self.answer_over()

    def distrust(self) -> None:
        """The body broke its framing or a limit: whatever follows belongs to no request."""
        self.keep = False
        self._talking = True

    # called by the outlet

    def switch(self, tunnel: Tunnel, *, full: bool) -> None:
        """The transport is a tunnel's from now on; what came behind the request goes into it."""
        listener, transport = self.listener, self.transport
        if transport is None:
            return
        listener.wheel.disarm(self._watch)
        self._stopped, self._tunnel = False, tunnel
        early, self._buffer, self._at = self._buffer[self._at :], b"", 0
        tunnel.join(self, transport, early, full=full, patience=listener.limits.slow_reader)
        if listener.draining:
            tunnel.leave()

    def write_interim(self, data: bytes) -> None:
        """A 1xx answer, before the head of the final one."""
        if self.transport is not None and not self._closing:
            self.transport.write(data)

    def answer_over(self) -> None:
        """The answer is written; the connection goes on to the next request, or ends."""
        if self.transport is None:
            return
        if not self.keep or self.listener.draining:
            self._shut()
            return
        upload = self.upload
        if upload.stream is not None:
            upload.stream.close()
        listener = self.listener
        if upload.reader is None and not self.outlet.full:
            listener.wheel.arm(self._watch, listener.limits.idle)  # as `_rearm` would: each answer comes here
        else:
            self._rearm()
        if self._buffer and upload.reader is None:
            self.take()

    def resume_writing(self) -> None:
        """The transport has room again."""
        self.outlet.resume()
        if not self._closing:
            self._rearm()
            self.take()
