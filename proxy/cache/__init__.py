"""Cache levels: memory, bounded in bytes, and what caches of several processes tell each other."""

from proxy.cache.cache import MAX_OBJECT, Cache
from proxy.cache.caches import Caches
from proxy.cache.codec import Codec, CorruptEntry
from proxy.cache.decorator import Cached, CachedStats, cached
from proxy.cache.memory import DEFAULT_MEMORY
from proxy.cache.own import close_caches
from proxy.cache.purge import Purge
from proxy.cache.stats import CacheStats, LevelStats
from proxy.cache.values import VALUES, NotStorable, Values

__all__ = [
    "DEFAULT_MEMORY",
    "MAX_OBJECT",
    "VALUES",
    "Cache",
    "CacheStats",
    "Cached",
    "CachedStats",
    "Caches",
    "Codec",
    "CorruptEntry",
    "LevelStats",
    "NotStorable",
    "Purge",
    "Values",
    "cached",
    "close_caches",
]
