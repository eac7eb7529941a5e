from __future__ import annotations

import random
import tracemalloc
from sys import getsizeof

import pytest

from proxy.cache.memory import Memory
from proxy.clock import ManualClock

LARGE = 1 << 30


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def memory(clock: ManualClock) -> Memory[bytes]:
    return Memory(LARGE, clock, getsizeof)


def test_it_gives_what_was_stored_until_its_time_is_over(memory: Memory[bytes], clock: ManualClock) -> None:
    assert memory.store(b"k", b"v", 10.0)
    clock.advance(9.9)
    assert memory.peek(b"k") == b"v"
    clock.advance(0.1)
    assert memory.peek(b"k") is None
    assert (len(memory), memory.stats.hits, memory.stats.misses) == (0, 1, 1)


def test_an_entry_without_a_time_stays(memory: Memory[bytes], clock: ManualClock) -> None:
    memory.store(b"k", b"v")
    clock.advance(1e9)
    assert memory.peek(b"k") == b"v"


@pytest.mark.parametrize("ttl", [0.0, -1.0])
def test_what_has_no_time_is_not_kept_and_ends_what_was_there(memory: Memory[bytes], ttl: float) -> None:
    memory.store(b"k", b"old", 10.0)
    assert not memory.store(b"k", b"new", ttl)
    assert memory.peek(b"k") is None


def test_a_copy_is_trusted_for_so_long_only(clock: ManualClock) -> None:
    memory: Memory[bytes] = Memory(LARGE, clock, getsizeof, trust=5.0)
    memory.store(b"k", b"v", 100.0)
    memory.store(b"short", b"v", 1.0)
    clock.advance(1.0)
    assert memory.peek(b"short") is None
    clock.advance(4.0)
    assert memory.peek(b"k") is None


def test_what_came_before_a_loss_of_trust_is_no_answer(memory: Memory[bytes]) -> None:
    memory.store(b"before", b"v", 10.0)
    memory.distrust()
    memory.store(b"after", b"v", 10.0)
    assert (memory.peek(b"before"), memory.peek(b"after")) == (None, b"v")


def test_the_least_recently_used_goes_first(clock: ManualClock) -> None:
    memory: Memory[bytes] = Memory(4000, clock, getsizeof)
    for key in (b"a", b"b", b"c"):
        memory.store(key, bytes(800), 10.0)
    memory.peek(b"a")
    memory.store(b"d", bytes(800), 10.0)
    assert [memory.peek(key) is not None for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert memory.stats.evictions == 1


def test_what_is_larger_than_all_of_it_is_refused_and_ends_what_was_there(clock: ManualClock) -> None:
    memory: Memory[bytes] = Memory(4000, clock, getsizeof)
    memory.store(b"other", b"v", 10.0)
    memory.store(b"k", b"old", 10.0)
    assert not memory.store(b"k", bytes(5000), 10.0)
    assert (memory.peek(b"k"), memory.peek(b"other"), memory.stats.refused) == (None, b"v", 1)


def test_another_limit_holds_at_once(clock: ManualClock) -> None:
    memory: Memory[bytes] = Memory(LARGE, clock, getsizeof)
    for number in range(100):
        memory.store(b"%d" % number, bytes(1000), 10.0)
    memory.resize(20_000)
    assert 0 < len(memory) < 20
    assert memory.stats.bytes <= 20_000
    assert memory.peek(b"99") is not None


def test_entries_are_found_by_their_tags(memory: Memory[bytes]) -> None:
    memory.store(b"a", b"v", 10.0, ("red", "round", "red"))
    memory.store(b"b", b"v", 10.0, ("red",))
    memory.store(b"c", b"v", 10.0)
    assert sorted(memory.tagged("red")) == [b"a", b"b"]
    memory.store(b"b", b"v", 10.0, ("blue",))
    assert memory.tagged("red") == [b"a"]
    assert memory.drop_all(memory.tagged("red")) == 1
    assert (memory.tagged("round"), sorted(memory.all_keys())) == ([], [b"b", b"c"])


def test_a_drop_tells_whether_there_was_something(memory: Memory[bytes], clock: ManualClock) -> None:
    memory.store(b"a", b"v", 1.0)
    memory.store(b"b", b"v", 10.0)
    clock.advance(5.0)
    assert [memory.drop(key) for key in (b"a", b"b", b"none")] == [False, True, False]


def test_clearing_counts_what_was_alive_and_gives_all_back(memory: Memory[bytes], clock: ManualClock) -> None:
    empty = Memory(LARGE, clock, getsizeof)
    empty.clear()
    memory.store(b"a", b"v", 1.0, ("t",))
    memory.store(b"b", b"v", 10.0)
    clock.advance(5.0)
    assert memory.living(memory.all_keys()) == 1
    assert memory.clear() == 1
    assert (memory.stats.bytes, memory.stats.entries) == (empty.stats.bytes, 0)


@pytest.mark.parametrize(("entries", "bytes_each", "tags"), [(20_000, 40, 0), (5000, 700, 2), (300, 64_000, 1)])
def test_what_it_says_it_takes_is_what_it_takes(clock: ManualClock, entries: int, bytes_each: int, tags: int) -> None:
    names = [f"tag-{number}" for number in range(50)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        memory: Memory[bytes] = Memory(LARGE, clock, getsizeof)
        for number in range(entries):
            memory.store(b"key/%d" % number, bytes(bytes_each), 60.0, names[number % 40 : number % 40 + tags])
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(memory) == entries
    assert 0.85 <= memory.stats.bytes / taken <= 1.15


def test_nothing_is_left_in_the_books_when_all_have_gone(memory: Memory[bytes]) -> None:
    dice = random.Random(3)
    for _ in range(3000):
        key = b"%d" % dice.randrange(50)
        if dice.random() < 0.3:
            memory.drop(key)
        else:
            memory.store(key, bytes(dice.randrange(100)), 10.0, dice.sample(["a", "b", "c"], dice.randrange(3)))
    for key in memory.all_keys():
        memory.drop(key)
    assert (memory._held, memory._tagged) == (0, {})


def test_the_limit_holds_whatever_comes(clock: ManualClock) -> None:
    dice, memory = random.Random(4), Memory(50_000, clock, getsizeof)
    for _ in range(3000):
        memory.store(b"%d" % dice.randrange(500), bytes(dice.randrange(3000)), 10.0, [f"{dice.randrange(90)}"])
        assert memory.stats.bytes <= 50_000
    assert memory.stats.evictions > 100
