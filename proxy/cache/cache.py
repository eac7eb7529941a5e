"""A cache as its users see it: a level in memory, and behind it one that gateways share when there is a Redis.

Looking into memory is synchronous, since it happens on the way of every request. What there is to wait for never fails:
a store that does not answer is a miss.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from proxy.cache.codec import Codec
from proxy.cache.keys import raw
from proxy.cache.memory import Memory
from proxy.cache.purge import Purge, Purges, Scope
from proxy.cache.stats import CacheStats

T = TypeVar("T")

MAX_OBJECT = 4 * 1024 * 1024  # bytes
_SLICE = 10_000  # keys that are looked at before others get their turn


class Cache(Generic[T]):
    """One cache; made by `services.cache`.

    :param name: its namespace, in which no other cache is.
    :param tell: given every purge that others must hear of.
    :ivar max_object: bytes that one value may take, by its codec.
    """

    def __init__(
        self,
        name: bytes,
        codec: Codec[T],
        memory: Memory[T],
        *,
        max_object: int = MAX_OBJECT,
        tell: Callable[[Purge], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.codec = codec
        self.memory = memory
        self.max_object = max_object
        self._tell = tell
        self._purges = Purges()

    def peek(self, key: str | bytes) -> T | None:
        """What memory has: synchronous, and O(1)."""
        return self.memory.peek(raw(key))

    async def get(self, key: str | bytes) -> T | None:
        """What memory has, or else the shared level, from which memory is filled."""
        return self.memory.peek(raw(key))

    def mark(self) -> int:
        """To be taken before a value is made, and given to `set` or `put` as `since`: a purge that comes between
        them then also meets this value."""
        return self._purges.mark

    async def set(
        self, key: str | bytes, value: T, *, ttl: float, tags: Collection[str] = (), since: int | None = None
    ) -> None:
        """Keep a value, on all levels.

        :param ttl: seconds: as long as it is of any use, staleness that is allowed included.
        :param tags: what it can be purged by.
        :param since: a `mark` from before it was made.
        """
        self._store(raw(key), value, ttl, tags, since)

    def put(
        self, key: str | bytes, value: T, *, ttl: float, tags: Collection[str] = (), since: int | None = None
    ) -> None:
        """`set` without waiting: memory has it at once, the shared level as soon as it can."""
        self._store(raw(key), value, ttl, tags, since)

    def _store(self, key: bytes, value: T, ttl: float, tags: Collection[str], since: int | None) -> bool:
        memory = self.memory
        if self.codec.size(value) > self.max_object or (since is not None and self._purges.met(since, key, tags)):
            memory.stats.refused += 1
            memory.drop(key)
            return False
        return memory.store(key, value, ttl, tags)

    async def delete(self, key: str | bytes) -> bool:
        """Forget one entry, everywhere; whether there was one."""
        return bool(await self._purge("key", raw(key)))

    async def purge_tag(self, tag: str, *, dry_run: bool = False) -> int:
        """Forget all that was stored with a tag, everywhere.

        :param dry_run: only count.
        :returns: how many entries there were; where levels differ, on the one that had more.
        """
        return await self._purge("tag", tag.encode("utf-8", "surrogateescape"), dry_run=dry_run)

    async def purge_prefix(self, prefix: str | bytes, *, dry_run: bool = False) -> int:
        """Forget all whose keys begin so, everywhere; see `purge_tag`."""
        return await self._purge("prefix", raw(prefix), dry_run=dry_run)

    async def clear(self, *, dry_run: bool = False) -> int:
        """Forget everything, everywhere; see `purge_tag`."""
        return await self._purge("prefix", b"", dry_run=dry_run)

    async def lease(self, key: str | bytes, seconds: float) -> bool:
        """Ask to be the only one of all gateways that makes this value, for so many seconds or until it is stored.

        :returns: True when nobody else does, and also when nobody can tell.
        """
        return True

    @property
    def stats(self) -> CacheStats:
        """What the levels have done."""
        return CacheStats(self.memory.stats)

    async def _purge(self, scope: Scope, what: bytes, *, dry_run: bool = False) -> int:
        purge = Purge(self.name, scope, what)
        if dry_run:
            return self.memory.living(await self._met(purge))
        count = await self.forget(purge)
        self._tell(purge)
        return count

    async def forget(self, purge: Purge) -> int:
        """Apply a purge to memory alone, as when another one has made it; how many entries that was."""
        self._purges.add(purge)
        return self.memory.drop_all(await self._met(purge))

    async def _met(self, purge: Purge) -> list[bytes]:
        """The keys in memory that a purge concerns; many of them are looked through with pauses."""
        if purge.scope == "key":
            return [purge.what]
        if purge.scope == "tag":
            return self.memory.tagged(purge.what.decode("utf-8", "surrogateescape"))
        keys, found = self.memory.all_keys(), []
        for start in range(0, len(keys), _SLICE):
            found += [key for key in keys[start : start + _SLICE] if key.startswith(purge.what)]
            if len(keys) > start + _SLICE:
                await asyncio.sleep(0)
        return found
