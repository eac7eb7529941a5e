"""The way to a Redis server: it is asked for many things at once, waited for briefly, and never relied upon.

A command of the client library costs a tenth of a millisecond and more, most of it for being alone. So what is asked
for while an answer is awaited goes out together, as one pipeline. Reads and writes have lanes of their own: writes keep
their order, so that what is stored after a purge is not met by it and what was stored before it is.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from proxy.cache.breaker import Breaker
from proxy.clock import Clock

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection, ConnectionPool

log = logging.getLogger("passerelle.cache")

Part: TypeAlias = str | bytes | int | Callable[[], int]  # a function is asked when the command goes out
Command: TypeAlias = tuple[Part, ...]
Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]

TIMEOUT = 0.05  # seconds for an operation
_CONNECTING = 1.0  # seconds at least; nobody waits so long, the breaker opens after TIMEOUT
_BATCH = 64  # operations that go out together
_WAITING = 2048  # operations that wait in one lane
_WAITING_BYTES = 32 * 1024 * 1024
_READERS = 2
_CLOSED = "the connection is closed"
_COMPLAIN_EVERY = 60.0  # seconds between two complaints in the log


class Unreachable(Exception):
    """The server gave no answer, or gave one that is none; it counts as a miss."""


class _Operation:
    """Some commands that go out together.

    :ivar alone: whether what comes later waits for its answer.
    :ivar wanted: looked at when it would go out; when it is not, it is left out.
    """

    __slots__ = ("alone", "commands", "future", "size", "wanted")

    def __init__(
        self,
        commands: tuple[Command, ...],
        future: asyncio.Future[list[Any]],
        *,
        alone: bool,
        wanted: Callable[[], bool] | None,
    ) -> None:
        self.commands = commands
        self.future = future
        self.alone = alone
        self.wanted = wanted
        self.size = sum(len(part) for command in commands for part in command if isinstance(part, bytes))

    def give_up(self, reason: str) -> None:
        """There is no answer. Whoever waits is not cancelled: that would end more than this."""
        if not self.future.done():
            self.future.set_exception(Unreachable(reason))


class Lane:
    """One connection, and what waits for it. It works only while something does.

    :ivar waiting_bytes: of all that waits.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: deque[_Operation] = deque()
        self.waiting_bytes = 0
        self._connection: AbstractConnection | None = None
        self._working: asyncio.Task[None] | None = None

    def add(
        self, commands: tuple[Command, ...], *, alone: bool = False, wanted: Callable[[], bool] | None = None
    ) -> asyncio.Future[list[Any]]:
        """Have commands sent; their replies come as the future's result, errors of single ones among them.

        :raises Unreachable: at once, when too much waits already or the server is held for unreachable.
        """
        if len(self._waiting) >= _WAITING or self.waiting_bytes >= _WAITING_BYTES:
            raise Unreachable("too much waits for it already")
        if not self._link.breaker.allows():
            raise Unreachable("it did not answer, and is not asked for a while")
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_look_at)
        operation = _Operation(commands, future, alone=alone, wanted=wanted)
        self._waiting.append(operation)
        self.waiting_bytes += operation.size
        if self._working is None or self._working.done():
            self._working = self._link.spawn(self._work())
        return future

    @property
    def busy(self) -> bool:
        """Whether something waits or is under way."""
        return self._working is not None and not self._working.done()

    async def _work(self) -> None:
        """Send what waits, until nothing does."""
        batch: list[_Operation] = []
        try:
            while self._waiting:
                batch = self._next()
                if batch:
                    await self._exchange(batch)
        finally:  # cancelled, perhaps
            for operation in batch:
                operation.give_up(_CLOSED)
            self._give_up(_CLOSED)

    def _give_up(self, reason: str) -> None:
        """Nothing of what waits will be sent."""
        for operation in self._waiting:
            operation.give_up(reason)
        self._waiting.clear()
        self.waiting_bytes = 0

    def _next(self) -> list[_Operation]:
        """What goes out together; nothing behind what must be answered first."""
        batch: list[_Operation] = []
        while self._waiting and len(batch) < _BATCH and not (batch and batch[-1].alone):
            operation = self._waiting.popleft()
            self.waiting_bytes -= operation.size
            if operation.future.done():
                continue  # nobody waits any more
            if operation.wanted is not None and not operation.wanted():
                operation.give_up("it is not wanted any more")
                continue
            batch.append(operation)
        return batch

    async def _exchange(self, batch: list[_Operation]) -> None:
        breaker = self._link.breaker
        try:
            replies = await self._replies([command for operation in batch for command in operation.commands])
        except Exception as error:  # whatever a server can do to a client
            await self._disconnect()
            breaker.failed()
            self._link.complain(error)
            reason = f"{type(error).__name__}: {error}"
            for operation in batch:
                operation.give_up(reason)
            if breaker.open:
                self._give_up(reason)
            return
        breaker.succeeded()
        for operation in batch:
            own, replies = replies[: len(operation.commands)], replies[len(operation.commands) :]
            if not operation.future.done():
                operation.future.set_result(own)

    async def _replies(self, commands: list[Command]) -> list[Any]:
        from redis.exceptions import ResponseError

        connection = await self._connected()
        replies: list[Any] = []
        async with asyncio.timeout(self._link.timeout):
            ready = [[part() if callable(part) else part for part in command] for command in commands]
            await connection.send_packed_command(connection.pack_commands(ready), check_health=False)
            for _ in commands:
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    replies.append(error)
        return replies

    async def _connected(self) -> AbstractConnection:
        """The connection. While one is made for long, others are kept from waiting for it."""
        if self._connection is None or not self._connection.is_connected:
            self._connection = self._link.connection()
            slow = asyncio.get_running_loop().call_later(self._link.timeout, self._link.breaker.trip)
            try:
                async with asyncio.timeout(self._link.connecting):
                    await connect(self._connection)
            finally:
                slow.cancel()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it is given up, whatever it says
                await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """End it at once."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        await self._disconnect()


class Link:
    """A Redis server as all caches of a process use it.

    :param url: `redis://`, `rediss://` or `unix://`, as the client library reads it.
    :param spawn: runs something in the background.
    :param timeout: seconds for an operation.
    :ivar breaker: tells whether it is held for unreachable.
    :ivar connecting: seconds for a connection; who waits long for an operation waits as long for that.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        spawn: Spawn,
        *,
        timeout: float = TIMEOUT,
        randomness: random.Random | None = None,
    ) -> None:
        self.timeout = timeout
        self.connecting = max(_CONNECTING, timeout)
        self.spawn = spawn
        self.breaker = Breaker(clock, randomness)
        self._url = url
        self._pool: ConnectionPool | None = None
        self._now = clock.monotonic
        self._complained = -_COMPLAIN_EVERY
        self._readers = [Lane(self) for _ in range(_READERS)]
        self._writer = Lane(self)
        self._turn = 0

    def connection(self) -> AbstractConnection:
        """A new connection, not made yet. The client library is loaded by the first one."""
        if self._pool is None:
            from redis.asyncio.connection import ConnectionPool

            self._pool = ConnectionPool.from_url(
                self._url,
                protocol=2,
                socket_timeout=None,
                socket_connect_timeout=self.connecting,
                decode_responses=False,
            )
        return self._pool.connection_class(**self._pool.connection_kwargs)

    async def read(self, *commands: Command) -> list[Any]:
        """Replies to commands that change nothing that others depend on.

        :returns: a reply each; one that the server refused is an exception of the client library's.
        :raises Unreachable: when there is no answer in time.
        """
        self._turn = (self._turn + 1) % len(self._readers)
        return await self._answer(self._readers[self._turn].add(commands))

    async def write(self, *commands: Command, alone: bool = False) -> list[Any]:
        """`read` for commands that must be done in the order of their calls.

        :param alone: let nothing that comes later go out before this is answered.
        """
        return await self._answer(self._writer.add(commands, alone=alone))

    def post(self, *commands: Command, wanted: Callable[[], bool]) -> asyncio.Future[list[Any]]:
        """`write` without waiting.

        :param wanted: asked when it would go out.
        :raises Unreachable: when it cannot even be kept waiting.
        """
        return self._writer.add(commands, wanted=wanted)

    async def _answer(self, future: asyncio.Future[list[Any]]) -> list[Any]:
        try:
            async with asyncio.timeout(self.timeout):
                return await future
        except TimeoutError:
            raise Unreachable(f"no answer within {self.timeout * 1000:g} ms") from None

    def complain(self, error: Exception) -> None:
        """Log a failure, but not each of thousands."""
        now = self._now()
        if now - self._complained >= _COMPLAIN_EVERY:
            self._complained = now
            log.warning("Redis does not answer, and counts for nothing now: %s: %s", type(error).__name__, error)

    @property
    def busy(self) -> bool:
        """Whether something waits or is under way."""
        return any(lane.busy for lane in (*self._readers, self._writer))

    async def close(self) -> None:
        """End all connections at once."""
        for lane in (*self._readers, self._writer):
            await lane.close()
        await asyncio.sleep(0)  # in which the transports end


async def connect(connection: AbstractConnection) -> None:
    """Connect, authenticate, choose the database. :raises Exception: of the client library's, or of the system's."""
    make: Callable[[], Awaitable[None]] = connection.connect  # which says nothing of its types
    await make()


def _look_at(future: asyncio.Future[list[Any]]) -> None:
    """Take note of an error that nobody waits for any more, so that the loop does not complain of it."""
    if not future.cancelled():
        future.exception()
