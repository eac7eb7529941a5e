"""A whole gateway between ends that live in memory: thousands of cases a second, and time that passes when told to.

Everything from the listener's protocol to the pool's connections is the real thing; only the sockets are not. What a
peer would see is kept apart: an orderly end, a reset, and nothing yet.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from proxy.clock import ManualClock
from proxy.exchange import Endpoint
from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.settings import load_text
from proxy.upstream.connector import Connector
from proxy.upstream.http1 import Connection
from proxy.upstream.pool import Pool
from tests.fuzz.origin import OriginWire, Script

CONFIG = """
listen: [http://127.0.0.1:0]
admin: false
upstreams: {origin: {targets: [http://127.0.0.1:9], retry: false, eject: false}}
plugins: []
routes: [{name: all, upstream: origin}]
"""
QUIET = 4  # turns of the loop in which nothing happens, until nothing more is expected
PATIENCE = 2000  # turns of the loop, until a case is called endless


class Peer(Protocol):
    """The far end of a transport."""

    def received(self, data: bytes) -> None: ...
    def ended(self, *, reset: bool) -> None: ...


class _Socket:
    """Notes whether closing is meant to reset."""

    family = socket.AF_UNIX  # so that nobody asks for TCP's options
    lingers = True

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        """Of a real socket, on which nothing comes and nothing waits."""
        return self._number

    def setsockopt(self, level: int, option: int, value: object) -> None:
        self.lingers = False


class MemoryTransport(asyncio.Transport):
    """The gateway's end of a connection."""

    def __init__(self, stage: Stage, protocol: asyncio.Protocol, peer: Peer) -> None:
        super().__init__()
        self._stage = stage
        self._protocol = protocol
        self._peer = peer
        self._socket = _Socket(stage.quiet.fileno())
        self._closing = False
        self._paused = False
        self._held: list[bytes] = []

    # what the gateway calls

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self._stage.activity += 1
        if not self._closing:
            self._peer.received(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        for data in list_of_data:
            self.write(data)

    def write_eof(self) -> None:
        self._stage.activity += 1
        self._peer.ended(reset=False)

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self._end(None, reset=False)

    def abort(self) -> None:
        self._end(None, reset=not self._socket.lingers)

    def is_closing(self) -> bool:
        return self._closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        known = {"peername": ("127.0.0.1", 40000), "sockname": ("127.0.0.1", 80), "socket": self._socket}
        return known.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_reading(self) -> bool:
        return not self._paused

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        if self._held:
            asyncio.get_running_loop().call_soon(self._read_on)

    # what the peer calls

    def feed(self, data: bytes) -> None:
        """The peer sends."""
        self._stage.activity += 1
        if self._closing:
            return
        self._held.append(data)
        self._read_on()

    def _read_on(self) -> None:
        while self._held and not self._paused and not self._closing:
            try:
                self._protocol.data_received(self._held.pop(0))
            except Exception as error:  # as the loop would
                self._stage.troubles.failed(error)
                self.abort()

    def finish(self) -> None:
        """The peer closes its side."""
        self._stage.activity += 1
        if not self._closing and not self._protocol.eof_received():
            self.close()

    def reset(self) -> None:
        """The peer resets the connection."""
        self._end(ConnectionResetError("reset by the peer"), reset=False)

    def _end(self, error: Exception | None, *, reset: bool) -> None:
        if self._closing:
            return
        self._stage.activity += 1
        self._closing = True
        self._peer.ended(reset=reset)
        asyncio.get_running_loop().call_soon(self._lost, error)

    def _lost(self, error: Exception | None) -> None:
        self._stage.activity += 1
        self._protocol.connection_lost(error)


class MemoryClient:
    """A client's end.

    :ivar data: every byte that came.
    :ivar over: `""`, `"end"` or `"reset"`.
    """

    def __init__(self, stage: Stage) -> None:
        self.data = b""
        self.over = ""
        protocol = stage.gateway.doors.listeners[0].server()
        self.transport = MemoryTransport(stage, protocol, self)
        protocol.connection_made(self.transport)

    def received(self, data: bytes) -> None:
        self.data += data

    def ended(self, *, reset: bool) -> None:
        self.over = self.over or ("reset" if reset else "end")


class _MemoryConnector(Connector):
    """Opens connections to origins in memory."""

    stage: Stage

    async def open(self, endpoint: Endpoint, seconds: float) -> Connection:
        await asyncio.sleep(0)
        connection = Connection(asyncio.get_running_loop())
        wire = OriginWire(self.stage)
        wire.transport = MemoryTransport(self.stage, connection, wire)
        connection.connection_made(wire.transport)
        self.stage.wires.append(wire)
        greeting, self.stage.greeting = self.stage.greeting, b""
        if greeting:
            wire.transport.feed(greeting)
        return connection


class Troubles(logging.Handler):
    """Keeps what is logged as a warning or worse: no bytes of a peer may be worth one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))

    def failed(self, error: Exception) -> None:
        """What a protocol raised."""
        self.found.append("".join(traceback.format_exception(error)))

    def unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler."""
        self.found.append(f"{context.get('message')}: {context.get('exception')!r}")


class Stage:
    """The gateway and what is around it.

    :ivar wires: the origin's ends of the gateway's connections, dead ones included, since the last `fresh`.
    :ivar scripts: what the origin does when asked for a target; an echo for any other.
    :ivar greeting: what the origin says on its next connection before it is asked.
    :ivar quiet: the socket that every transport claims to have.
    :ivar activity: grows with everything that happens.
    :ivar troubles: warnings and errors logged, exceptions that nobody handled.
    """

    def __init__(self, clock: ManualClock, gateway: Gateway, connector: _MemoryConnector) -> None:
        self.clock = clock
        self.gateway = gateway
        self.connector = connector
        self.wires: list[OriginWire] = []
        self.scripts: dict[str, Script] = {}
        self.greeting = b""
        self.serial = 0
        self.activity = 0
        self.troubles = Troubles()
        self.quiet, self._far = socket.socketpair()
        self.quiet.setblocking(False)
        gateway.runtime.flusher.single = lambda: False  # what comes is in no socket, where it could be seen early

    def close(self) -> None:
        """Give back what it holds of the system's."""
        self.quiet.close()
        self._far.close()

    @property
    def pool(self) -> Pool:
        """The connections to the origin."""
        pool: Pool = self.gateway.built.snapshot.upstreams["origin"].pool
        return pool

    def fresh(self) -> None:
        """Begin a new case: no connection to the origin is left from the one before."""
        for wire in self.wires:
            wire.transport.reset()
        self.wires = []
        self.scripts.clear()
        self.greeting = b""
        self.troubles.found.clear()

    async def settle(self) -> None:
        """Turn the loop until nothing happens any more.

        :raises AssertionError: when that never comes.
        """
        quiet = 0
        for _ in range(PATIENCE):
            before = self.activity
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.activity == before else 0
            if quiet == QUIET:
                return
        raise AssertionError("the exchange never comes to rest")

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and what was due in it happen."""
        self.clock.advance(seconds)
        self.gateway.runtime.wheel.advance()
        await self.settle()


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """A gateway, started; what it logs is watched."""
    clock = ManualClock()
    gateway = Gateway(load_text(CONFIG, {}), Registry.installed(), clock=clock)
    await gateway.start()
    connector = _MemoryConnector()
    stage = connector.stage = Stage(clock, gateway, connector)
    stage.pool._connector = connector
    logging.getLogger().addHandler(stage.troubles)
    asyncio.get_running_loop().set_exception_handler(stage.troubles.unhandled)
    try:
        yield stage
    finally:
        logging.getLogger().removeHandler(stage.troubles)
        stage.fresh()
        await stage.settle()
        await gateway.stop()
        await connector.close()
        stage.close()
