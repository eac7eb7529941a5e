"""A tunnel: two connections, and bytes between them (RFC 9110 section 7.8).

After a 101 a connection speaks HTTP no more. Each of the two hands its transport over to one side of a tunnel, which
writes what it reads to the other, reads nothing while the other takes nothing, and holds nothing itself: what is on
its way is one high-water mark of the transport and one read. The connections stay in the books of their listener and
their pool, and are told when they are lost.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from math import inf
from typing import Protocol

from proxy.errors import GatewayError, TunnelTimeout
from proxy.timers import Timer, Wheel
from proxy.websocket import GOING_AWAY, Frames, close_frame

_HANDSHAKE = 5.0  # seconds that both ends of a WebSocket have to answer a close frame
_MASK = 4  # bytes


class Owner(Protocol):
    """The connection that a side was before."""

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""


class Side(asyncio.Protocol):
    """One of the two connections.

    :ivar count: bytes that came from it and were passed on.
    :ivar full: whether it takes bytes more slowly than they come.
    :ivar gone: whether the connection is lost.
    :ivar frames: what comes from it, counted, when that is a WebSocket.
    :ivar patience: seconds in which it has to take what waits for it.
    """

    __slots__ = ("_held", "_other", "_owner", "_transport", "_tunnel", "count", "frames", "full", "gone", "patience")

    def __init__(
        self, tunnel: Tunnel, owner: Owner, transport: asyncio.Transport, *, full: bool, patience: float
    ) -> None:
        self._tunnel = tunnel
        self._owner = owner
        self._transport = transport
        self._other: Side | None = None
        self._held = b""  # what came before there was another side
        self.count = 0
        self.full = full
        self.gone = False
        self.frames = Frames() if tunnel.protocol.lower() == "websocket" else None
        self.patience = patience
        transport.set_protocol(self)

    def connect(self, other: Side) -> None:
        """From now on what comes from here goes there."""
        self._other = other
        held, self._held = self._held, b""
        if held:
            self.data_received(held)
        if other.full:
            self.pause()
        else:
            self.resume()

    def hold(self, data: bytes) -> None:
        """Keep bytes until there is another side, and read no more of them."""
        self._held += data
        self.pause()

    # from the transport

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        other = self._other
        if other is None:
            self.hold(data)
            return
        if self.frames is not None:
            data = self.frames.feed(data)
        self.count += len(data)
        other.write(data)
        self._tunnel.stir()

    def eof_received(self) -> None:
        """It has nothing more to say: as in nginx, that ends the tunnel once what it said is delivered."""
        self._tunnel.finish()

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        self.gone = True
        self._owner.connection_lost(exc)
        self._tunnel.finish()

    def pause_writing(self) -> None:
        """It takes no more for now, so the other one is not read."""
        self.full = True
        if self._other is not None:
            self._other.pause()
        self._tunnel.wait(self.patience)

    def resume_writing(self) -> None:
        """It has room again."""
        self.full = False
        if self._other is not None:
            self._other.resume()
        self._tunnel.stir()

    # to the transport

    @property
    def _alive(self) -> bool:
        return not self.gone and not self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send bytes there."""
        if data and self._alive:
            self._transport.write(data)

    def pause(self) -> None:
        """Read nothing from there."""
        if self._alive:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._alive:
            self._transport.resume_reading()

    def close(self) -> None:
        """End it, once what is written has left."""
        if not self.gone:
            self._transport.close()

    def abort(self) -> None:
        """End it now."""
        if not self.gone:
            self._transport.abort()


