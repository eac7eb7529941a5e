"""One cache before a real Redis, and two of them that must agree."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proxy.cache import Cache, Purge
from proxy.cache.coherence import Change
from proxy.cache.removal import ROOT
from tests.unit.cache.nodes import Node, Server, become, nodes
from tests.unit.cache.texts import Fading, Texts


async def test_what_one_stores_the_other_finds(pair: list[Node]) -> None:
    one, two = (node.cache for node in pair)
    await one.set("k", "värde", ttl=60, tags=["red"])
    assert two.peek("k") is None
    assert await two.get("k") == "värde"
    assert two.peek("k") == "värde"
    assert two.stats.l2 is not None
    assert two.stats.l2.hits >= 1  # more when the notice of the new value came in between
    assert two.memory.tagged("red") == [b"k"]


async def test_what_is_put_arrives_without_waiting(pair: list[Node]) -> None:
    one, two = pair
    for number in range(200):
        one.cache.put(f"{number}", "v" * number, ttl=60)
    assert one.cache.peek("199") == "v" * 199
    await one.written()
    assert [len(await two.cache.get(f"{number}") or "") for number in (1, 100, 199)] == [1, 100, 199]


async def test_time_to_live_is_kept_on_both_levels(node: Node, empty: Server) -> None:
    await node.cache.set("k", "v", ttl=100)
    await node.cache.set("for good", "v", ttl=None)
    async with empty.client() as client:
        assert 99_000 < await client.pttl(ROOT + node.cache.name + b"ek") <= 100_000
        assert await client.pttl(ROOT + node.cache.name + b"efor good") == -1


async def test_a_copy_lives_no_longer_than_the_entry(pair: list[Node], empty: Server) -> None:
    one, two = pair
    await one.cache.set("k", "v", ttl=0.2)
    assert await two.cache.get("k") == "v"
    async with empty.client() as client:
        while await client.exists(ROOT + one.cache.name + b"ek"):
            pass
    await become(lambda: two.cache.peek("k") is None, 0.1)
    assert await two.cache.get("k") is None


async def test_a_new_value_is_everywhere_at_once(pair: list[Node]) -> None:
    one, two = (node.cache for node in pair)
    await one.set("k", "old", ttl=60)
    assert await two.get("k") == "old"
    await one.set("k", "new", ttl=60)
    await become(lambda: two.peek("k") is None, 0.1)
    assert (await two.get("k"), one.peek("k")) == ("new", "new")


@pytest.mark.parametrize("how", ["delete", "tag", "prefix", "clear"])
async def test_a_purge_is_everywhere_within_a_tenth_of_a_second(pair: list[Node], how: str) -> None:
    one, two = (node.cache for node in pair)
    await one.set("/a/1", "v", ttl=60, tags=["red"])
    await one.set("/b", "v", ttl=60, tags=["blue"])
    assert [await two.get(key) for key in ("/a/1", "/b")] == ["v", "v"]
    purges: dict[str, Callable[[], Awaitable[int]]] = {
        "delete": lambda: one.delete("/a/1"),
        "tag": lambda: one.purge_tag("red"),
        "prefix": lambda: one.purge_prefix("/a"),
        "clear": one.clear,
    }
    began = time.monotonic()
    assert await purges[how]() == (2 if how == "clear" else 1)
    await become(lambda: two.peek("/a/1") is None, 0.1)
    assert time.monotonic() - began < 0.1
    assert await two.get("/a/1") is None
    assert (await two.get("/b") == "v") is (how != "clear")


async def test_counting_changes_nothing(pair: list[Node]) -> None:
    one, two = (node.cache for node in pair)
    for number in range(5):
        await one.set(f"/a/{number}", "v", ttl=60, tags=["red"])
    assert await two.purge_tag("red", dry_run=True) == 5
    assert await two.purge_prefix("/a/", dry_run=True) == 5
    assert await two.clear(dry_run=True) == 5
    assert await one.get("/a/0") == "v"


async def test_a_tag_with_more_entries_than_one_step_takes(pair: list[Node]) -> None:
    one, two = pair
    for number in range(1200):
        one.cache.put(f"{number}", "v", ttl=60, tags=["many"])
        if number % 600 == 0:
            await one.written()
    await one.written()
    assert await two.cache.purge_tag("many", dry_run=True) == 1200
    assert await two.cache.purge_tag("many") == 1200
    await become(lambda: not len(one.cache.memory), 0.1)


async def test_prefixes_are_taken_as_they_are(node: Node) -> None:
    for key in ("/a*", "/ab", "/[x]", "/x", "/q?", "/qq", "/\\"):
        await node.cache.set(key, "v", ttl=60)
    assert [await node.cache.purge_prefix(key) for key in ("/a*", "/[x", "/q?", "/\\")] == [1, 1, 1, 1]
    assert await node.cache.clear() == 3


async def test_a_purge_leaves_other_caches_alone(node: Node, empty: Server) -> None:
    other = node.caches.lend("test", "text", Texts())
    await other.set("s", "v", ttl=60, tags=["t"])
    await node.cache.set("s", "v", ttl=60, tags=["t"])
    assert await node.cache.clear() == 1
    assert await other.get("s") == "v"
    async with empty.client() as client:
        left: list[Any] = await client.keys(ROOT + b"[0-9]*")
        assert all(key.startswith(ROOT + other.name) for key in left)


async def test_what_ended_does_not_stay_in_its_tag(node: Node, empty: Server) -> None:
    await node.cache.set("short", "v", ttl=0.01, tags=["t"])
    async with empty.client() as client:
        tag = ROOT + node.cache.name + b"tt"
        while await client.exists(ROOT + node.cache.name + b"eshort"):
            pass
        await node.cache.set("long", "v", ttl=60, tags=["t"])
        assert await client.zrange(tag, 0, -1) == [ROOT + node.cache.name + b"elong"]
        assert 59_000 < await client.pttl(tag) <= 60_000
        await node.cache.set("middle", "v", ttl=30, tags=["t"])
        assert 59_000 < await client.pttl(tag) <= 60_000
        await node.cache.set("for good", "v", ttl=None, tags=["t"])
        assert await client.pttl(tag) == -1


async def test_one_of_many_gets_the_lease_until_the_value_is_there(pair: list[Node]) -> None:
    one, two = (node.cache for node in pair)
    given = await asyncio.gather(*(cache.lease("k", 60) for cache in (one, two) * 10))
    assert sum(given) == 1
    await one.set("k", "v", ttl=60)
    assert await two.lease("k", 60)
    await one.release("k")
    assert not await one.lease("k", 60)
    await two.release("k")
    assert await one.lease("k", 60)


async def test_a_value_from_before_a_purge_elsewhere_is_not_stored(pair: list[Node]) -> None:
    one, two = (node.cache for node in pair)
    mark = one.mark()
    await two.purge_tag("red")
    await become(lambda: one.mark() > mark, 0.1)
    await one.set("k", "old", ttl=60, tags=["red"], since=mark)
    assert (one.peek("k"), await two.get("k")) == (None, None)


async def test_a_gateway_that_has_not_heard_of_a_purge_yet_stores_nothing(pair: list[Node]) -> None:
    one, two = pair
    await two.cache.purge_tag("red")
    await become(lambda: one.caches.coherence.number == 1, 0.1)
    one.caches.coherence.number = 0  # as if the notice were still on its way
    await one.cache.set("k", "old", ttl=60)
    assert await two.cache.get("k") is None
    assert one.cache.stats.l2 is not None
    assert one.cache.stats.l2.refused == 1


async def test_after_a_purge_of_ones_own_one_may_store_at_once(node: Node, pair: list[Node]) -> None:
    for _ in range(3):
        await node.cache.delete("k")
        await node.cache.set("k", "new", ttl=60)
    assert await pair[0].cache.get("k") == "new"


async def test_what_was_put_before_a_purge_is_met_by_it(pair: list[Node]) -> None:
    one, two = pair
    for number in range(300):
        one.cache.put(f"/a/{number}", "v", ttl=60)
    assert await one.cache.purge_prefix("/a/") == 300
    await one.written()
    assert [await two.cache.get(f"/a/{number}") for number in (0, 150, 299)] == [None] * 3


async def test_during_a_sweep_what_is_to_be_swept_counts_for_nothing(pair: list[Node]) -> None:
    one, two = pair
    await one.cache.set("/a", "v", ttl=60)
    removal = one.cache.shared.removal if one.cache.shared else None
    assert removal is not None
    purge = Purge(one.cache.name, "prefix", b"/a")
    await removal._announce(purge, Change.GOING)
    await become(lambda: two.caches.coherence.number == 1, 0.1)
    assert await two.cache.get("/a") is None
    await removal._announce(purge, Change.SWEPT)
    await become(lambda: two.caches.coherence.number == 2, 0.1)
    assert await two.cache.get("/a") == "v"


async def test_too_large_a_value_ends_what_was_there_everywhere(pair: list[Node]) -> None:
    one, two = pair
    one.cache.max_object = 1000
    for write in (one.cache.set, one.cache.put):
        await one.cache.set("k", "old", ttl=60)
        assert await two.cache.get("k") == "old"
        done = write("k", "x" * 2000, ttl=60)
        if done is not None:
            await done
        await one.written()
        await become(lambda: two.cache.peek("k") is None, 0.1)
        assert await two.cache.get("k") is None


async def test_what_another_gateway_makes_is_waited_for(pair: list[Node]) -> None:
    one, two = (node.cache for node in pair)
    assert await one.elsewhere("k", 60) is None
    waiting = [asyncio.ensure_future(two.elsewhere("k", 60)) for _ in range(3)]
    await become(lambda: two._awaited)
    await one.set("k", "v", ttl=60)
    assert await asyncio.gather(*waiting) == ["v"] * 3
    assert two._awaited == {}


async def test_what_another_gateway_gives_up_falls_to_the_next(pair: list[Node]) -> None:
    one, two = (node.cache for node in pair)
    assert await one.elsewhere("k", 60) is None
    waiting = asyncio.ensure_future(two.elsewhere("k", 60))
    await become(lambda: two._awaited)
    await one.release("k")
    assert await waiting is None
    assert not await one.lease("k", 60)


async def test_nobody_waits_for_another_gateway_for_ever(pair: list[Node]) -> None:
    one, two = (node.cache for node in pair)
    assert await one.elsewhere("k", 60) is None
    assert await two.elsewhere("k", 0.02) is None


async def test_memory_that_was_asked_is_not_asked_and_counted_again(pair: list[Node]) -> None:
    one, two = (node.cache for node in pair)
    await one.set("k", "v", ttl=60)
    assert two.peek("k") is None
    assert await two.get("k", peeked=True) == "v"
    assert two.stats.l1.misses == 1


@pytest.fixture
async def fading(pair: list[Node]) -> list[Cache[str]]:
    return [node.caches.lend("test", "fading", Fading()) for node in pair]


async def test_a_soft_purge_is_everywhere(empty: Server, fading: list[Cache[str]]) -> None:
    one, two = fading
    await one.set("a", "v", ttl=60, tags=["red"])
    await one.set("b", "v", ttl=60, tags=["blue"])
    assert [await two.get(key) for key in ("a", "b")] == ["v", "v"]
    assert await one.purge_tag("red", soft=True) == 1
    assert one.peek("a") == "v~"
    await become(lambda: two.peek("a") is None, 0.1)
    assert [await two.get(key) for key in ("a", "b")] == ["v~", "v"]
    async with nodes(empty.url) as (late,):
        later: Cache[str] = late.caches.lend("test", "fading", Fading())
        assert await later.get("a") == "v~"
    async with empty.client() as client:
        assert 59_000 < await client.pttl(ROOT + one.name + b"ea") <= 60_000
    await two.set("a", "new", ttl=60, tags=["red"])
    await become(lambda: one.peek("a") is None, 0.1)
    assert await one.get("a") == "new"


async def test_a_soft_purge_of_more_than_one_step_takes(pair: list[Node], fading: list[Cache[str]]) -> None:
    one, two = fading
    for number in range(1200):
        one.put(f"{number}", "v", ttl=60 + number, tags=["many"])
        if number % 600 == 0:
            await pair[0].written()
    await pair[0].written()
    assert await two.purge_tag("many", soft=True) == 1200
    assert {await two.get(f"{number}") for number in (0, 199, 200, 999, 1000, 1199)} == {"v~"}


async def test_a_soft_purge_makes_up_nothing(empty: Server, fading: list[Cache[str]]) -> None:
    one, _ = fading
    await one.set("gone", "v", ttl=60, tags=["red"])
    async with empty.client() as client:
        await client.delete(ROOT + one.name + b"egone")
        one.memory.drop(b"gone")
        assert await one.purge_tag("red", soft=True) == 0
        assert not await client.exists(ROOT + one.name + b"egone")
