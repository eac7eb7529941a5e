"""A listener: a socket, aiohttp's server behind it, and the connections that came in by it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

from aiohttp.http_parser import HttpRequestParser
from aiohttp.web_log import AccessLogger
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_server import Server

from proxy.clock import Clock
from proxy.corked import Flusher
from proxy.errors import GatewayError
from proxy.exchange import Exchange
from proxy.fields import REQUEST_KINDS, UNTRACED_KINDS, Names
from proxy.flow import Spawn
from proxy.frontend.accept import Acceptor, Room, Steps
from proxy.frontend.answer import Dates
from proxy.frontend.head import HeadReader
from proxy.frontend.http1 import Connection
from proxy.frontend.identity import Identity, Trust
from proxy.frontend.seldom import Seldom
from proxy.message import Response
from proxy.metrics import Metrics
from proxy.timers import Wheel

if TYPE_CHECKING:
    from proxy.frontend.preface import Prefaces
    from proxy.frontend.proxy_protocol import Told
    from proxy.frontend.tls import Certificates

log = logging.getLogger("passerelle.http")


class Gateway(Protocol):
    """The engine, as a front end sees it."""

    clock: Clock

    def new_id(self) -> str: ...
    def new_trace(self) -> bytes: ...
    def begin(self, x: Exchange) -> None: ...
    def refuse(self, x: Exchange, error: GatewayError) -> None: ...
    def reply(self, x: Exchange, response: Response) -> None: ...


class Limits:
    """What one client may do; seconds and bytes.

    :ivar head: seconds for a whole head, from its first byte.
    :ivar body_gap: seconds between two pieces of a body.
    :ivar idle: seconds between two requests.
    :ivar slow_reader: seconds in which a client takes no byte of its answer.
    :ivar head_bytes: of a whole head.
    :ivar fields: header fields of one request.
    :ivar target_bytes: of the request target.
    :ivar connections: open at once; over it new ones wait in the backlog.
    :ivar underscores: lower-case names with `_` that are passed on.
    :ivar traces: whether `traceparent` is looked at, and begun; else it passes like any other field.
    """

    __slots__ = (
        "body_gap",
        "connections",
        "fields",
        "head",
        "head_bytes",
        "idle",
        "slow_reader",
        "target_bytes",
        "traces",
        "underscores",
    )

    def __init__(
        self,
        *,
        head: float = 10.0,
        body_gap: float = 60.0,
        idle: float = 75.0,
        slow_reader: float = 60.0,
        head_bytes: int = 32768,
        fields: int = 100,
        target_bytes: int = 8192,
        connections: int = 10000,
        underscores: frozenset[str] = frozenset(),
        traces: bool = True,
    ) -> None:
        self.head = head
        self.body_gap = body_gap
        self.idle = idle
        self.slow_reader = slow_reader
        self.head_bytes = head_bytes
        self.fields = fields
        self.target_bytes = target_bytes
        self.connections = connections
        self.underscores = underscores
        self.traces = traces


async def _unused(request: BaseRequest) -> NoReturn:
    """aiohttp's server wants a handler; exchanges never come to it."""
    raise RuntimeError(f"no exchange takes this way: {request}")


