"""Hears what other gateways change, notices when it does not, and pays what is owed once Redis is there again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Any

from proxy.cache.coherence import CHANNEL, COUNTER, Coherence
from proxy.cache.link import Link, Unreachable, connect
from proxy.clock import Clock

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

_LOOK_EVERY = 1.0  # seconds of silence after which the server is asked whether it is there
_CONNECTING = 1.0
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0


class Listener:
    """One subscription.

    :param found: called when it has begun to listen: what was heard before it may have missed something.
    :param pay: called now and then while the server is there and something is owed.
    """

    def __init__(
        self,
        link: Link,
        coherence: Coherence,
        clock: Clock,
        found: Callable[[], None],
        pay: Callable[[], Awaitable[None]],
        randomness: random.Random | None = None,
    ) -> None:
        self._link = link
        self._coherence = coherence
        self._found = found
        self._pay = pay
        self._random = (randomness or random.Random()).random
        self._now = clock.monotonic
        self._state = asyncio.Condition()

    async def run(self) -> None:
        """Listen for good."""
        pause = _FIRST_PAUSE
        while True:
            connection = self._link.connection()
            try:
                await self._subscribe(connection)
                pause = _FIRST_PAUSE
                await self._become(listening=True)
                await self._listen(connection)
            except Exception as error:  # whatever a server can do to a client
                self._link.complain(error)
            finally:
                await self._become(listening=False)
                with suppress(Exception):
                    await connection.disconnect(nowait=True)
            await asyncio.sleep(pause * (1 + self._random()))
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def wait(self, *, listening: bool = True) -> None:
        """Wait until it listens, or until it does not."""
        async with self._state:
            await self._state.wait_for(lambda: self._coherence.listening is listening)

    async def _become(self, *, listening: bool) -> None:
        self._coherence.listening = listening
        async with self._state:
            self._state.notify_all()

    async def _subscribe(self, connection: AbstractConnection) -> None:
        """Begin to listen, then see which purge was the last: so none is missed in between."""
        async with asyncio.timeout(_CONNECTING):
            await connect(connection)
            await connection.send_command("SUBSCRIBE", CHANNEL, check_health=False)
            reply = await connection.read_response()
            if not isinstance(reply, list) or reply[0] != b"subscribe":
                raise Unreachable(f"it does not let anybody subscribe: {reply!r}")
        (number,) = await self._link.read(("GET", COUNTER))
        self._coherence.number = int(number or 0)
        self._found()

    async def _listen(self, connection: AbstractConnection) -> None:
        asked, paid = False, -inf
        while True:
            if self._coherence.owed and self._now() - paid >= _LOOK_EVERY:
                paid = self._now()
                await self._pay()
            reply = await connection.read_response(timeout=_LOOK_EVERY)
            if reply is not None:
                asked = False
                self._take(reply)
                continue
            if asked:
                raise Unreachable("the subscription is silent")
            await connection.send_command("PING", check_health=False)
            asked = True

    def _take(self, reply: Any) -> None:
        if isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message":
            self._coherence.heard(reply[2])
