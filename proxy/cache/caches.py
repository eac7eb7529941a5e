"""All caches of a process: who has which, and how one hears what another has purged.

A cache belongs to whoever asked for it, by name, and outlives a reload as long as somebody holds it: the plugin that a
reload has made anew finds what the one before had stored.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from proxy.cache.cache import MAX_OBJECT, Cache
from proxy.cache.codec import Codec
from proxy.cache.keys import namespace
from proxy.cache.memory import DEFAULT_MEMORY, Memory
from proxy.cache.purge import Purge
from proxy.clock import Clock

T = TypeVar("T")


class _Lent:
    """A cache and how many hold it."""

    __slots__ = ("cache", "holders")

    def __init__(self, cache: Cache[Any]) -> None:
        self.cache = cache
        self.holders = 0


class Caches:
    """The caches of one process.

    :param spawn: runs something in the background.
    :ivar share: how many processes the memory of a cache is divided among.
    :ivar upward: given every purge that the other processes of this machine must hear of.
    """

    def __init__(self, clock: Clock, spawn: Callable[[Coroutine[Any, Any, None]], Any], *, share: int = 1) -> None:
        self.share = share
        self.upward: Callable[[Purge], None] = _nobody
        self._clock = clock
        self._spawn = spawn
        self._lent: dict[bytes, _Lent] = {}

    def lend(
        self,
        owner: str,
        name: str,
        codec: Codec[T],
        *,
        memory: int = DEFAULT_MEMORY,
        redis: bool | None = None,
        max_object: int = MAX_OBJECT,
    ) -> Cache[T]:
        """The cache of that name, to be given back by `release`.

        One that is in use is given as it is, with the limits that are asked for now; unless its values are of another
        codec's kind: then it begins anew.

        :raises ValueError: when `redis` is asked for and there is none.
        """
        if redis:
            raise ValueError("this cache needs Redis, and none is configured (redis)")
        full = namespace(owner, name)
        lent = self._lent.get(full)
        if lent is None or type(lent.cache.codec) is not type(codec):
            lent = self._lent[full] = _Lent(self._made(full, codec, memory))
        lent.holders += 1
        lent.cache.max_object = max_object
        lent.cache.memory.resize(memory // self.share)
        return lent.cache

    def _made(self, full: bytes, codec: Codec[T], memory: int) -> Cache[T]:
        level = Memory(memory // self.share, self._clock, codec.size)
        return Cache(full, codec, level, tell=self._tell)

    def release(self, cache: Cache[Any]) -> None:
        """Be done with it; it is forgotten when nobody else holds it."""
        lent = self._lent.get(cache.name)
        if lent is None or lent.cache is not cache:
            return
        lent.holders -= 1
        if not lent.holders:
            del self._lent[cache.name]

    def heard(self, purge: Purge) -> None:
        """Another process has purged something."""
        lent = self._lent.get(purge.namespace)
        if lent is not None:
            self._spawn(_forget(lent.cache, purge))

    def _tell(self, purge: Purge) -> None:
        self.upward(purge)


async def _forget(cache: Cache[Any], purge: Purge) -> None:
    await cache.forget(purge)


def _nobody(purge: Purge) -> None:
    """A process that is alone has nobody to tell."""
