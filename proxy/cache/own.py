"""Caches for programs that have no gateway: the way to a Redis is made for each event loop, when it is needed."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from proxy.cache.cache import Cache
from proxy.cache.caches import Caches
from proxy.cache.link import TIMEOUT
from proxy.cache.values import Values
from proxy.clock import Clock
from proxy.tasks import Tasks


class Own:
    """The caches of one loop on one Redis; what runs for them ends with the loop, or by `close`.

    :param patience: seconds for an operation in Redis.
    """

    def __init__(self, url: str, clock: Clock | None = None, patience: float = TIMEOUT) -> None:
        self._tasks = Tasks()
        self.caches = Caches(clock or Clock(), self._tasks.begin, redis=url, timeout=patience)
        self._lent: dict[bytes, Cache[Any]] = {}

    def cache(self, name: bytes, memory: int) -> Cache[Any]:
        """The cache of that name, for any plain values."""
        if name not in self._lent:
            self._lent[name] = self.caches.lend(
                "cached", name.decode("utf-8", "surrogateescape"), Values(), memory=memory
            )
        return self._lent[name]

    async def close(self) -> None:
        """Write what is still to be written, and end everything."""
        await self.caches.close()
        await self._tasks.cancel()


_OWN: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Own]] = WeakKeyDictionary()


def own_cache(url: str, name: bytes, memory: int) -> Cache[Any]:
    """A cache for the running loop on the Redis at this URL."""
    known = _OWN.setdefault(asyncio.get_running_loop(), {})
    if url not in known:
        known[url] = Own(url)
    return known[url].cache(name, memory)


async def close_caches() -> None:
    """End the connections that functions of this loop have made for themselves. A gateway's are not among them."""
    for own in _OWN.pop(asyncio.get_running_loop(), {}).values():
        await own.close()
