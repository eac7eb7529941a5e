"""What is to be forgotten, as a message between caches that hold copies of the same; and the memory of it.

A value may be on its way into a cache while it is purged: read from a shared store, or made from what was true before.
Stored afterwards it would outlive the purge. So every cache keeps the last purges in mind, and refuses what they met.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

Scope: TypeAlias = Literal["key", "tag", "prefix"]

_KEPT = 1024  # purges in mind


@dataclass(frozen=True, slots=True)
class Purge:
    """What is to be forgotten.

    :ivar namespace: of the cache that it concerns; see `proxy.cache.keys.namespace`.
    :ivar what: a key, a tag in UTF-8, or what keys begin with: b"" is all.
    :ivar soft: whether it is only outdated now, and not to be forgotten; of a tag only.
    """

    namespace: bytes
    scope: Scope
    what: bytes
    soft: bool = False

    def meets(self, key: bytes, tags: Collection[str]) -> bool:
        """Whether an entry with this key and these tags is to be forgotten."""
        if self.scope == "key":
            return key == self.what
        if self.scope == "tag":
            return self.what.decode("utf-8", "surrogateescape") in tags
        return key.startswith(self.what)


class Purges:
    """The last purges of one cache, numbered."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._last: deque[Purge] = deque(maxlen=kept)
        self._count = 0

    @property
    def mark(self) -> int:
        """How many there were: to be taken before the making of a value begins."""
        return self._count

    def add(self, purge: Purge) -> None:
        """Keep one in mind."""
        self._last.append(purge)
        self._count += 1

    def met(self, since: int, key: bytes, tags: Collection[str]) -> bool:
        """Whether an entry was purged since a mark. When that is too long ago to know, it was."""
        fresh = self._count - since
        if fresh > len(self._last):
            return True
        return any(self._last[-at].meets(key, tags) for at in range(1, fresh + 1))
