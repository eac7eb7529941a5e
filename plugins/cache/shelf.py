"""Where answers are kept: what all routes of the plugin share, and the few things that are done with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from plugins.cache.config import Config
from plugins.cache.flights import Flights
from plugins.cache.keys import host_of
from plugins.cache.stored import EMPTY, Entry, EntryCodec, Stored
from proxy.api import Budget, Cache, Services

_ROUTES = 1000  # whose names are remembered for invalidation
_MARKS = 10_000  # tags of which is remembered that they were purged softly
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
        self._marks: dict[str, float] = {}  # tags that were purged softly, and when

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

    def look(self, key: str) -> Entry | None:
        """What memory has; as if it were stale where a tag of it was purged softly since."""
        entry = self.cache.peek(key)
        return self._softened(entry) if entry is not None and self._marks else entry

    async def find(self, key: str) -> Entry | None:
        """What any level has."""
        entry = await self.cache.get(key)
        return self._softened(entry) if entry is not None and self._marks else entry

    def _softened(self, entry: Entry) -> Entry:
        met = [any(self._marks.get(tag, 0.0) >= one.received for tag in one.tags) for one in entry.variants]
        if not any(met):
            return entry
        return Entry(tuple(one.soft() if soft else one for one, soft in zip(entry.variants, met, strict=True)))

    async def soften(self, url: str) -> int:
        """Make what is stored for a URL stale, to be validated before it is used again; how many entries that was."""
        count = 0
        for route in tuple(self.routes):
            key = f"{url} {route} "
            entry = await self.find(key)
            if entry is not None:
                entry = Entry(tuple(one.soft() for one in entry.variants))
                await self.cache.set(key, entry, ttl=max(1, entry.useful_for(self.now())), tags=entry.tags)
                count += 1
        return count

    def soften_tag(self, tag: str) -> None:
        """Take all with this tag that is stored by now for stale."""
        if len(self._marks) >= _MARKS:
            self._marks.pop(next(iter(self._marks)))
        self._marks[tag] = self.now()

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


def absolute(url: str) -> str:
    """A URL as it stands in keys. :raises ValueError: when it is no absolute http URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or " " in url:
        raise ValueError(f"not an absolute http URL: {url}")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host_of(parts.scheme, parts.netloc)}{parts.path or '/'}{query}"
