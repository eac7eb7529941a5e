"""A cache as its users see it: a level in memory, and behind it one that gateways share when there is a Redis.

Looking into memory is synchronous, since it happens on the way of every request. What there is to wait for never fails:
a store that does not answer is a miss.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, Generic, TypeVar

from proxy.cache.codec import Codec, Softening
from proxy.cache.coherence import Change, Notice
from proxy.cache.keys import raw
from proxy.cache.link import Unreachable
from proxy.cache.memory import Memory
from proxy.cache.purge import Purge, Purges, Scope
from proxy.cache.shared import Shared
from proxy.cache.stats import CacheStats

T = TypeVar("T")

MAX_OBJECT = 4 * 1024 * 1024  # bytes
_READS = 3  # of an entry that is changed each time that it is read
_LOOK_EVERY = 0.1  # seconds between two looks for what another gateway makes, if it does not tell
_SLICE = 4_000  # keys that are looked at before others get their turn


class Cache(Generic[T]):
    """One cache; made by `services.cache`.

    :param name: its namespace, in which no other cache is.
    :param shared: the level behind memory, or None.
    :param tell: given every purge that others must hear of.
    :param owe: given a purge that the shared level could not be told of.
    :ivar max_object: bytes that one value may take, by its codec.
    """

    def __init__(
        self,
        name: bytes,
        codec: Codec[T],
        memory: Memory[T],
        shared: Shared[T] | None = None,
        *,
        max_object: int = MAX_OBJECT,
        tell: Callable[[Purge], None] = lambda _: None,
        owe: Callable[[Purge], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.codec = codec
        self.memory = memory
        self.shared = shared
        self.max_object = max_object
        self._tell = tell
        self._owe = owe
        self._purges = Purges()
        self._changes = Purges()  # values of others included
        self._awaited: dict[bytes, asyncio.Event] = {}  # what others make, and is waited for here

    def peek(self, key: str | bytes) -> T | None:
        """What memory has: synchronous, and O(1)."""
        return self.memory.peek(key if type(key) is bytes else raw(key))

    def look(self, key: str | bytes) -> T | None:
        """`peek` that counts nothing: for one who has asked before, or only wants to know."""
        return self.memory.look(raw(key))

    async def get(self, key: str | bytes, *, peeked: bool = False) -> T | None:
        """What memory has, or else the shared level, from which memory is filled.

        :param peeked: whether memory was asked just now and had nothing; it is not asked, and not counted, again.
        """
        key = raw(key)
        value = None if peeked else self.memory.peek(key)
        if value is not None or self.shared is None:
            return value
        for _ in range(_READS):
            mark = self._changes.mark
            found = await self.shared.get(key)
            if found is None:
                break
            if not self._changes.met(mark, key, found.tags):
                self.memory.store(key, found.value, found.ttl, found.tags)
                return found.value
        return None

    def mark(self) -> int:
        """To be taken before a value is made, and given to `set` or `put` as `since`: a purge that comes between
        them then also meets this value."""
        return self._purges.mark

    def purged(self, since: int, key: str | bytes, tags: Collection[str] = ()) -> bool:
        """Whether an entry was purged since a `mark`, or may have been."""
        return self._purges.met(since, raw(key), tags)

    async def set(
        self, key: str | bytes, value: T, *, ttl: float | None, tags: Collection[str] = (), since: int | None = None
    ) -> None:
        """Keep a value, on all levels.

        :param ttl: seconds: as long as it is of any use, staleness that is allowed included; None for no end.
        :param tags: what it can be purged by.
        :param since: a `mark` from before it was made.
        :raises Exception: what the codec raises for a value that it does not write.
        """
        key = raw(key)
        data = b"" if self.shared is None else self.codec.encode(value)  # first, since it may refuse the value
        kept = self._keep(key, value, ttl, tags, since)
        if self.shared is None or kept is None:
            return
        if kept:
            await self.shared.set(key, data, ttl, tags)
        else:
            await self._remove(Purge(self.name, "key", key))

    def put(
        self, key: str | bytes, value: T, *, ttl: float | None, tags: Collection[str] = (), since: int | None = None
    ) -> None:
        """`set` without waiting: memory has it at once, the shared level as soon as it can."""
        key = raw(key)
        data = b"" if self.shared is None else self.codec.encode(value)
        mark = self._purges.mark if since is None else since
        kept = self._keep(key, value, ttl, tags, since)
        if self.shared is None or kept is None:
            return
        if kept:
            self.shared.post(key, data, ttl, tags, lambda: not self._purges.met(mark, key, tags))
        else:
            self.shared.removal.post(Purge(self.name, "key", key))

    def _keep(self, key: bytes, value: T, ttl: float | None, tags: Collection[str], since: int | None) -> bool | None:
        """Keep a value in memory.

        :returns: whether it is fit to be kept; None when it was purged before it came.
        """
        if since is not None and self._purges.met(since, key, tags):
            self.memory.stats.refused += 1
            return None
        if (ttl is not None and ttl <= 0) or self.codec.size(value) > self.max_object:
            self.memory.stats.refused += 1
            self.memory.drop(key)
            return False
        self.memory.store(key, value, ttl, tags)
        return True

    async def delete(self, key: str | bytes) -> bool:
        """Forget one entry, everywhere; whether there was one."""
        return bool(await self._purge("key", raw(key)))

    async def purge_tag(self, tag: str, *, dry_run: bool = False, soft: bool = False) -> int:
        """Forget all that was stored with a tag, everywhere.

        :param dry_run: only count.
        :param soft: keep what the codec makes of it by `softened`; without such a codec it is forgotten all the same.
        :returns: how many entries there were; where levels differ, on the one that had more.
        """
        return await self._purge("tag", tag.encode("utf-8", "surrogateescape"), dry_run=dry_run, soft=soft)

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
        return self.shared is None or await self.shared.lease(raw(key), seconds)

    async def elsewhere(self, key: str | bytes, seconds: float) -> T | None:
        """What another gateway makes at this moment; to be asked when there is no value.

        :param seconds: how long it is waited for, and for how long the lease is taken otherwise.
        :returns: None when it is one's own to make: the lease is held then, until it is stored or `release`d.
        """
        key = raw(key)
        if self.shared is None or await self.shared.lease(key, seconds):
            return None
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            await self._stored_elsewhere(key, min(left, _LOOK_EVERY))
            found = await self.get(key, peeked=True)
            if found is not None or await self.shared.lease(key, seconds):
                return found
        return None

    async def _stored_elsewhere(self, key: bytes, seconds: float) -> None:
        """Wait until another gateway tells that it has stored something, or for so long."""
        told = self._awaited.setdefault(key, asyncio.Event())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await told.wait()
        if self._awaited.get(key) is told:
            del self._awaited[key]

    async def release(self, key: str | bytes) -> None:
        """Give a lease back before its time, since the value is not to be stored."""
        if self.shared is not None:
            await self.shared.release(raw(key))

    @property
    def stats(self) -> CacheStats:
        """What the levels have done."""
        return CacheStats(self.memory.stats, None if self.shared is None else self.shared.stats)

    async def _purge(self, scope: Scope, what: bytes, *, dry_run: bool = False, soft: bool = False) -> int:
        purge = Purge(self.name, scope, what, soft)
        if dry_run:
            return max(await self._living(purge), await self._shared_count(purge))
        self._purges.add(purge)
        count = max(await self.forget(purge), await self._remove(purge))
        await self.forget(purge)  # what was read meanwhile
        self._tell(purge)
        return count

    async def _shared_count(self, purge: Purge) -> int:
        try:
            return 0 if self.shared is None else await self.shared.removal.count(purge)
        except Unreachable:
            return 0

    async def _remove(self, purge: Purge) -> int:
        try:
            return 0 if self.shared is None else await self.shared.removal.remove(purge)
        except Unreachable:
            self._owe(replace(purge, soft=False))  # nobody knows how much of it was done
            return 0

    def changed(self, notice: Notice) -> Coroutine[Any, Any, int] | None:
        """Another gateway or process has changed something: what is in memory is outdated.

        :returns: the rest of the work, where there is too much to be done at once.
        """
        if notice.change is not Change.STORED:
            self._purges.add(notice.purge)
        self._changes.add(notice.purge)
        if notice.purge.scope == "prefix":
            return self._drop(notice.purge)
        self._drop_named(notice.purge)
        told = self._awaited.get(notice.purge.what)
        if told is not None and notice.purge.scope == "key":
            told.set()
        return None

    async def forget(self, purge: Purge) -> int:
        """Apply a purge to memory alone; how many entries that was."""
        self._changes.add(purge)
        return await self._drop(purge)

    async def _drop(self, purge: Purge) -> int:
        if purge.scope != "prefix":
            return self._drop_named(purge)
        total = 0
        async for keys in self._slices(purge.what):
            total += self.memory.drop_all(keys)
        return total

    def _drop_named(self, purge: Purge) -> int:
        keys = self._named(purge)
        if purge.soft and isinstance(self.codec, Softening):
            return self.memory.change(keys, self.codec.softened)
        return self.memory.drop_all(keys)

    def _named(self, purge: Purge) -> list[bytes]:
        """The keys in memory that a purge of a key or a tag concerns."""
        if purge.scope == "key":
            return [purge.what]
        return self.memory.tagged(purge.what.decode("utf-8", "surrogateescape"))

    async def _living(self, purge: Purge) -> int:
        """How many entries in memory a purge would meet."""
        if purge.scope != "prefix":
            return self.memory.living(self._named(purge))
        return sum([self.memory.living(keys) async for keys in self._slices(purge.what)])

    async def _slices(self, prefix: bytes) -> AsyncIterator[list[bytes]]:
        """The keys in memory that begin so, with a pause for others after every few thousand that were looked at."""
        keys = self.memory.all_keys()
        for start in range(0, len(keys), _SLICE):
            if start:
                await asyncio.sleep(0)
            yield [key for key in keys[start : start + _SLICE] if key.startswith(prefix)]
