"""How long one client connection is waited for, and how it ends: aiohttp's RequestHandler without its task.

Deadlines, back-pressure, closing so that the client can still read its answer, cutting so that it sees a cut. What is
read from the client is `proxy.frontend.http1`'s matter; the two are the only ones to touch RequestHandler.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, cast

from aiohttp.web_protocol import RequestHandler

from proxy.errors import ClientError, RequestTimeout
from proxy.frontend.outlet import Outlet
from proxy.frontend.pace import Pace, Watch, end, reset
from proxy.frontend.upload import Upload

if TYPE_CHECKING:
    from proxy.frontend.http1 import Connection
    from proxy.frontend.listener import Listener
    from proxy.tunnel import Tunnel

_LINGER = 2.0  # seconds that a closing connection lets the client read the answer (RFC 9112 section 9.6)


class Line(RequestHandler):
    """A client's connection as something that is waited for and ends.

    :ivar keep: whether another request may follow the one under way.
    """

    __slots__ = (
        "_buffer",
        "_closing",
        "_gathered",
        "_heading",
        "_lingers",
        "_pace",
        "_stopped",
        "_talking",
        "_tunnel",
        "_watch",
        "keep",
        "listener",
        "outlet",
        "upload",
    )

    def __init__(self, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(listener.server, loop=loop, access_log=cast("Any", None), keepalive_timeout=0)
        connection = cast("Connection", self)
        self.listener = listener
        self._buffer = b""  # what is not taken yet begins at `_at`; empty when nothing is left
        self.keep = True
        self.outlet = Outlet(connection)
        self.upload = Upload(connection)
        self._gathered = False  # what is in the buffer waits for the end of the turn
        self._heading = False  # part of a head is here, and the clock runs
        self._closing = self._lingers = False
        self._stopped = False  # reading is paused
        self._talking = False  # the client may be in the middle of what was refused
        self._tunnel: Tunnel | None = None
        self._watch = Watch(self.overdue)
        self._pace = Pace()

    @abstractmethod
    def take(self) -> None:
        """Begin what came."""

    @abstractmethod
    def _refuse(self, error: ClientError) -> None:
        """Answer what cannot be accepted, and close."""

    # its end

    def eof_received(self) -> None:
        """A client that closes its side has left (as in nginx): what is under way ends, what is written leaves yet."""
        if self._gathered:
            self.take()  # what can be answered at once is
        self._closing, self.keep = True, False
        self.upload.lost()
        self.outlet.lost()
        self._hang_up()

    def close(self) -> None:
        """Drain: end after the exchange under way or the head that is coming, at once when there is none."""
        self.keep = False
        if self._tunnel is not None:
            self._tunnel.leave()
        elif self._gathered:
            self._loop.call_soon(self.close)  # behind the work on what came, which may be nothing but an empty line
        elif self.outlet.exchange is None and not self._closing and not self._heading and not self._held:
            self._shut()

    def abort(self) -> None:
        """End at once, whatever is under way."""
        if self.transport is not None:
            self.transport.abort()

    def overdue(self) -> None:
        """The deadline passed; what was waited for tells what that means."""
        transport = self.transport
        if transport is None:
            return
        if transport.is_closing() or self._lingers or self.outlet.full:
            if self._pace.goes_on(transport):  # slow, but it reads
                self.listener.wheel.arm(self._watch, self.listener.limits.slow_reader)
            elif transport.is_closing() or self.outlet.full or transport.can_write_eof():
                end(transport)
            else:
                self._hang_up()
        elif self.upload.reader is not None:
            self.upload.stop(RequestTimeout("the request body stopped arriving"))
        elif self.outlet.exchange is None:
            if self._heading:
                self._refuse(RequestTimeout("the request head did not arrive in time"))
            else:
                self._shut()

    def _rearm(self) -> None:
        """Set the deadline for what is waited for now."""
        wheel, limits = self.listener.wheel, self.listener.limits
        if self.outlet.full:
            return  # armed when it became full, and not renewed by what the client goes on to send
        if self.upload.reader is not None:
            if self._stopped:
                wheel.disarm(self._watch)
            else:
                wheel.arm(self._watch, limits.body_gap)
        elif self.outlet.exchange is not None:
            wheel.disarm(self._watch)
        elif not self._heading:
            wheel.arm(self._watch, limits.idle)

    def cut(self, *, abrupt: bool) -> None:
        """End the connection in the middle of an answer."""
        self._closing, self.keep = True, False
        if abrupt and self.transport is not None:
            reset(self.transport)
        else:
            self._hang_up()

    def _shut(self) -> None:
        """Close so that the client can still read the answer: our side first, then what it sends is thrown away."""
        transport = self.transport
        if transport is None or self._lingers:
            return
        unread = self.upload.reader is not None or bool(self._buffer) or self._stopped or self._talking
        self._closing = True
        self.upload.lost()
        self._buffer = b""
        if not unread:
            self._hang_up()
            return
        self._lingers = True
        plain = transport.can_write_eof()  # with TLS the answer's Connection: close must do
        if plain:
            transport.write_eof()
        self.go_on_reading()
        if plain and transport.get_write_buffer_size():
            self._await_reader()
        else:
            self.listener.wheel.arm(self._watch, _LINGER)

    def _hang_up(self) -> None:
        """Close once the client has taken what is written, and without that when it takes too long."""
        if self.transport is None:
            return
        self.transport.close()
        if self.transport.can_write_eof():
            self._await_reader()
        else:  # TLS waits for the client's close_notify: not for long when it has taken all
            self._pace.begin()
            self.listener.wheel.arm(self._watch, _LINGER)

    def _await_reader(self) -> None:
        """The client has to take something now."""
        if self.transport is not None:
            self._pace.mark(self.transport)
            self.listener.wheel.arm(self._watch, self.listener.limits.slow_reader)

    @property
    def _held(self) -> bool:
        """Whether a request that came by it waits to be begun."""
        return cast("Connection", self) in self.listener.waiting

    # back-pressure

    def stop_reading(self) -> None:
        """Back-pressure: read nothing for now."""
        if not self._stopped and self.transport is not None:
            self._stopped = True
            self.transport.pause_reading()

    def go_on_reading(self) -> None:
        """Read on."""
        if self._stopped and self.transport is not None:
            self._stopped = False
            self.transport.resume_reading()
            self._rearm()

    def pause_writing(self) -> None:
        """The transport holds more than the high-water mark."""
        self.outlet.pause()
        self._await_reader()
