"""What a level has done, in plain numbers that are cheap to count."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class LevelStats:
    """One level's.

    :ivar hits: look-ups that gave a value.
    :ivar misses: look-ups that gave none.
    :ivar evictions: entries that went for want of room.
    :ivar refused: values that were not stored: larger than `max_object`, or gone from all levels since they were made.
    :ivar corrupt: entries that could not be read.
    :ivar failures: operations that failed or took too long, and counted as misses.
    :ivar dropped: writes in the background that were given up, since too many waited.
    :ivar bytes: what the entries take, overhead included; of this process's memory only.
    :ivar entries: how many there are; of this process's memory only.
    """

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    refused: int = 0
    corrupt: int = 0
    failures: int = 0
    dropped: int = 0
    bytes: int = 0
    entries: int = 0


@dataclass(slots=True)
class CacheStats:
    """A cache's levels apart.

    :ivar l1: the memory of this process.
    :ivar l2: the store that gateways share; None when there is none.
    """

    l1: LevelStats = field(default_factory=LevelStats)
    l2: LevelStats | None = None
