from __future__ import annotations

from plugins.cache.counts import Counts
from proxy.api import Metrics


def test_results_by_route_and_what_each_reason_costs() -> None:
    metrics = Metrics()
    counts = Counts(metrics)
    for result, number in (("hit", 6), ("collapsed", 1), ("miss", 3)):
        for _ in range(number):
            counts.count("all", result)
    for reason, number in (("vary-miss:user-agent", 3), ("private", 1)):
        for _ in range(number):
            counts.lose("all", reason)
    assert counts.summary()["routes"] == [{"name": "all", "results": {"collapsed": 1, "hit": 6, "miss": 3}}]
    first, second = counts.losses()
    assert (first["name"], first["requests"], first["route"]) == ("vary-miss:user-agent", 3, "all")
    assert "User-Agent" in first["remedy"]
    assert second["requests"] == 1
    counts.save(7)
    again = Counts(metrics)  # the next instance, after a reload
    assert (again.summary(), again.losses()) == (counts.summary(), counts.losses())
    assert again.summary()["bytes_served"] == 7
    assert b'passerelle_cache_requests_total{result="hit",route="all"} 6.0' in metrics.exposition()[0]
