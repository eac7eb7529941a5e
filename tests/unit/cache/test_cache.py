from __future__ import annotations

import pytest

from proxy.cache import Cache, Purge
from proxy.cache.coherence import Change, Notice
from proxy.cache.memory import Memory
from proxy.clock import ManualClock
from tests.unit.cache.texts import Fading, Texts
from tests.unit.turns import beside_others


class Told:
    def __init__(self) -> None:
        self.purges: list[Purge] = []
        self.clock = ManualClock()
        codec = Texts()
        memory = Memory(1 << 20, self.clock, codec.size)
        self.cache = Cache(b"4:test", codec, memory, max_object=1000, tell=self.purges.append)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def cache(told: Told) -> Cache[str]:
    return told.cache


async def test_what_is_set_is_there_by_text_and_by_bytes(cache: Cache[str]) -> None:
    await cache.set("é", "one", ttl=10)
    cache.put(b"b", "two", ttl=10)
    assert (cache.peek("é".encode()), await cache.get("é"), cache.peek("b")) == ("one", "one", "two")
    assert (await cache.get("none"), cache.peek("none")) == (None, None)


async def test_too_large_a_value_is_refused_and_ends_what_was_there(cache: Cache[str]) -> None:
    await cache.set("k", "old", ttl=10)
    await cache.set("k", "x" * 2000, ttl=10)
    assert cache.peek("k") is None
    assert cache.stats.l1.refused == 1


async def test_deleting_tells_whether_there_was_something_and_tells_others(told: Told) -> None:
    told.cache.put("k", "v", ttl=10)
    assert [await told.cache.delete("k"), await told.cache.delete("k")] == [True, False]
    assert told.purges == [Purge(b"4:test", "key", b"k")] * 2


async def test_purges_reach_what_they_name_and_are_told_on(told: Told) -> None:
    cache = told.cache
    for key, tags in (("/a/1", ["red"]), ("/a/2", ["red", "blue"]), ("/b", ["blue"]), ("/c", [])):
        cache.put(key, key, ttl=10, tags=tags)
    assert await cache.purge_tag("red", dry_run=True) == 2
    assert await cache.purge_prefix("/a", dry_run=True) == 2
    assert await cache.clear(dry_run=True) == 4
    assert told.purges == []
    assert await cache.purge_tag("red") == 2
    assert [cache.peek(key) for key in ("/a/1", "/a/2", "/b", "/c")] == [None, None, "/b", "/c"]
    assert await cache.purge_prefix("/b") == 1
    assert await cache.clear() == 1
    assert [purge.scope for purge in told.purges] == ["tag", "prefix", "prefix"]


async def test_a_prefix_is_looked_for_among_many(told: Told) -> None:
    told.cache.memory.resize(1 << 26)
    for number in range(20_000):
        told.cache.put(b"%05d" % number, "", ttl=10)
    there = len(told.cache.memory)
    assert await told.cache.clear(dry_run=True) == there > 4000
    gone, turns = await beside_others(told.cache.clear())
    assert gone == there
    assert turns > 2


async def test_a_value_that_was_made_before_a_purge_is_not_kept(cache: Cache[str]) -> None:
    mark = cache.mark()
    await cache.purge_tag("red")
    cache.put("a", "old", ttl=10, tags=["red"], since=mark)
    cache.put("b", "other", ttl=10, tags=["blue"], since=mark)
    cache.put("c", "new", ttl=10, tags=["red"], since=cache.mark())
    assert [cache.peek(key) for key in "abc"] == [None, "other", "new"]
    assert cache.stats.l1.refused == 1


async def test_what_another_has_purged_is_forgotten_and_not_told_on(told: Told) -> None:
    told.cache.put("k", "v", ttl=10)
    assert told.cache.changed(Notice(0, b"", Change.GONE, Purge(b"4:test", "key", b"k"))) is None
    assert told.cache.peek("k") is None
    assert told.purges == []


async def test_alone_every_lease_is_given(cache: Cache[str]) -> None:
    assert [await cache.lease("k", 5), await cache.lease("k", 5)] == [True, True]


async def test_statistics_tell_of_memory(cache: Cache[str]) -> None:
    cache.put("k", "v", ttl=10)
    cache.peek("k")
    cache.peek("none")
    stats = cache.stats
    assert (stats.l1.hits, stats.l1.misses, stats.l1.entries, stats.l2) == (1, 1, 1, None)
    assert stats.l1.bytes > 100


async def test_a_soft_purge_leaves_what_the_codec_makes_of_it(told: Told) -> None:
    memory = Memory(1 << 20, told.clock, Fading().size)
    cache: Cache[str] = Cache(b"4:test", Fading(), memory, tell=told.purges.append)
    cache.put("a", "v", ttl=10, tags=["red"])
    cache.put("b", "v", ttl=10, tags=["blue"])
    mark = cache.mark()
    assert await cache.purge_tag("red", dry_run=True, soft=True) == 1
    assert (cache.peek("a"), told.purges) == ("v", [])
    assert await cache.purge_tag("red", soft=True) == 1
    assert (cache.peek("a"), cache.peek("b")) == ("v~", "v")
    cache.put("c", "made before", ttl=10, tags=["red"], since=mark)
    assert cache.peek("c") is None
    assert told.purges == [Purge(b"4:test", "tag", b"red", soft=True)]
    cache.put("d", "v", ttl=10, tags=["red"])
    assert cache.changed(Notice(0, b"", Change.GONE, told.purges[0])) is None  # as another process tells it
    assert (cache.peek("a"), cache.peek("d")) == ("v~", "v~")
    told.clock.advance(11)
    assert cache.peek("a") is None


async def test_a_soft_purge_of_what_cannot_be_marked_forgets_it(cache: Cache[str]) -> None:
    cache.put("a", "v", ttl=10, tags=["red"])
    assert await cache.purge_tag("red", soft=True) == 1
    assert cache.peek("a") is None