class Tunnel(Timer):
    """:see: `proxy.message.Duplex`; towards the engine it is also the attempt, which can be cancelled.

    :ivar protocol: what was switched to, as the upstream named it.
    :ivar error: why it was cut, or None when one of the two ends ended it.

    :param idle: seconds without a byte in either direction after which it is cut.
    """

    __slots__ = ("_callbacks", "_client", "_ending", "_idle", "_leaving", "_upstream", "_wheel", "error", "protocol")

    def __init__(self, protocol: str, wheel: Wheel, idle: float) -> None:
        super().__init__()
        self.protocol = protocol
        self.error: GatewayError | None = None
        self._wheel = wheel
        self._idle = idle
        self._upstream: Side | None = None
        self._client: Side | None = None
        self._ending = False
        self._leaving = False
        self._callbacks: list[Callable[[], None]] = []

    # the two ends come

    def begin(self, owner: Owner, transport: asyncio.Transport, early: bytes, *, full: bool, patience: float) -> None:
        """The upstream has switched; nothing more is read of it before there is a client.

        :param early: what came behind its head.
        """
        self._upstream = Side(self, owner, transport, full=full, patience=patience)
        self._upstream.hold(early)
        self._wheel.arm(self, self._idle)

    def join(self, owner: Owner, transport: asyncio.Transport, early: bytes, *, full: bool, patience: float) -> None:
        """The client has been told; from now on bytes flow.

        :param early: what came behind its request.
        """
        upstream = self._upstream
        if upstream is None or self._client is not None:
            raise RuntimeError("a tunnel has one upstream and one client")
        client = self._client = Side(self, owner, transport, full=full, patience=patience)
        client.hold(early)
        upstream.connect(client)
        client.connect(upstream)
        if self._ending:  # the upstream has gone meanwhile
            self._wheel.arm(self, patience)
            client.close()
        elif self._stuck:
            self.wait(max(side.patience for side in self._sides() if side.full))

    # what becomes of it

    @property
    def received(self) -> int:
        """Bytes from the client that were passed on."""
        return 0 if self._client is None else self._client.count

    @property
    def sent(self) -> int:
        """Bytes from the upstream that were passed on."""
        return 0 if self._client is None or self._upstream is None else self._upstream.count

    def on_end(self, callback: Callable[[], None]) -> None:
        """:see: `proxy.message.Duplex.on_end`."""
        if self._is_over():
            callback()
        else:
            self._callbacks.append(callback)

    def stir(self) -> None:
        """Something moved: it is not idle, unless what moved waits for one who takes nothing."""
        if self._leaving:
            self._say_farewell()
        elif not self._ending and not self._stuck:
            self._wheel.arm(self, self._idle)

    def wait(self, seconds: float) -> None:
        """A side is full, and has so long to make room."""
        if not self._leaving and not self._ending:
            self._wheel.arm(self, seconds)

    def expired(self) -> None:
        """:see: `proxy.timers.Timer.expired`."""
        if self._ending or self._leaving:
            self.close()
        elif self._stuck:
            self.error = TunnelTimeout("one end of the tunnel stopped taking bytes")
            self.close()
        else:
            self.error = TunnelTimeout("nothing went through the tunnel for too long")
            self.finish()

    def finish(self) -> None:
        """End both sides once what is written to them has left, and without that when it takes too long."""
        if self._is_over():
            self._ending = True
            self._over()
        elif not self._ending:
            self._ending = True
            self._wheel.arm(self, min(side.patience for side in self._sides()))
            for side in self._sides():
                side.close()

    def close(self) -> None:
        """:see: `proxy.message.Duplex.close`."""
        self._ending = True
        for side in self._sides():
            side.abort()

    def cancel(self, reason: GatewayError | None = None) -> None:
        """:see: `proxy.exchange.Attempt.cancel`."""
        self.error = self.error or reason
        self.close()

    @property
    def _stuck(self) -> bool:
        """Whether one of the two takes nothing."""
        client, upstream = self._client, self._upstream
        return (client is not None and client.full) or (upstream is not None and upstream.full)

    def _sides(self) -> list[Side]:
        return [side for side in (self._client, self._upstream) if side is not None]

    def _is_over(self) -> bool:
        return all(side.gone for side in self._sides())

    def _over(self) -> None:
        self._wheel.forget(self)
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    # the gateway stops

    def leave(self) -> None:
        """Tell both ends of a WebSocket that the gateway goes away; any other tunnel goes on until it is cut."""
        client, upstream = self._client, self._upstream
        if self._ending or self._leaving or client is None or upstream is None:
            return
        if client.frames is None or upstream.frames is None:
            return
        self._leaving = True
        self._wheel.disarm(self)
        if not client.frames.closing and not upstream.frames.closing:  # else they are closing by themselves
            client.write(upstream.frames.say(close_frame(GOING_AWAY)))
            upstream.write(client.frames.say(close_frame(GOING_AWAY, os.urandom(_MASK))))
        self._say_farewell()

    def _say_farewell(self) -> None:
        """Both ends have answered, or have some seconds for that from the time at which the client was told."""
        frames = [side.frames for side in self._sides() if side.frames is not None]
        if all(direction.closed for direction in frames):
            self.finish()
        elif self.deadline == inf and any(direction.said or direction.closing for direction in frames):
            self._wheel.arm(self, _HANDSHAKE)
