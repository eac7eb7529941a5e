"""One cache's level in Redis: what several gateways have in common. It is asked, and never relied upon.

    passerelle:cache:<namespace>e<key>   an entry, in an envelope, with its time to live
    passerelle:cache:<namespace>t<tag>   the entries with a tag: a sorted set, by the time at which they end
    passerelle:cache:<namespace>l<key>   who makes the value now

A namespace is length-prefixed, so no cache sees another's keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

from proxy.cache import scripts
from proxy.cache.codec import Codec, CorruptEntry, Softening
from proxy.cache.coherence import CHANNEL, COUNTER, Change, Coherence
from proxy.cache.envelope import seal, unseal
from proxy.cache.link import Command, Link, Unreachable
from proxy.cache.purge import Purge
from proxy.cache.removal import Removal
from proxy.cache.stats import LevelStats

T = TypeVar("T")


class Found(Generic[T]):
    """An entry as it was read.

    :ivar ttl: seconds that it has left; None for no end.
    """

    __slots__ = ("tags", "ttl", "value")

    def __init__(self, value: T, ttl: float | None, tags: tuple[str, ...]) -> None:
        self.value = value
        self.ttl = ttl
        self.tags = tags


class Shared(Generic[T]):
    """The level.

    :param corrupt: told of entries that cannot be read: the key, and what is wrong.
    """

    def __init__(
        self, link: Link, coherence: Coherence, name: bytes, codec: Codec[T], corrupt: Callable[[bytes, str], None]
    ) -> None:
        self.stats = LevelStats()
        self.link = link
        self.coherence = coherence
        self._name = name
        self._codec = codec
        self._corrupt = corrupt
        self.removal = Removal(link, coherence, name)
        self._entries, self._tags, self._leases = self.removal.entries, self.removal.tags, self.removal.leases

    async def get(self, key: bytes) -> Found[T] | None:
        """The entry, or None for whatever reason."""
        full = self._entries + key
        try:
            data, left = await self.link.read(("GET", full), ("PTTL", full))
        except Unreachable:
            self._failed()
            return None
        if data is None:
            self.stats.misses += 1
            return None
        if isinstance(data, Exception) or not isinstance(left, int):
            self._failed()
            return None
        found = self._opened(key, full, data, left)
        if found is None or self.coherence.blocks(self._name, key, found.tags):
            self.stats.misses += 1
            return None
        self.stats.hits += 1
        return found

    def _failed(self) -> None:
        self.stats.failures += 1
        self.stats.misses += 1

    def _opened(self, key: bytes, full: bytes, data: Any, left: int) -> Found[T] | None:
        try:
            if not isinstance(data, bytes):
                raise CorruptEntry("it is no entry")
            opened = unseal(full, data)
            value = self._codec.decode(opened.value)
            if opened.soft and isinstance(self._codec, Softening):
                value = self._codec.softened(value)
            return Found(value, None if left < 0 else left / 1000, opened.tags)
        except CorruptEntry as error:
            self.stats.corrupt += 1
            self._corrupt(key, str(error))
            return None

    async def set(self, key: bytes, value: bytes, ttl: float | None, tags: Collection[str]) -> bool:
        """Store an entry, written by its codec; whether that was done."""
        try:
            (done,) = await self.link.write(self._store(key, value, ttl, tags))
        except Unreachable:
            self.stats.failures += 1
            return False
        return self._stored(done)

    def post(
        self, key: bytes, value: bytes, ttl: float | None, tags: Collection[str], wanted: Callable[[], bool]
    ) -> None:
        """Store an entry in the background, if it is still wanted when its turn comes."""
        try:
            future = self.link.post(self._store(key, value, ttl, tags), wanted=wanted)
        except Unreachable:
            self.stats.dropped += 1
            return
        future.add_done_callback(lambda done: self._posted(done.exception(), done))

    def _posted(self, error: BaseException | None, done: Any) -> None:
        if error is None:
            self._stored(done.result()[0])
        else:
            self.stats.dropped += 1

    def _stored(self, reply: Any) -> bool:
        if isinstance(reply, Exception):
            self.stats.failures += 1
            self.link.complain(reply)
            return False
        self.stats.refused += reply != 1
        return bool(reply == 1)

    def _store(self, key: bytes, value: bytes, ttl: float | None, tags: Collection[str]) -> Command:
        full, tags = self._entries + key, tuple(dict.fromkeys(tags))
        names = [self._tags + tag.encode("utf-8", "surrogateescape") for tag in tags]
        milliseconds = 0 if ttl is None else max(1, int(ttl * 1000))
        keys: Command = (full, self._leases + key, COUNTER, *names)
        data = seal(full, value, tags)
        message = self.coherence.message(Purge(self._name, "key", key), Change.STORED)
        values: Command = (data, milliseconds, self.coherence.last, CHANNEL, message)
        return ("EVAL", scripts.STORE, len(keys), *keys, *values)

    async def lease(self, key: bytes, seconds: float) -> bool:
        """Whether nobody else holds it now, as far as one can tell."""
        milliseconds = max(1, int(seconds * 1000))
        try:
            (reply,) = await self.link.read(("SET", self._leases + key, self.coherence.node, "NX", "PX", milliseconds))
        except Unreachable:
            return True
        return reply is not None

    async def release(self, key: bytes) -> None:
        """Give a lease back, if it is one's own."""
        try:
            await self.link.read(("EVAL", scripts.RELEASE, 1, self._leases + key, self.coherence.node))
        except Unreachable:
            return  # it ends by itself
