"""What caches have done and hold, for the exposition: read when somebody asks, so that counting costs an addition."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from proxy.cache.caches import Caches
from proxy.cache.stats import LevelStats
from proxy.metrics import Labels, Metrics

_LEVEL = ("cache", "level")


def register(metrics: Metrics, caches: Caches) -> None:
    """Tell of these caches from now on, and of the Redis behind them if there is one."""

    def each(read: Callable[[LevelStats], float]) -> Callable[[], dict[Labels, float]]:
        return lambda: {labels: read(stats) for labels, stats in _levels(caches)}

    for name, about, read in (
        ("hits", "Look-ups that gave a value.", lambda stats: stats.hits),
        ("misses", "Look-ups that gave none.", lambda stats: stats.misses),
        ("evictions", "Entries that went for want of room.", lambda stats: stats.evictions),
        ("refused", "Values not stored: too large, or purged while they were made.", lambda stats: stats.refused),
        ("corrupt", "Entries that could not be read.", lambda stats: stats.corrupt),
        ("failures", "Operations without an answer in time.", lambda stats: stats.failures),
        ("dropped", "Writes in the background that were given up.", lambda stats: stats.dropped),
    ):
        metrics.counter(f"passerelle_cache_{name}_total", about, _LEVEL, each(read))
    metrics.gauge("passerelle_cache_bytes", "Memory that entries take.", ("cache",), _held(caches, lambda s: s.bytes))
    metrics.gauge("passerelle_cache_entries", "Entries in memory.", ("cache",), _held(caches, lambda s: s.entries))
    if caches.link is not None:
        _register_redis(metrics, caches)


def _register_redis(metrics: Metrics, caches: Caches) -> None:
    link, coherence = caches.link, caches.coherence
    if link is None:
        return
    metrics.gauge("passerelle_redis_up", "1 while Redis is asked.", function=lambda: float(not link.breaker.open))
    metrics.gauge("passerelle_redis_listening", "1 while changes are heard of.", function=lambda: coherence.listening)
    metrics.gauge("passerelle_redis_owed", "Purges Redis was not told of.", function=lambda: len(coherence.owed))
    metrics.counter(
        "passerelle_redis_outages_total", "Times that Redis was given up.", function=lambda: link.breaker.opened
    )


def _levels(caches: Caches) -> Iterator[tuple[Labels, LevelStats]]:
    for title, cache in caches.all:
        stats = cache.stats
        yield (title, "memory"), stats.l1
        if stats.l2 is not None:
            yield (title, "redis"), stats.l2


def _held(caches: Caches, read: Callable[[LevelStats], float]) -> Callable[[], dict[Labels, float]]:
    return lambda: {(title,): read(cache.stats.l1) for title, cache in caches.all}
