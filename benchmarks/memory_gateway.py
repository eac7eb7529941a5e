"""A whole gateway without a socket: built from YAML as a server builds it, driven by handing bytes to its protocols.

What it costs then is the gateway's alone. No kernel, no peer and no loop take part, so a count of instructions comes
out the same every time. Time passes by a fixed step with each reading of the clock, and ids come from a fixed seed.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from proxy.build import Built, Marks, Runtime, build
from proxy.build.clients import client_limits, client_trust
from proxy.build.wire import Wire
from proxy.clock import Clock
from proxy.corked import Flusher
from proxy.engine import Engine
from proxy.exchange import Endpoint
from proxy.frontend.http1 import Connection as ClientConnection
from proxy.frontend.listener import Listener
from proxy.registry import Registry
from proxy.server.admin_routes import AdminRoutes
from proxy.settings import load_text
from proxy.upstream.connector import Connector
from proxy.upstream.http1 import Connection as UpstreamConnection

EPOCH = 1_700_000_000.0
_STEP = 1 / 8192  # seconds between two readings; a power of two, so that sums are exact
_TURNS = 50  # of the loop, in which a connection is opened


class Unanswered(Exception):
    """A request did not come to its end in one go: this gateway has nobody to wait for."""


class Far(Wire):
    """The other end of a connection.

    :ivar heard: what was written, while somebody wants to know; None at other times.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard: bytearray | None = None

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Take bytes."""
        if self.heard is not None:
            self.heard += data

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        """Take several pieces, without joining them first."""
        for data in list_of_data:
            self.write(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Its address, which is all that is known of it."""
        return ("192.0.2.7", 40000) if name == "peername" else default


class _Connector(Connector):
    """Opens connections to `far`."""

    def __init__(self) -> None:
        super().__init__()
        self.far = Far()
        self.made: UpstreamConnection | None = None

    async def open(self, endpoint: Endpoint, seconds: float) -> UpstreamConnection:
        """A connection that stands already."""
        self.made = UpstreamConnection(asyncio.get_running_loop())
        self.made.connection_made(self.far)
        return self.made


class _Runtime(Runtime):
    """What a process has, with all of it that differs from run to run fixed."""

    def __init__(self) -> None:
        clock = Clock(count(1000.0, _STEP).__next__, count(EPOCH, _STEP).__next__)
        super().__init__(AdminRoutes(), clock=clock, randomness=random.Random(7), marks=Marks("0" * 12, bytes(32)))
        self.opener = self.connector = _Connector()
        self.turn: deque[Callable[[], None]] = deque()  # what waits for the end of the loop's turn
        self.flusher = Flusher(self.turn.append)


class MemoryGateway:
    """One configuration, one client, and one connection to what is behind it.

    :ivar client: what the client's connection wrote to.
    """

    def __init__(self, runtime: _Runtime, built: Built) -> None:
        settings = built.loaded.settings
        self._runtime, self._built = runtime, built
        self.engine = Engine(
            built.snapshot,
            events=runtime.events,
            clock=runtime.clock,
            metrics=runtime.metrics,
            spawn=runtime.spawn,
            randomness=runtime.random,
        )
        listener = Listener(
            "http://127.0.0.1:80",
            self.engine,
            wheel=runtime.wheel,
            spawn=runtime.spawn,
            trust=client_trust(settings),
            limits=client_limits(settings),
            token=runtime.token,
            flusher=runtime.flusher,
        )
        self.client = Far()
        self._connection = ClientConnection(listener, asyncio.get_running_loop())
        self._connection.connection_made(self.client)

    @classmethod
    async def open(cls, config: str, registry: Registry) -> MemoryGateway:
        """Build and start what the YAML text `config` says.

        :raises SettingsError: when that is not sound.
        """
        runtime = _Runtime()
        try:
            built = build(load_text(config, {}), registry, runtime)
            await built.start()
        except BaseException:
            await runtime.close()
            raise
        return cls(runtime, built)

    async def close(self) -> None:
        """End everything."""
        self._connection.connection_lost(None)
        await self._built.stop()
        await self._runtime.close()

    async def first(self, request: Sequence[bytes], answer: Sequence[bytes]) -> None:
        """Send a request for which the upstream's connection is opened, if it needs one.

        :raises Unanswered: when nothing came back.
        """
        self._receive(request)
        await self._turns()
        if self.engine.active:
            self._reply(answer)
            await self._turns()
        if self.engine.active:
            raise Unanswered("the first exchange does not end")

    def exchange(self, request: Sequence[bytes], answer: Sequence[bytes]) -> None:
        """Send the pieces of a request, answer what is forwarded with those of `answer`; no loop turns meanwhile.

        :raises Unanswered: when it is still under way then.
        """
        self._receive(request)
        if self.engine.active:
            self._reply(answer)
            if self.engine.active:
                raise Unanswered("the exchange does not end without the loop")

    def heard(self, request: Sequence[bytes], answer: Sequence[bytes]) -> bytes:
        """As `exchange`; returns what the client got."""
        self.client.heard = bytearray()
        self.exchange(request, answer)
        heard, self.client.heard = bytes(self.client.heard), None
        return heard

    async def _turns(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            self._flush()

    def _receive(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            self._connection.data_received(piece)
            self._flush()

    def _reply(self, pieces: Sequence[bytes]) -> None:
        made = self._runtime.opener.made
        if made is None:
            raise Unanswered("the upstream was not asked, and there is no answer")
        for piece in pieces:
            made.data_received(piece)
            self._flush()

    def _flush(self) -> None:
        turn = self._runtime.turn
        while turn:
            turn.popleft()()
