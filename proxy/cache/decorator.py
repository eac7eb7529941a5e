"""`cached`: what an asynchronous function returned, given again for a while. For plugins and for any program.

A hundred calls at once are one: the first begins the work in a task of its own, the others wait for it. So a caller
that is cancelled takes nothing from the others; only when nobody waits any more is the work cancelled. Whatever it
raises reaches all who wait, and is not kept.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from proxy.cache.arguments import Arguments
from proxy.cache.cache import Cache
from proxy.cache.keys import namespace
from proxy.cache.memory import Memory
from proxy.cache.own import own_cache
from proxy.cache.stats import CacheStats
from proxy.cache.values import Values
from proxy.clock import Clock

P = ParamSpec("P")
R = TypeVar("R")

MEMORY = 16 * 1024 * 1024  # bytes for a function that was given no cache
LEASE = 10.0  # seconds that another process may take to make a value, before one makes it oneself


@dataclass(slots=True)
class CachedStats:
    """What became of a function's calls.

    :ivar hits: calls that were answered from the cache.
    :ivar misses: calls that began the work.
    :ivar joined: calls that waited for work which another one had begun.
    :ivar errors: how often the work raised.
    :ivar levels: of the cache, which other functions may use as well.
    """

    hits: int = 0
    misses: int = 0
    joined: int = 0
    errors: int = 0
    levels: CacheStats = field(default_factory=CacheStats)


class _Flight:
    """Work that is under way.

    :ivar mark: of the cache, from before it began.
    """

    __slots__ = ("mark", "task", "waiting")

    def __init__(self, task: asyncio.Task[Any], mark: int) -> None:
        self.task = task
        self.mark = mark
        self.waiting = 0


class Cached(Generic[P, R]):
    """An asynchronous function with a memory; made by `cached`."""

    def __init__(
        self,
        function: Callable[P, Awaitable[R]],
        prefix: str,
        ttl: float,
        *,
        cache: Cache[Any] | None,
        redis: str,
        tags: Collection[str],
        ignore: Collection[str],
    ) -> None:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__qualname__} is not an async function, and only those can be cached")
        if ttl <= 0:
            raise ValueError(f"ttl is a number of seconds above 0, not {ttl}")
        self.__wrapped__ = function
        update_wrapper(self, function)
        self._prefix = namespace(prefix)
        self._ttl = ttl
        self._cache = cache
        self._redis = redis
        self._tags = tuple(tags)
        self._arguments = Arguments(function, ignore)
        self._flights: dict[bytes, _Flight] = {}
        self._stats = CachedStats()

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns for these arguments.

        :raises TypeError: when an argument has no key, or the result cannot be stored where it is to be shared.
        """
        key = self._key(args, kwargs)
        cache = self.cache
        found = cache.peek(key)
        if found is None:
            found = await self._shared(key, cache, args, kwargs)
        else:
            self._stats.hits += 1
        return cast("R", found[0])

    @property
    def cache(self) -> Cache[Any]:
        """Where results are kept."""
        if self._redis and self._cache is None:
            return own_cache(self._redis, self._prefix, MEMORY)
        if self._cache is None:
            codec = Values()
            self._cache = Cache(self._prefix, codec, Memory(MEMORY, Clock(), codec.size))
        return self._cache

    def use(self, cache: Cache[Any]) -> None:
        """Keep results in this one from now on: a plugin does so in `start`, with what `services.cache` gave it."""
        self._cache = cache

    async def _shared(self, key: bytes, cache: Cache[Any], args: Any, kwargs: Any) -> tuple[Any]:
        """Wait for the work, which somebody may have begun already."""
        flight = self._flights.get(key)
        if flight is None or cache.purged(flight.mark, key, self._tags):
            flight = self._begin(key, cache, args, kwargs)
        else:
            self._stats.joined += 1
        flight.waiting += 1
        try:
            return cast("tuple[Any]", await asyncio.shield(flight.task))
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._land(key, flight)
                flight.task.cancel()

    def _begin(self, key: bytes, cache: Cache[Any], args: Any, kwargs: Any) -> _Flight:
        mark = cache.mark()
        task = asyncio.get_running_loop().create_task(self._fetch(key, cache, mark, args, kwargs))
        flight = self._flights[key] = _Flight(task, mark)
        task.add_done_callback(lambda done: self._landed(key, flight, done))
        return flight

    def _landed(self, key: bytes, flight: _Flight, task: asyncio.Task[Any]) -> None:
        self._land(key, flight)
        if not task.cancelled() and task.exception() is not None:
            self._stats.errors += 1

    def _land(self, key: bytes, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _fetch(self, key: bytes, cache: Cache[Any], mark: int, args: Any, kwargs: Any) -> tuple[Any]:
        found = await cache.get(key)
        if found is None:
            found = await cache.elsewhere(key, LEASE)
        if found is not None:
            self._stats.hits += 1
            return cast("tuple[Any]", found)
        self._stats.misses += 1
        try:
            result = (await self.__wrapped__(*args, **kwargs),)
            await cache.set(key, result, ttl=self._ttl, tags=self._tags, since=mark)
        except BaseException:
            await cache.release(key)
            raise
        return result

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget what was returned for these arguments, everywhere; whether there was something.

        Work that is under way for them is not stored, and later calls do not wait for it.
        """
        key = self._key(args, kwargs)
        self._flights.pop(key, None)
        return await self.cache.delete(key)

    async def invalidate_all(self) -> int:
        """Forget all results, everywhere; how many there were."""
        self._flights.clear()
        return await self.cache.purge_prefix(self._prefix)

    def stats(self) -> CachedStats:
        """What became of the calls so far, and of the levels below."""
        self._stats.levels = self.cache.stats
        return self._stats

    def _key(self, args: Any, kwargs: Any) -> bytes:
        return self._prefix + self._arguments.key(args, kwargs)

    @overload
    def __get__(self, instance: None, owner: type) -> Cached[P, R]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> BoundCached[R]: ...

    def __get__(self, instance: object, owner: type) -> Any:
        """As a method: the instance is its first argument."""
        return self if instance is None else BoundCached(self, instance)


class BoundCached(Generic[R]):
    """A `Cached` as the method of an instance."""

    __slots__ = ("_cached", "_instance")

    def __init__(self, cached_: Cached[..., R], instance: object) -> None:
        self._cached = cached_
        self._instance = instance

    async def __call__(self, *args: Any, **kwargs: Any) -> R:
        """:see: `Cached.__call__`."""
        return await self._cached(self._instance, *args, **kwargs)

    async def invalidate(self, *args: Any, **kwargs: Any) -> bool:
        """:see: `Cached.invalidate`, for this instance."""
        return await self._cached.invalidate(self._instance, *args, **kwargs)

    async def invalidate_all(self) -> int:
        """:see: `Cached.invalidate_all`; of all instances."""
        return await self._cached.invalidate_all()

    def use(self, cache: Cache[Any]) -> None:
        """:see: `Cached.use`; for all instances."""
        self._cached.use(cache)

    def stats(self) -> CachedStats:
        """:see: `Cached.stats`; of all instances."""
        return self._cached.stats()


def cached(
    prefix: str,
    ttl: float,
    *,
    cache: Cache[Any] | None = None,
    redis: str = "",
    tags: Collection[str] = (),
    ignore: Collection[str] = (),
) -> Callable[[Callable[P, Awaitable[R]]], Cached[P, R]]:
    """Keep what an async function or method returns.

    :param prefix: of its keys; functions with the same prefix share results.
    :param ttl: seconds that a result is given again.
    :param cache: where to keep results: what `services.cache(name, Values())` gives; None: memory of its own, 16 MiB.
    :param redis: URL of a Redis to share results through, for programs without a gateway.
    :param tags: what its results can be purged by.
    :param ignore: names of parameters that make no difference to the result.
    :raises TypeError: when the function is not async, or has no such parameter.
    :raises ValueError: when `ttl` is not above 0.
    """
    return lambda function: Cached(function, prefix, ttl, cache=cache, redis=redis, tags=tags, ignore=ignore)
