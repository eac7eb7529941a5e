"""What outlives a configuration: clock, timers, events, metrics, the shared ClientSession."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Coroutine, Iterable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Protocol

from proxy.cache import Caches
from proxy.cache.figures import register
from proxy.clock import Clock
from proxy.corked import Flusher
from proxy.events import CacheCorrupt, EventBus
from proxy.metrics import Metrics
from proxy.plugin import Admin, Http
from proxy.timers import Wheel
from proxy.upstream.client import Client
from proxy.upstream.connector import Connector
from proxy.upstream.probing import Probing
from proxy.upstream.resolve import Lookup, Resolver
from proxy.upstream.session import open_session

log = logging.getLogger("passerelle")


class AdminTable(Admin, Protocol):
    """Where admin routes are added, in layers: a plugin's come and go with it."""

    def layer(self, beside: Iterable[AdminTable]) -> AdminTable:
        """A table of a plugin's own, not shown yet.

        :param beside: those of the plugins that it will be shown with; one route is not in two of them.
        """
        ...

    def show(self, layers: Iterable[AdminTable]) -> None:
        """Show these layers in place of those shown so far."""
        ...


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells one server from another; the same in all its processes.

    :ivar token: its mark in Via, by which it knows a loop.
    :ivar secret: for hashes that clients keep.
    """

    token: str
    secret: bytes

    @classmethod
    def new(cls) -> Marks:
        """Marks of a server of its own."""
        return cls(secrets.token_hex(6), secrets.token_bytes(32))


class Runtime:
    """The things that every snapshot of a process shares. Made inside a running loop.

    :param lookup: asks for the addresses of a name; the system unless given.
    :param marks: those of the server that this is a process of; new ones unless given.
    :param redis: URL of the Redis that gateways share; empty for none.
    :param share: how many processes share what is limited for the server.
    :ivar token: this instance's mark in Via.
    :ivar secret: what is hashed with when nothing was configured for that; lasts as long as the server.
    :ivar probing: whether this process probes targets, or another one does for it.
    :ivar admin: where plugins and rooms add admin routes.
    :ivar caches: all caches of this process.
    """

    def __init__(
        self,
        admin: AdminTable,
        *,
        clock: Clock | None = None,
        randomness: random.Random | None = None,
        lookup: Lookup | None = None,
        marks: Marks | None = None,
        redis: str = "",
        share: int = 1,
    ) -> None:
        self.clock = clock or Clock()
        self.random = randomness or random.Random()
        self.wheel = Wheel(self.clock)
        self.events = EventBus(self.clock)
        self.metrics = Metrics()
        self.admin = admin
        self.marks = marks or Marks.new()
        self.token = self.marks.token
        self.secret = self.marks.secret
        self.probing = Probing()
        self.flusher = Flusher(_calmly())
        self._tasks: set[asyncio.Task[None]] = set()
        self.resolver = Resolver(
            clock=self.clock, wheel=self.wheel, spawn=self.spawn, metrics=self.metrics, lookup=lookup
        )
        self.connector = Connector(self.resolver)
        self.session = open_session(self.connector)
        self.client = Client(self.session)
        self.http: Http = self.client
        self.caches = Caches(self.clock, self.spawn, redis=redis, share=share, randomness=self.random)
        self.caches.corrupt = self._corrupt
        register(self.metrics, self.caches)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something in the background; its error is logged, and it is cancelled by `close`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _corrupt(self, cache: str, key: bytes, reason: str) -> None:
        self.events.publish(CacheCorrupt(cache, key.decode("utf-8", "replace")[:200], reason))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task failed", exc_info=error)

    async def close(self) -> None:
        """Cancel what runs in the background and close the session with all its connections."""
        await self.caches.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.session.close()
        await self.resolver.close()


def _calmly() -> Callable[[Callable[[], None]], object]:
    """The loop's `call_soon`, in our own context: what one exchange's task has set is none of the others' business."""
    call_soon, context = asyncio.get_running_loop().call_soon, copy_context()
    return lambda callback: call_soon(callback, context=context.copy())
