"""The level in this process's memory: least recently used goes first, bounded in bytes, everything in O(1).

A limit that counts only bodies is exceeded threefold by small ones, so all that an entry takes is counted: the value by
its codec, the key, our own objects, the tables that find them. Looking up is synchronous, because a hit is answered
before any task exists.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from math import inf
from sys import getsizeof
from typing import Generic, TypeVar

from proxy.cache.stats import LevelStats
from proxy.clock import Clock

T = TypeVar("T")

DEFAULT_MEMORY = 64 * 1024 * 1024  # bytes
_NUMBERS = getsizeof(0.5) + getsizeof(1 << 29)  # an entry's time and its size


class Entry(Generic[T]):
    """A value that is kept.

    :ivar expires: monotonic time from which on it is none.
    :ivar era: of the memory, when it came; see `Memory.distrust`.
    :ivar size: bytes that go with it.
    """

    __slots__ = ("era", "expires", "size", "tags", "value")

    def __init__(self, value: T, era: int, expires: float, tags: tuple[str, ...]) -> None:
        self.value = value
        self.era = era
        self.expires = expires
        self.tags = tags
        self.size = 0


_ENTRY = getsizeof(Entry(None, 0, 0.0, ())) + _NUMBERS


class Memory(Generic[T]):
    """Entries by key, the least recently used first.

    :param limit: bytes, overhead included.
    :param size: bytes that a value takes.
    :param trust: seconds after which an entry counts as none however long it was to live: for a copy of what others
        may change, and of which a notice may be lost.
    :ivar stats: counted here; `bytes` and `entries` are kept up to date.
    """

    def __init__(self, limit: int, clock: Clock, size: Callable[[T], int], *, trust: float = inf) -> None:
        self.stats = LevelStats()
        self.trust = trust
        self._limit = limit
        self._now = clock.monotonic
        self._size = size
        self._era = 0
        self._held = 0  # bytes of entries and of the tags' sets; the tables are asked for theirs
        self._entries: OrderedDict[bytes, Entry[T]] = OrderedDict()
        self._tagged: dict[str, set[bytes]] = {}

    def peek(self, key: bytes) -> T | None:
        """The value, or None; it is then the most recently used."""
        entry = self._entries.get(key)
        if entry is not None:
            if entry.expires > self._now() and entry.era == self._era:
                self._entries.move_to_end(key)
                self.stats.hits += 1
                return entry.value
            self.drop(key)
        self.stats.misses += 1
        return None

    def look(self, key: bytes) -> T | None:
        """The value, or None; nothing is counted, and nothing becomes the most recently used."""
        entry = self._entries.get(key)
        return entry.value if entry is not None and self._alive(entry) else None

    def store(self, key: bytes, value: T, ttl: float | None = None, tags: Collection[str] = ()) -> bool:
        """Keep a value in place of the one before.

        :param ttl: seconds; None for as long as there is room.
        :returns: False when it alone is over the limit, or its time is over: nothing is kept under that key then.
        """
        self._take(key)
        if ttl is not None and ttl <= 0:
            self._settle()
            return False
        now = self._now()
        entry = Entry(value, self._era, now + min(inf if ttl is None else ttl, self.trust), tuple(dict.fromkeys(tags)))
        entry.size = _ENTRY + getsizeof(key) + self._size(value) + (getsizeof(entry.tags) if entry.tags else 0)
        if entry.size > self._limit:
            self.stats.refused += 1
            self._settle()
            return False
        self._entries[key] = entry
        self._held += entry.size
        for tag in entry.tags:
            self._tag(tag, key)
        self._settle()
        return key in self._entries

    def replace(self, key: bytes, old: T, new: T) -> bool:
        """Keep a value in the place of an equal one, for the rest of its time; whether that one was there."""
        entry = self._entries.get(key)
        if entry is None or not self._alive(entry) or entry.value != old:
            return False
        left = entry.expires - self._now()
        return self.store(key, new, None if left == inf else left, entry.tags)

    def change(self, keys: Collection[bytes], change: Callable[[T], T]) -> int:
        """Put another value in the place of each of these, for the rest of its time; how many had not expired."""
        alive = 0
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None and self._alive(entry):
                alive += 1
                left = entry.expires - self._now()
                self.store(key, change(entry.value), None if left == inf else left, entry.tags)
        return alive

    def drop(self, key: bytes) -> bool:
        """Forget one; whether there was one that had not expired."""
        entry = self._take(key)
        self._settle()
        return entry is not None and self._alive(entry)

    def drop_all(self, keys: Collection[bytes]) -> int:
        """Forget these; how many had not expired."""
        taken = map(self._take, keys)
        alive = sum(1 for entry in taken if entry is not None and self._alive(entry))
        self._settle()
        return alive

    def tagged(self, tag: str) -> list[bytes]:
        """The keys of entries with that tag."""
        return list(self._tagged.get(tag, ()))

    def all_keys(self) -> list[bytes]:
        """All of them, expired ones included."""
        return list(self._entries)

    def living(self, keys: Collection[bytes]) -> int:
        """How many of these are there and have not expired; changes nothing."""
        found = (self._entries.get(key) for key in keys)
        return sum(1 for entry in found if entry is not None and self._alive(entry))

    def clear(self) -> int:
        """Forget all of them; how many had not expired."""
        alive = sum(map(self._alive, self._entries.values()))
        self._entries = OrderedDict()
        self._tagged = {}
        self._held = 0
        self._settle()
        return alive

    def distrust(self) -> None:
        """Answer with nothing that came before now: notices about it may have been lost."""
        self._era += 1

    def resize(self, limit: int) -> None:
        """Have another limit from now on."""
        self._limit = limit
        self._settle()

    def __len__(self) -> int:
        return len(self._entries)

    def _alive(self, entry: Entry[T]) -> bool:
        return entry.expires > self._now() and entry.era == self._era

    def _take(self, key: bytes) -> Entry[T] | None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._held -= entry.size
            for tag in entry.tags:
                self._untag(tag, key)
        return entry

    def _tag(self, tag: str, key: bytes) -> None:
        keys = self._tagged.get(tag)
        if keys is None:
            keys = self._tagged[tag] = set()
            self._held += getsizeof(tag) + getsizeof(keys)
        before = getsizeof(keys)
        keys.add(key)
        self._held += getsizeof(keys) - before

    def _untag(self, tag: str, key: bytes) -> None:
        keys = self._tagged[tag]
        keys.discard(key)
        if not keys:
            del self._tagged[tag]
            self._held -= getsizeof(tag) + getsizeof(keys)

    def _settle(self) -> None:
        """Make room until what is there is within the limit, and tell how much it is."""
        while self._used() > self._limit and self._entries:
            self._take(next(iter(self._entries)))
            self.stats.evictions += 1
        self.stats.bytes = self._used()
        self.stats.entries = len(self._entries)

    def _used(self) -> int:
        return self._held + getsizeof(self._entries) + getsizeof(self._tagged)
