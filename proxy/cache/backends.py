"""The levels as backends of aiocache: for code that is written to its interface (`BaseCache`, decorators, locks).

What is awkward about its own backends is otherwise here: namespaces are length-prefixed, so that clearing `acme` leaves
`acme2` alone; memory is bounded in bytes; nothing is pickled; clearing never empties a database that others use too; a
Redis that does not answer costs misses.

The gateway itself does not come by here: aiocache loads its Redis client when it is imported, which every process
would pay for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from enum import Enum
from typing import Any

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

from proxy.cache.atomic import add, expire, replace
from proxy.cache.cache import Cache
from proxy.cache.keys import namespace, raw
from proxy.cache.link import TIMEOUT
from proxy.cache.memory import DEFAULT_MEMORY, Memory
from proxy.cache.own import Own
from proxy.cache.values import Values
from proxy.clock import Clock

_TRIES = 16  # of a change that others get in between


class _Level(BaseCache):  # type: ignore[misc]  # aiocache says nothing of its types
    """What the three have in common. Values are those that `proxy.cache.Values` knows.

    :param namespace: what its keys are in; every operation can name another.
    :param ttl: seconds that a value is kept when an operation does not say; None for good.
    :param patience: seconds for an operation in Redis, after which it counts as a miss.
    """

    def __init__(
        self, *, memory: int, redis: str = "", clock: Clock | None = None, patience: float = TIMEOUT, **options: Any
    ) -> None:
        options.setdefault("serializer", NullSerializer())
        options.setdefault("timeout", None)  # ours are shorter, and no task is made for them
        super().__init__(**options)
        self._clock = clock or Clock()
        self._memory = memory
        self._redis = redis
        self._patience = patience
        self._own: Own | None = None
        self._made: Cache[Any] | None = None

    @property
    def levels(self) -> Cache[Any]:
        """What does the work."""
        if self._made is None:
            if self._redis:
                self._own = Own(self._redis, self._clock, self._patience)
                self._made = self._own.cache(b"aiocache", self._memory)
            else:
                codec = Values()
                self._made = Cache(b"aiocache", codec, Memory(self._memory, self._clock, codec.size))
        return self._made

    def _build_key(self, key: Any, namespace: str | None = None) -> bytes:
        return self._prefix(namespace) + raw(_text(key))

    def _prefix(self, name: str | None) -> bytes:
        return namespace(name if name is not None else self.namespace or "")

    async def _get(self, key: bytes, encoding: str | None = None, _conn: Any = None) -> Any:
        found = await self.levels.get(key)
        return None if found is None else found[0]

    async def _gets(self, key: bytes, encoding: str | None = None, _conn: Any = None) -> Any:
        return await self._get(key)

    async def _multi_get(self, keys: Iterable[bytes], encoding: str | None = None, _conn: Any = None) -> list[Any]:
        return list(await asyncio.gather(*(self._get(key) for key in keys)))

    async def _set(
        self, key: bytes, value: Any, ttl: float | None = None, _cas_token: Any = None, _conn: Any = None
    ) -> bool | int:
        if _cas_token is not None:
            return int(await replace(self.levels, key, (_cas_token,), (value,)))
        await self.levels.set(key, (value,), ttl=ttl)
        return True

    async def _multi_set(self, pairs: Iterable[tuple[bytes, Any]], ttl: float | None = None, _conn: Any = None) -> bool:
        await asyncio.gather(*(self._set(key, value, ttl) for key, value in pairs))
        return True

    async def _add(self, key: bytes, value: Any, ttl: float | None = None, _conn: Any = None) -> bool:
        if not await add(self.levels, key, (value,), ttl):
            raise ValueError(f"Key {key!r} already exists, use .set to update the value")
        return True

    async def _exists(self, key: bytes, _conn: Any = None) -> bool:
        return await self.levels.get(key) is not None

    async def _increment(self, key: bytes, delta: int, _conn: Any = None) -> int:
        """:raises TypeError: when the value is not a number. :raises TimeoutError: when others always came first."""
        for _ in range(_TRIES):
            found = await self.levels.get(key)
            if found is None:
                if await add(self.levels, key, (delta,), None):
                    return delta
                continue
            if isinstance(found[0], bool) or not isinstance(found[0], int):
                raise TypeError("Value is not an integer")
            if await replace(self.levels, key, found, (found[0] + delta,)):
                return int(found[0] + delta)
        raise TimeoutError(f"{key!r} is changed by others all the time")

    async def _expire(self, key: bytes, ttl: float, _conn: Any = None) -> bool:
        return await expire(self.levels, key, ttl or None)

    async def _delete(self, key: bytes, _conn: Any = None) -> int:
        return int(await self.levels.delete(key))

    async def _clear(self, namespace: str | None = None, _conn: Any = None) -> bool:
        await self.levels.purge_prefix(self._prefix(namespace))
        return True

    async def _redlock_release(self, key: bytes, value: Any) -> int:
        return int(await self._get(key) == value and await self.levels.delete(key))

    async def _close(self, *args: Any, _conn: Any = None, **kwargs: Any) -> None:
        if self._own is not None:
            await self._own.close()
            self._own = self._made = None


class MemoryCache(_Level):
    """In this process, bounded in bytes. :param memory: how many."""

    NAME = "passerelle-memory"

    def __init__(self, *, memory: int = DEFAULT_MEMORY, **options: Any) -> None:
        super().__init__(memory=memory, **options)


class RedisCache(_Level):
    """In Redis alone. :param redis: its URL."""

    NAME = "passerelle-redis"

    def __init__(self, redis: str, **options: Any) -> None:
        super().__init__(memory=0, redis=redis, **options)


class TieredCache(_Level):
    """In memory, with Redis behind it, coherent with all others on that Redis."""

    NAME = "passerelle-tiered"

    def __init__(self, redis: str, *, memory: int = DEFAULT_MEMORY, **options: Any) -> None:
        super().__init__(memory=memory, redis=redis, **options)


def _text(key: Any) -> str | bytes:
    if isinstance(key, Enum):
        key = key.value
    return key if isinstance(key, str | bytes) else str(key)
