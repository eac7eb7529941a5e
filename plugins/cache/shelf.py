"""Where answers are kept: what all routes of the plugin share, and the few things that are done with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from plugins.cache.config import Config
from plugins.cache.flights import Flights
from plugins.cache.stored import EMPTY, Entry, EntryCodec, Stored
from proxy.api import Budget, Cache, Services

_ROUTES = 1000  # whose names are remembered for invalidation
_ROOM = 4  # entries hold the variants of one URL; together they may have so many times what one may have


class Shelf:
    """The cache with its clock, flights and budget.

    :ivar layered: whether there is a level behind memory, for which one has to wait.
    :ivar budget: what fills that are under way may hold in memory.
    :ivar extras: whether any route's keys have parts beside the URL.
    """

    def __init__(self, services: Services, config: Config) -> None:
        self.cache: Cache[Entry] = services.cache(
            "http",
            EntryCodec(),
            memory=config.memory,
            redis=config.shared,
            max_object=config.max_object * _ROOM + 65536,
        )
        self.now = services.clock.time
        self.spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = services.spawn
        self.layered = self.cache.stats.l2 is not None
        self.flights = Flights(services.clock.monotonic)
        self.budget = Budget(config.memory)
        self.refreshing: set[str] = set()
        self.routes: dict[str, None] = {}
        self.extras = False

    def keep(self, key: str, stored: Stored, config: Config, since: int, *, newest: bool = True) -> None:
        """Store a variant under its key.

        :param since: the cache's mark from before it was fetched.
        """
        entry = (self.cache.peek(key) or EMPTY).adding(
            stored, config.vary_limit, config.max_object * _ROOM, newest=newest
        )
        ttl = entry.useful_for(self.now())
        if ttl > 0:
            self.cache.put(key, entry, ttl=ttl, tags=entry.tags, since=since)

    def seen(self, route: str, key: str) -> None:
        """Answers of this route may be stored from now on, under keys such as this one."""
        self.extras = self.extras or not key.endswith(" ")
        if route not in self.routes and len(self.routes) < _ROUTES:
            self.routes[route] = None

    async def forget(self, urls: list[str]) -> None:
        """Whatever is stored for these URLs, under every route, is of no use any more."""
        for url in urls:
            if self.extras:
                await self.cache.purge_prefix(f"{url} ")
                continue
            for route in tuple(self.routes):
                await self.cache.delete(f"{url} {route} ")
