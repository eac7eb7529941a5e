"""What an upstream's connection carries: one exchange after the other, from its request to its end.

Nothing here reads an answer; `proxy.upstream.http1` does, and what the connection is to its pool is in
`proxy.upstream.member`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from proxy.corked import Corked
from proxy.errors import (
    ClientLeft,
    GatewayError,
    ReadTimeout,
    Retry,
    UpstreamReset,
    UpstreamTimeout,
    WriteTimeout,
)
from proxy.exchange import Exchange
from proxy.framing import Reader
from proxy.stream import Stream
from proxy.upstream.condition import let_go
from proxy.upstream.held import Held
from proxy.upstream.lenient import Straightener
from proxy.upstream.member import Member
from proxy.upstream.sender import Sender


class Carrier(Member):
    """A connection to one endpoint, with the exchange that it carries."""

    __slots__ = (
        "_exchange",
        "_gap",
        "_interims",
        "_keep",
        "_left",
        "_reader",
        "_sender",
        "_silent",
        "_stopped",
        "_straightener",
        "_stream",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._exchange: Exchange | None = None
        self._interims = 0  # heads of 1xx that came for the request under way
        self._silent = True  # no byte of an answer has come to this request
        self._left = 0  # what the transport's `left` was before it
        self._reader: Reader | None = None  # of the answer's body under way
        self._stream: Stream | Held | None = None  # where it goes
        self._gap = 0.0  # seconds that may pass between two pieces of the answer; 0: any time
        self._keep = True
        self._stopped = False  # reading is paused
        self._sender = Sender(self)
        self._straightener: Straightener | None = None

    # an exchange begins

    def start(self, exchange: Exchange) -> None:
        """Send a request; the connection is idle and alive."""
        pool, transport = self._pool, self.transport
        if pool is None or transport is None:
            exchange.failed(UpstreamReset("the connection closed before the request", retry=Retry.UNSENT))
            return
        self._exchange = exchange
        exchange.attempt = self
        self.uses += 1
        self._silent = True
        self._left = transport.left if isinstance(transport, Corked) else -1
        self._interims = 0
        if self._straightener is not None:
            self._straightener.begin()
        try:
            self._sender.send(exchange, transport, pool.via)
        except GatewayError as error:
            self._exchange = exchange.attempt = None
            pool.put(self)
            exchange.failed(error)
            return
        if self._exchange is exchange:
            if self._sender.sent:
                pool.wheel.arm(self._watch, exchange.patience.first_byte)
            elif not self._sender.full:
                pool.wheel.disarm(self._watch)  # the deadline of its idleness

    def request_over(self) -> None:
        """The request's last byte is written; its answer may be under way already."""
        pool, exchange = self._pool, self._exchange
        if pool is not None and exchange is not None and self._reader is None:
            pool.wheel.arm(self._watch, exchange.patience.first_byte)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a pump."""
        if self._pool is None:
            raise RuntimeError("a connection without a pool carries no exchange")
        return self._pool.spawn(work)

    def pause_writing(self) -> None:
        """The transport holds more than the high-water mark."""
        super().pause_writing()
        pool, exchange = self._pool, self._exchange
        if pool is not None and exchange is not None:
            pool.wheel.arm(self._watch, exchange.patience.between_bytes)
            self._sender.pause()

    def resume_writing(self) -> None:
        """The transport has room again."""
        super().resume_writing()
        self._sender.resume()
        pool, exchange = self._pool, self._exchange
        if pool is None or exchange is None or self._sender.full:
            return
        if self._reader is not None and self._gap and not self._stopped:
            pool.wheel.arm(self._watch, self._gap)
        elif self._reader is None and self._sender.sent:
            pool.wheel.arm(self._watch, exchange.patience.first_byte)
        else:
            pool.wheel.disarm(self._watch)

    # an exchange ends

    def _finish(self, exchange: Exchange, rest: bytes) -> None:
        """The answer is whole: back to the pool, unless something is left on either side of the connection."""
        self._exchange = self._reader = self._stream = None
        exchange.attempt = None
        pool, transport, sender = self._pool, self.transport, self._sender
        if pool is None:
            return
        if self._stopped and transport is not None:
            self._stopped = False
            transport.resume_reading()
        if sender.sent and not sender.expects and self._keep and not rest and not sender.full and transport is not None:
            sender.over()
            pool.put(self)
        else:
            sender.stop()
            self._discard("not_reusable")

    def fail(self, error: GatewayError) -> None:
        """The exchange cannot go on here, nor can the connection."""
        exchange, stream = self._exchange, self._stream
        self._exchange = self._reader = self._stream = None
        self._sender.stop()
        self._discard("failed")
        if exchange is None or self._pool is None:
            return
        exchange.attempt = None
        self._pool.stats.failed(error)
        if stream is not None:
            stream.fail(error)
        else:
            exchange.failed(error)

    def cancel(self, reason: GatewayError | None = None) -> None:
        """Nobody wants the answer any more: the only way to say so in HTTP/1.1 is to close."""
        exchange, stream = self._exchange, self._stream
        if reason is not None and exchange is not None and self._pool is not None:
            if self._stopped or self._sender.waits:  # the time went by at the client's end
                let_go(exchange)
            else:
                self._pool.stats.failed(reason)
        self._exchange = self._reader = self._stream = None
        self._sender.stop()
        self._discard("cancelled")
        if exchange is not None:
            exchange.attempt = None
        if isinstance(stream, Stream):
            stream.fail(reason or ClientLeft("the answer is not wanted any more"))

    def overdue(self) -> None:
        """The deadline passed."""
        if self._exchange is None:
            super().overdue()
        elif self._stream is not None:
            self.fail(ReadTimeout("the upstream's answer stopped arriving"))
        elif self._sender.full:
            self.fail(WriteTimeout("the upstream stopped taking the request"))
        else:
            self.fail(UpstreamTimeout("the upstream did not answer in time"))

    # the source of the answer's body

    def pause(self) -> None:
        """:see: `proxy.stream.Source`."""
        if self.transport is not None and not self._stopped and self._pool is not None:
            self._stopped = True
            self.transport.pause_reading()
            self._pool.wheel.disarm(self._watch)

    def resume(self) -> None:
        """:see: `proxy.stream.Source`."""
        if self.transport is not None and self._stopped and self._pool is not None:
            self._stopped = False
            self.transport.resume_reading()
            if self._gap:
                self._pool.wheel.arm(self._watch, self._gap)

    def wanted(self) -> None: ...

    def abandon(self) -> None:
        """:see: `proxy.stream.Source`."""
        self.cancel()
