"""What the cache did, counted by route and reason, and what it loses by each reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

from proxy.api import Metrics

SERVED = frozenset({"hit", "stale", "collapsed", "revalidated", "stale-error"})

_ROUTES = 1000  # whose hits are counted without looking for the counter

# What can be done about a miss of that reason; those that are not here are as they should be
REMEDIES = {
    "no-freshness": "send Cache-Control: max-age, or set ttl on the route",
    "no-store": "send no-store only where it is meant, or target gateways with CDN-Cache-Control",
    "private": "send private only for answers that are one person's, or target gateways with CDN-Cache-Control",
    "authorization": "send public or s-maxage where an answer is the same for everybody",
    "set-cookie": "do not set cookies on answers that are everybody's, or mark them as public",
    "vary-star": "name the fields that matter in Vary",
    "vary-miss": "vary on fewer fields: User-Agent and Cookie have a value for each client",
    "uri-miss": "leave parameters that make no difference out of the key (key.query), or give more memory",
    "stale": "make answers fresh for longer, and send validators and stale-while-revalidate",
    "request": "clients ask for new answers: ignore_client_no_cache",
    "too-large": "raise max_object",
    "status": "name the status in statuses, or send a lifetime with it",
    "method": "let a route store answers to POST where it only reads (methods)",
    "event-stream": "",
    "unkeyed": "remove the field before the cache, or make it part of the key (key.headers)",
    "bypass": "a field named in bypass came with the request",
}


class Counts:
    """Counters of one process: metrics, and nothing beside them, so that they go on over a reload."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests = metrics.counter(
            "passerelle_cache_requests_total", "Requests by what the cache did with them.", ("route", "result")
        )
        self._lost = metrics.counter(
            "passerelle_cache_losses_total", "Requests that went upstream, by the reason.", ("route", "reason")
        )
        self._hits: dict[str, Any] = {}  # by route, for the shortest way
        self._saved = metrics.counter("passerelle_cache_served_bytes_total", "Bytes of bodies from the cache.").child()

    def hit(self, route: str, size: int) -> bool:
        """Count a hit with a body of so many bytes, where `count` has seen a request of that route before; whether."""
        child = self._hits.get(route)
        if child is None:
            return False
        child.value += 1
        self._saved.value += size
        return True

    def count(self, route: str, result: str) -> None:
        """An exchange is over."""
        self._requests.child(route, result).value += 1
        if route not in self._hits and len(self._hits) < _ROUTES:
            self._hits[route] = self._requests.child(route, "hit")

    def save(self, size: int) -> None:
        """The cache has sent a body of so many bytes."""
        self._saved.value += size

    def lose(self, route: str, reason: str) -> None:
        """The upstream was asked, for that reason; what it is about may follow a colon."""
        self._lost.child(route, reason).value += 1

    def summary(self) -> dict[str, Any]:
        """By route how often each result; figures alone, so that those of several processes add up."""
        found: dict[str, dict[str, Any]] = {}
        for (route, result), child in sorted(self._requests.children()):
            if child.value:
                found.setdefault(route, {"name": route, "results": {}})["results"][result] = int(child.value)
        return {"routes": list(found.values()), "bytes_served": int(self._saved.value)}

    def losses(self) -> list[dict[str, Any]]:
        """What each reason costs, the dearest first: requests, the route that has most of them, the remedy."""
        by_reason: Counter[str] = Counter()
        routes: dict[str, Counter[str]] = {}
        for (route, reason), child in self._lost.children():
            by_reason[reason] += int(child.value)
            routes.setdefault(reason, Counter())[route] += int(child.value)
        return [
            {
                "name": reason,
                "requests": number,
                "route": routes[reason].most_common(1)[0][0],
                "remedy": REMEDIES.get(reason.partition(":")[0], ""),
            }
            for reason, number in by_reason.most_common()
        ]
