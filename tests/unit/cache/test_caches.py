from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from proxy.cache import Cache, Caches, Purge
from proxy.clock import ManualClock
from tests.unit.cache.texts import Texts


class Other(Texts):
    """Another kind of text."""


class Process:
    """The caches of one process, and what is done for it in the background."""

    def __init__(self, share: int = 1) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.caches = Caches(ManualClock(), self._spawn, share=share)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self.tasks.append(asyncio.ensure_future(work))
        return self.tasks[-1]

    async def done(self) -> None:
        await asyncio.gather(*self.tasks)


async def test_one_name_is_one_cache_and_owners_do_not_meet() -> None:
    caches = Process().caches
    one, same = caches.lend("a", "bc", Texts()), caches.lend("a", "bc", Texts())
    other = caches.lend("ab", "c", Texts())
    one.put("k", "v", ttl=10)
    assert same is one
    assert other.peek("k") is None


async def test_without_a_codec_it_is_for_plain_values() -> None:
    caches = Process().caches
    cache: Cache[dict[str, int]] = caches.lend("a", "b")
    cache.put("k", {"v": 1}, ttl=10)
    assert cache.peek("k") == {"v": 1}
    same: Cache[dict[str, int]] = caches.lend("a", "b")
    assert same is cache


async def test_it_lasts_as_long_as_somebody_holds_it() -> None:
    caches = Process().caches
    first = caches.lend("a", "b", Texts())
    first.put("k", "v", ttl=10)
    second = caches.lend("a", "b", Texts(), memory=1 << 20, max_object=5)
    caches.release(first)
    assert (second.peek("k"), second.max_object) == ("v", 5)
    caches.release(second)
    assert caches.lend("a", "b", Texts()).peek("k") is None


async def test_less_memory_holds_at_once() -> None:
    caches = Process().caches
    cache = caches.lend("a", "b", Texts())
    for number in range(100):
        cache.put(f"{number}", "x" * 1000, ttl=10)
    caches.lend("a", "b", Texts(), memory=20_000)
    assert 0 < cache.stats.l1.entries < 20


async def test_values_of_another_kind_are_never_given_out() -> None:
    caches = Process().caches
    old = caches.lend("a", "b", Texts())
    old.put("k", "v", ttl=10)
    new = caches.lend("a", "b", Other())
    assert new.peek("k") is None
    caches.release(old)
    assert caches.lend("a", "b", Other()) is new


async def test_processes_share_the_memory() -> None:
    cache = Process(share=4).caches.lend("a", "b", Texts(), memory=40_000)
    for number in range(100):
        cache.put(f"{number}", "x" * 1000, ttl=10)
    assert cache.stats.l1.bytes <= 10_000


async def test_a_purge_reaches_the_other_process_once() -> None:
    one, two = Process(), Process()
    told: list[Purge] = []
    one.caches.upward = told.append
    two.caches.upward = told.append
    here, there = (process.caches.lend("a", "b", Texts()) for process in (one, two))
    there.put("k", "v", ttl=10, tags=["t"])
    await here.purge_tag("t")
    two.caches.heard(told[0])
    two.caches.heard(Purge(b"of nobody", "key", b"k"))
    await two.done()
    assert there.peek("k") is None
    assert len(told) == 1


async def test_redis_is_not_taken_for_granted() -> None:
    with pytest.raises(ValueError, match="needs Redis"):
        Process().caches.lend("a", "b", Texts(), redis=True)