class _Server(Server):
    """aiohttp's low-level server, making our connections instead of its own."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(_unused, access_log=None, access_log_class=AccessLogger)
        self._listener = listener

    def __call__(self) -> RequestHandler:
        return Connection(self._listener, self._loop)


class Listener:
    """Accepts clients on one address.

    :ivar url: where clients reach it, with the port that was really bound.
    :ivar draining: whether connections end after the exchange under way.
    :ivar held: whether new requests wait, whatever connection they come by.
    :ivar waiting: the connections by which some have come.
    :ivar cuts: tells of answers that were cut.
    """

    def __init__(
        self,
        url: str,
        engine: Gateway,
        *,
        wheel: Wheel,
        spawn: Spawn,
        trust: Trust,
        limits: Limits,
        token: str,
        flusher: Flusher | None = None,
        room: Room | None = None,
        tls: Certificates | None = None,
        prefaces: Prefaces | None = None,
    ) -> None:
        self.url = url
        self.flusher = flusher
        self.scheme = "http" if tls is None else "https"
        self.engine = engine
        self.wheel = wheel
        self.spawn = spawn
        self.limits = limits
        self.draining = False
        self.held = False
        self.waiting: set[Connection] = set()
        self.cuts = Seldom(log, engine.clock.monotonic)
        self._token = token
        self.reader = self._new_reader()
        self.server = _Server(self)
        self._trust = trust
        self._dates = Dates()
        self._wall = engine.clock.time
        self._connections: set[Connection] = set()
        self._room = Room(limits.connections, Metrics()) if room is None else room
        self._acceptors: list[Acceptor] = []
        self._beginning: dict[Connection, Steps] = {}
        self._port = 0
        self._tls = tls
        self._prefaces = prefaces
        self._watching: asyncio.Task[None] | None = None

    # life

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept on sockets that are bound already."""
        for sock in sockets:
            acceptor = Acceptor(sock, self._room, self._arrived)
            acceptor.start()
            self._acceptors.append(acceptor)
            name = sock.getsockname()
            if isinstance(name, tuple):
                self._port = name[1]
        self._watch()

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections go on."""
        if self._watching is not None:
            self._watching.cancel()
        for acceptor in self._acceptors:
            acceptor.close()
        self._acceptors.clear()

    def drain(self) -> None:
        """Let every connection end after its exchange; idle ones end now, and those that only begin their TLS."""
        self.draining = True
        if self._prefaces is not None:
            self._prefaces.break_off()
        if self._tls is not None:
            self._break_off()
        for connection in list(self._connections):
            connection.close()

    def hold(self, held: bool) -> None:
        """Have new requests wait, or go on; those under way are not touched."""
        self.held = held
        if not held:
            waiting, self.waiting = self.waiting, set()
            for connection in waiting:
                connection.let_go()

    def abort(self) -> None:
        """Cut what is left."""
        if self._prefaces is not None:
            self._prefaces.break_off()
        self._break_off()
        for connection in list(self._connections):
            connection.abort()

    def _break_off(self) -> None:
        for steps in list(self._beginning.values()):
            steps.cancel()

    def __len__(self) -> int:
        return len(self._connections) + (0 if self._prefaces is None else len(self._prefaces))

    def _arrived(self, sock: socket.socket) -> None:
        """A connection was accepted."""
        if self._prefaces is None:
            self._connect(sock, None)
        else:
            self._prefaces.read(sock, self.limits.head, self._connect, self._room.leave)

    def _connect(self, sock: socket.socket, told: Told | None) -> None:
        """Make a transport of a socket."""
        loop = self.server._loop
        connection = Connection(self, loop, told)
        self._connections.add(connection)
        work = loop.connect_accepted_socket(lambda: connection, sock, **self._handshake())
        steps = self._beginning[connection] = Steps(work, partial(self._began, connection))
        steps.step()

    def _handshake(self) -> dict[str, Any]:
        """What a new connection's transport is told of TLS."""
        if self._tls is None:
            return {}
        limits = self.limits
        return {
            "ssl": self._tls.context,
            "ssl_handshake_timeout": limits.head,
            "ssl_shutdown_timeout": limits.slow_reader,
        }

    def _began(self, connection: Connection, error: BaseException | None) -> None:
        """A connection stands, or never will."""
        del self._beginning[connection]
        if error is not None:
            self.closed(connection)
            if self._tls is not None and not isinstance(error, asyncio.CancelledError):
                self._tls.failed(error)

    def renew(self, trust: Trust, limits: Limits) -> None:
        """Go by other limits from now on, open connections included: from their next request on."""
        self._trust = trust
        self.limits = limits
        self.reader = self._new_reader()
        for connection in self._connections:
            connection.renew()

    def secure(self, tls: Certificates) -> None:
        """Use other certificates for new connections."""
        self._tls = tls
        self._watch()

    def _watch(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._tls is not None and self._acceptors:
            self._watching = self.spawn(self._tls.watch())

    def _new_reader(self) -> HeadReader:
        limits = self.limits
        return HeadReader(
            self.scheme,
            Names(REQUEST_KINDS if limits.traces else UNTRACED_KINDS, limits.underscores),
            self._token,
            max_bytes=limits.head_bytes,
            max_fields=limits.fields,
            max_target=limits.target_bytes,
        )

    # for connections

    def opened(self, connection: Connection) -> None:
        """A connection was made; one that comes while everything ends is closed like the idle ones."""
        if self.draining:
            self.server._loop.call_soon(connection.close)

    def closed(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._room.leave()

    def identify(self, transport: asyncio.Transport, told: Told | None) -> Identity:
        """Who is at the other end of a connection.

        :param told: whom it speaks for, when it began with a PROXY header.
        """
        if told is None:
            name = transport.get_extra_info("peername")
            host, port = (name[0], name[1]) if isinstance(name, tuple) else ("", 0)
            identity = Identity(self._trust, host, port, self.scheme, self._port)
        else:
            identity = Identity(self._trust, told.host, told.port, self.scheme, told.local_port)
        if self._tls is not None:
            self._tls.identify(identity, transport.get_extra_info("ssl_object"))
        return identity

    def new_parser(self) -> HttpRequestParser:
        """A C parser for one connection's heads; it counts fields, and sees no head over another limit."""
        size = max(self.limits.head_bytes, 8190)
        return HttpRequestParser(
            cast("RequestHandler", None),
            self.server._loop,
            65536,
            max_line_size=size,
            max_field_size=size,
            max_headers=self.limits.fields,
            auto_decompress=False,
            response_with_body=False,  # heads only: the parser skips every body, and so never sees a trailer
        )

    def date(self) -> str:
        """The Date field for now."""
        return self._dates.at(self._wall())
