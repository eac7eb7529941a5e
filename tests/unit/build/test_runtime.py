"""What outlives a configuration: background work, and the shared session."""

from __future__ import annotations

import asyncio

import pytest

from proxy.build import Runtime
from proxy.events import CacheCorrupt, Event
from proxy.server.admin_routes import AdminRoutes
from tests.unit.cache.texts import Texts


async def test_background_work_is_cancelled_at_the_end(runtime: Runtime) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = runtime.spawn(endless())
    await began.wait()
    await runtime.close()
    assert ended.is_set()
    assert task.cancelled()
    assert runtime.session.closed


async def test_an_error_in_the_background_is_logged(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise RuntimeError("lost otherwise")

    with pytest.raises(RuntimeError):
        await runtime.spawn(broken())
    await asyncio.sleep(0)
    assert "a background task failed" in caplog.text
    assert "lost otherwise" in caplog.text


async def test_two_runtimes_share_nothing(runtime: Runtime) -> None:
    other = Runtime(runtime.admin)
    assert other.token != runtime.token
    assert other.metrics is not runtime.metrics
    await other.close()


def _exposed(runtime: Runtime) -> set[str]:
    return {line for line in runtime.metrics.exposition()[0].decode().splitlines() if not line.startswith("#")}


async def test_corrupt_entries_are_told_with_as_much_of_their_key_as_fits(runtime: Runtime) -> None:
    told: list[Event] = []
    runtime.events.subscribe(CacheCorrupt, told.append)
    runtime.caches.corrupt("shop/pages", b"\xff" + b"k" * 300, "it is cut")
    assert told[0].data() == {"cache": "shop/pages", "key": "\ufffd" + "k" * 199, "reason": "it is cut", "count": 1}


async def test_what_caches_do_is_exposed(runtime: Runtime) -> None:
    cache = runtime.caches.lend("shop", "pages", Texts())
    cache.put("k", "v", ttl=10)
    assert (cache.peek("k"), cache.peek("none")) == ("v", None)
    shown = _exposed(runtime)
    assert 'passerelle_cache_hits_total{cache="shop/pages",level="memory"} 1.0' in shown
    assert 'passerelle_cache_misses_total{cache="shop/pages",level="memory"} 1.0' in shown
    assert 'passerelle_cache_entries{cache="shop/pages"} 1.0' in shown
    assert not any(line.startswith("passerelle_redis") for line in shown)
    assert runtime.caches.redis == "none"


async def test_a_redis_that_is_not_there_is_told_of_and_costs_misses_only() -> None:
    runtime = Runtime(AdminRoutes(), redis="unix:///nowhere/redis.sock", share=2)
    try:
        cache = runtime.caches.lend("shop", "pages", Texts(), memory=40_000)
        for number in range(20):
            assert await cache.get(f"{number}") is None
            await cache.set(f"{number}", "v" * 2000, ttl=10)
        assert cache.peek("19") == "v" * 2000
        assert cache.stats.l1.bytes <= 20_000
        assert runtime.caches.redis == "down"
        assert {"passerelle_redis_up 0.0", "passerelle_redis_listening 0.0"} <= _exposed(runtime)
    finally:
        await runtime.close()
