"""Where answers are kept: what all routes of the plugin share, and the few things that are done with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from plugins.cache.config import Config, KeyParts
from plugins.cache.flights import Flights
from plugins.cache.keys import host_of, spelt, url_tag
from plugins.cache.stored import EMPTY, Entry, EntryCodec, Stored
from proxy.api import Allowance, Cache, Services

_ROUTES = 1000  # whose names are remembered
_ROOM = 4  # entries hold the variants of one URL; together they may have so many times what one may have


class Shelf:
    """The cache with its clock, flights and budget.

    :ivar peek: what memory has, by a key as bytes.
    :ivar layered: whether there is a level behind memory, for which one has to wait.
    :ivar budget: what fills that are under way may hold in memory.
    :ivar routes: those that were seen, with their options.
    :ivar forms: every way in which a route spells URLs in its keys.
    :ivar orders: by route the codings of what stands inside the cache, the most preferred first.
    """

    def __init__(self, services: Services, config: Config) -> None:
        self.cache: Cache[Entry] = services.cache(
            "http",
            EntryCodec(),
            memory=config.memory,
            redis=config.shared,
            max_object=config.max_object * _ROOM + 65536,
        )
        self.peek = self.cache.memory.peek  # for keys that are bytes already
        self.now = services.clock.time
        self.spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = services.spawn
        self.layered = self.cache.stats.l2 is not None
        self.flights = Flights(services.clock.monotonic)
        self.budget = Allowance(config.memory)
        self.refreshing: set[str] = set()
        self.routes: dict[str, Config] = {}
        self.forms: dict[KeyParts, None] = {config.key: None}
        self.orders: dict[str, tuple[str, ...]] = {}

    def keep(self, key: str, stored: Stored, config: Config, since: int, *, newest: bool = True) -> None:
        """Store a variant under its key.

        :param since: the cache's mark from before it was fetched.
        """
        entry = (self.cache.look(key) or EMPTY).adding(
            stored, config.vary_limit, config.max_object * _ROOM, newest=newest
        )
        ttl = entry.useful_for(self.now())
        if ttl > 0:
            self.cache.put(key, entry, ttl=ttl, tags={*entry.tags, url_tag(key)}, since=since)

    def seen(self, route: str, config: Config) -> None:
        """There is such a route, and answers of it may be stored."""
        if route in self.routes or len(self.routes) < _ROUTES:
            self.routes[route] = config

    def spellings(self, scheme: str, host: str, target: str) -> list[str]:
        """A URL in each way in which it may stand in keys: routes differ in the part of it that counts."""
        return list({spelt(scheme, host, target, form): None for form in self.forms})

    def prefixes(self, scheme: str, host: str, start: str) -> list[str]:
        """The same for the beginning of a URL, of which no part is left out."""
        hosts = {host if form.host else "*": None for form in self.forms}
        return [f"{scheme}://{one}{start}" for one in hosts]

    async def forget(self, urls: list[str]) -> None:
        """Whatever is stored for these URLs, under every route, is of no use any more."""
        for url in urls:
            await self.cache.purge_tag(url_tag(url))


def absolute(url: str) -> tuple[str, str, str]:
    """Scheme, host in its normal form, and target. :raises ValueError: when it is no absolute http URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or " " in url:
        raise ValueError(f"not an absolute http URL: {url}")
    query = f"?{parts.query}" if parts.query else ""
    return parts.scheme, host_of(parts.scheme, parts.netloc), f"{parts.path or '/'}{query}"
