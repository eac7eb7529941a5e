"""All caches of a process: who has which, and how one hears what another has purged.

A cache belongs to whoever asked for it, by name, and outlives a reload as long as somebody holds it: the plugin that a
reload has made anew finds what the one before had stored.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any, Literal, TypeVar

from proxy.cache.cache import MAX_OBJECT, Cache
from proxy.cache.codec import Codec
from proxy.cache.coherence import Change, Coherence, Notice
from proxy.cache.keys import namespace
from proxy.cache.link import TIMEOUT, Link, Unreachable
from proxy.cache.listener import Listener
from proxy.cache.memory import DEFAULT_MEMORY, Memory
from proxy.cache.purge import Purge
from proxy.cache.removal import Removal
from proxy.cache.shared import Shared
from proxy.cache.values import VALUES
from proxy.clock import Clock

T = TypeVar("T")

log = logging.getLogger("passerelle.cache")

TRUST = 30.0  # seconds that a copy in memory is trusted without being read again, where others may change it
_CLOSING = 0.5  # seconds for what is still to be written


class _Lent:
    """A cache, what people call it, and how many hold it."""

    __slots__ = ("cache", "holders", "title")

    def __init__(self, title: str, cache: Cache[Any]) -> None:
        self.title = title
        self.cache = cache
        self.holders = 0


class Caches:
    """The caches of one process.

    :param spawn: runs something in the background.
    :param redis: URL of the Redis that gateways share; empty for none.
    :ivar share: how many processes the memory of a cache is divided among.
    :ivar upward: given every purge that the other processes of this machine must hear of.
    :ivar corrupt: given the name of the cache, the key and the reason, when an entry in Redis cannot be read.
    """

    def __init__(
        self,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        *,
        redis: str = "",
        share: int = 1,
        timeout: float = TIMEOUT,
        trust: float = TRUST,
        randomness: random.Random | None = None,
    ) -> None:
        self.share = share
        self.upward: Callable[[Purge], None] = _nobody
        self.corrupt: Callable[[str, bytes, str], None] = _nothing
        self._clock = clock
        self._spawn = spawn
        self._trust = trust
        self._lent: dict[bytes, _Lent] = {}
        self.coherence = Coherence(clock)
        self.coherence.changed = self._changed
        self.link = Link(redis, clock, spawn, timeout=timeout, randomness=randomness) if redis else None
        self.listener: Listener | None = None
        if self.link is not None:
            self.listener = Listener(self.link, self.coherence, clock, self._found, self._pay, randomness)
        self._listening: asyncio.Task[None] | None = None

    def lend(
        self,
        owner: str,
        name: str,
        codec: Codec[T] = VALUES,
        *,
        memory: int = DEFAULT_MEMORY,
        redis: bool | None = None,
        max_object: int = MAX_OBJECT,
    ) -> Cache[T]:
        """The cache of that name, to be given back by `release`.

        One that is in use is given as it is, with the limits that are asked for now; unless its values are of another
        codec's kind, or it is to be shared and was not: then it begins anew.

        :raises ValueError: when `redis` is asked for and there is none.
        """
        if redis and self.link is None:
            raise ValueError("this cache needs Redis, and none is configured (redis)")
        full, shared = namespace(owner, name), self.link is not None and redis is not False
        lent = self._lent.get(full)
        if lent is None or type(lent.cache.codec) is not type(codec) or (lent.cache.shared is not None) is not shared:
            title = f"{owner}/{name}"
            lent = self._lent[full] = _Lent(title, self._made(title, full, codec, memory, shared))
        lent.holders += 1
        lent.cache.max_object = max_object
        lent.cache.memory.resize(memory // self.share)
        return lent.cache

    def _made(self, title: str, full: bytes, codec: Codec[T], memory: int, shared: bool) -> Cache[T]:
        level = Memory(memory // self.share, self._clock, codec.size, trust=self._trust if shared else inf)
        behind: Shared[T] | None = None
        if shared and self.link is not None:
            behind = Shared(
                self.link, self.coherence, full, codec, lambda key, reason: self.corrupt(title, key, reason)
            )
            self._listen()
        return Cache(
            full,
            codec,
            level,
            behind,
            tell=self._tell,
            owe=self.coherence.owe,
        )

    def _listen(self) -> None:
        if self._listening is None and self.listener is not None:
            self._listening = self._spawn(self.listener.run())

    def release(self, cache: Cache[Any]) -> None:
        """Be done with it; it is forgotten when nobody else holds it."""
        lent = self._lent.get(cache.name)
        if lent is None or lent.cache is not cache:
            return
        lent.holders -= 1
        if not lent.holders:
            del self._lent[cache.name]

    def heard(self, purge: Purge) -> None:
        """Another process of this machine has purged something."""
        self._changed(Notice(0, b"", Change.GONE, purge))

    def _changed(self, notice: Notice) -> None:
        lent = self._lent.get(notice.purge.namespace)
        rest = None if lent is None else lent.cache.changed(notice)
        if rest is not None:
            self._spawn(_all_of(rest))

    def _tell(self, purge: Purge) -> None:
        self.upward(purge)

    def _found(self) -> None:
        """Notices are heard again: what came before may be outdated."""
        for lent in self._lent.values():
            if lent.cache.shared is not None:
                lent.cache.memory.distrust()

    async def _pay(self) -> None:
        """Make the purges that Redis could not be told of."""
        if self.link is None:
            return
        for purge in list(self.coherence.owed):
            try:
                await Removal(self.link, self.coherence, purge.namespace).remove(purge)
            except Unreachable:
                return
            self.coherence.owed.pop(purge, None)
            log.info("a purge that Redis had missed was made up for")

    @property
    def all(self) -> list[tuple[str, Cache[Any]]]:
        """Those that are lent, each with what people call it."""
        return [(lent.title, lent.cache) for lent in self._lent.values()]

    @property
    def redis(self) -> Literal["none", "up", "down"]:
        """How the Redis is that gateways share."""
        if self.link is None:
            return "none"
        unheard = self._listening is not None and not self.coherence.listening
        return "down" if unheard or self.link.breaker.open else "up"

    async def close(self) -> None:
        """Write what is still to be written, for a moment, and end all connections."""
        if self.link is None:
            return
        for _ in range(int(_CLOSING / 0.01)):
            if not self.link.busy:
                break
            await asyncio.sleep(0.01)
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self.link.close()


async def _all_of(rest: Coroutine[Any, Any, int]) -> None:
    await rest


def _nobody(purge: Purge) -> None:
    """A process that is alone has nobody to tell."""


def _nothing(*told: object) -> None:
    """Nobody wants to know."""
