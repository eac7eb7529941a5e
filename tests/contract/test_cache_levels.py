"""One suite for every level as a backend of aiocache: memory, a real Redis, and both."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from aiocache import cached
from aiocache.base import BaseCache
from aiocache.lock import OptimisticLock, OptimisticLockError, RedLock

from proxy.cache.backends import MemoryCache, RedisCache, TieredCache
from tests.unit.cache.nodes import Server, become, serving


@dataclass(frozen=True)
class Given:
    """A server that is there already."""

    url: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server | Given]:
    """A Redis of this module, or the one that PASSERELLE_TEST_REDIS names."""
    if url := os.environ.get("PASSERELLE_TEST_REDIS"):
        yield Given(url)
        return
    yield from serving(tmp_path_factory.mktemp("redis"))


@pytest.fixture(params=["memory", "redis", "tiered"])
async def level(request: pytest.FixtureRequest, server: Server | Given) -> AsyncIterator[Any]:
    kinds: dict[str, Callable[[], Any]] = {
        "memory": MemoryCache,
        "redis": lambda: RedisCache(server.url, patience=5),
        "tiered": lambda: TieredCache(server.url, patience=5),
    }
    made = kinds[request.param]()
    await made.levels.clear()
    yield made
    await made.close()


class Word(Enum):
    KEY = "key"


def test_each_is_one_of_aiocaches(level: Any) -> None:
    assert isinstance(level, BaseCache)


@pytest.mark.parametrize("value", [0, "", False, b"\x00\xff", [1, (2, None)], {"a": {1}}, 1.5, 2**80])
async def test_what_is_set_comes_back_as_it_was(level: Any, value: Any) -> None:
    assert await level.set("key", value, ttl=60) is True
    found = await level.get("key")
    assert (found, type(found)) == (value, type(value))


async def test_what_is_not_there_is_the_default(level: Any) -> None:
    assert (await level.get("none"), await level.get("none", default=5)) == (None, 5)
    assert await level.exists("none") is False
    assert await level.delete("none") == 0


async def test_time_to_live(level: Any) -> None:
    await level.set("short", "v", ttl=0.03)
    await level.set("long", "v", ttl=60)
    await level.set("good", "v")
    async with asyncio.timeout(5):
        while await level.exists("short"):
            await asyncio.sleep(0)
    assert [await level.exists(key) for key in ("long", "good")] == [True, True]


async def test_expiry_can_be_changed(level: Any) -> None:
    await level.set("key", "v")
    assert (await level.expire("key", 0.03), await level.expire("none", 5)) == (True, False)
    async with asyncio.timeout(5):
        while await level.exists("key"):
            await asyncio.sleep(0)
    await level.set("key", "v", ttl=60)
    assert await level.expire("key", 0) is True
    assert await level.get("key") == "v"


async def test_several_at_once(level: Any) -> None:
    assert await level.multi_set([("a", 1), ("b", 2)], ttl=60) is True
    assert await level.multi_get(["b", "none", "a"]) == [2, None, 1]


async def test_adding_is_for_what_is_not_there(level: Any) -> None:
    assert await level.add("key", "v", ttl=60) is True
    with pytest.raises(ValueError, match="already exists"):
        await level.add("key", "other")
    assert await level.get("key") == "v"


async def test_of_many_who_add_one_succeeds(level: Any) -> None:
    done = await asyncio.gather(*(level.add("key", number) for number in range(20)), return_exceptions=True)
    assert sum(1 for one in done if one is True) == 1


async def test_counting_loses_nothing(level: Any) -> None:
    assert await level.increment("n", delta=5) == 5
    for _ in range(10):
        await level.increment("n")
    await asyncio.gather(*(level.increment("n", delta=-1) for _ in range(3)))
    assert await level.get("n") == 12
    await level.set("text", "x")
    with pytest.raises(TypeError):
        await level.increment("text")


async def test_namespaces_do_not_meet(level: Any) -> None:
    await level.set("2key", "one", namespace="acme")
    await level.set("key", "two", namespace="acme2")
    await level.set("acme2key", "none")
    assert await level.get("2key", namespace="acme") == "one"
    assert await level.clear(namespace="acme") is True
    assert await level.get("2key", namespace="acme") is None
    assert [await level.get("key", namespace="acme2"), await level.get("acme2key")] == ["two", "none"]
    assert await level.clear() is True
    assert [await level.get("key", namespace="acme2"), await level.get("acme2key")] == ["two", None]


async def test_keys_of_other_kinds(level: Any) -> None:
    await level.set(Word.KEY, "v")
    await level.set(5, "five")
    assert [await level.get("key"), await level.get("5")] == ["v", "five"]


async def test_a_lock_lets_in_one_after_the_other(level: Any) -> None:
    inside = most = 0

    async def enter() -> None:
        nonlocal inside, most
        async with RedLock(level, "key", lease=2):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(enter(), enter())
    assert most == 1


async def test_an_optimistic_lock_notices_others(level: Any) -> None:
    await level.set("key", "old")
    async with OptimisticLock(level, "key") as lock:
        await lock.cas("new")
        assert await level.get("key") == "new"
        with pytest.raises(OptimisticLockError):
            await lock.cas("newer")


async def test_aiocaches_own_decorator_works_on_it(level: Any) -> None:
    calls: list[int] = []

    async def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    decorator = cached(ttl=60, namespace="ns")
    decorator.cache = level
    with_memory = decorator(double)
    decorator.cache = level
    assert [await with_memory(2), await with_memory(2)] == [4, 4]


async def test_what_cannot_be_written_is_refused_where_it_would_be(server: Server | Given) -> None:
    tiered, memory = TieredCache(server.url, patience=5), MemoryCache()
    with pytest.raises(TypeError, match="cannot be stored"):
        await tiered.set("key", object())
    assert await tiered.get("key") is None
    await memory.set("key", found := object())
    assert await memory.get("key") is found
    await tiered.close()


async def test_memory_is_bounded_in_bytes() -> None:
    memory = MemoryCache(memory=50_000)
    for number in range(200):
        await memory.set(number, "x" * 1000)
    assert memory.levels.stats.l1.bytes <= 50_000
    assert (await memory.get(0), await memory.get(199)) == (None, "x" * 1000)


async def test_two_tiers_agree(server: Server | Given) -> None:
    one, two = TieredCache(server.url, patience=5), TieredCache(server.url, patience=5)
    tiers: list[Any] = [one, two]
    assert all(tier.levels.shared is not None for tier in tiers)
    await become(lambda: all(tier._own.caches.redis == "up" for tier in tiers))
    await one.set("key", "old")
    assert await two.get("key") == "old"
    await one.set("key", "new")
    async with asyncio.timeout(0.5):
        while await two.get("key") != "new":
            await asyncio.sleep(0)
    await one.close()
    await two.close()
