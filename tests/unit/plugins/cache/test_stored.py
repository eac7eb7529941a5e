from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.cache.quick import _rendered
from plugins.cache.stored import KEEP, SOFT, Entry, EntryCodec, Stored
from proxy.api import CorruptEntry

NOW = 1_700_000_000.0
ONE = Stored(
    200,
    "OK",
    ((b"ETag", b'"a"'), (b"X", b"\xff")),
    b"body",
    NOW,
    5,
    60,
    1,
    2,
    (("foo", None), ("bar", "1")),
    "gzip",
    16,
    ("t",),
)
CODEC = EntryCodec()


def test_age_and_freshness() -> None:
    assert ONE.age_at(NOW + 10) == 15
    assert ONE.fresh_for(NOW + 10) == 45
    assert ONE.fresh_for(NOW + 100) == -45
    assert ONE.useful_for(NOW) == 55 + KEEP
    assert replace(ONE, fields=(), memo={}).useful_for(NOW) == 57
    assert ONE.age_at(NOW - 50) == 5  # a clock that was set back makes nothing younger


def test_what_came_stale_is_kept_if_it_can_be_validated() -> None:
    old = replace(ONE, age=2**31)
    assert old.useful_for(NOW) == KEEP
    assert old.useful_for(NOW + 100) == KEEP - 100
    assert replace(old, fields=(), memo={}).useful_for(NOW) == 0


def test_a_soft_purge_makes_it_stale() -> None:
    soft = ONE.soft()
    assert soft.flags & SOFT
    assert soft.fresh_for(NOW) == -5
    other = replace(ONE, coding="br")
    assert CODEC.softened(Entry((ONE, other))) == Entry((soft, other.soft()))


def test_another_variant_comes_first_and_takes_its_own_place() -> None:
    other = replace(ONE, coding="br")
    entry = Entry((ONE,)).adding(other, 16, 10**6)
    assert entry.variants == (other, ONE)
    newer = replace(ONE, body=b"new")
    assert entry.adding(newer, 16, 10**6).variants == (newer, other)
    assert entry.adding(newer, 16, 10**6, newest=False).variants == (other, newer)


def test_too_many_variants_push_the_oldest_out() -> None:
    entry = Entry(())
    for number in range(5):
        entry = entry.adding(replace(ONE, coding=str(number)), 3, 10**6)
    assert [one.coding for one in entry.variants] == ["4", "3", "2"]
    big = replace(ONE, coding="big", body=bytes(1000))
    assert Entry((ONE,)).adding(big, 3, 2000).variants == (big,)


def test_an_entry_is_sized_and_tagged_by_its_variants() -> None:
    entry = Entry((ONE, replace(ONE, tags=("u",), memo={})))
    assert entry.tags == {"t", "u"}
    assert CODEC.size(entry) > 2 * len(ONE.body)
    assert entry.useful_for(NOW) == ONE.useful_for(NOW)


def test_an_entry_survives_its_way_through_bytes() -> None:
    entry = Entry((ONE, Stored(404, "", (), b"", NOW, 0, 0)))
    assert CODEC.decode(CODEC.encode(entry)) == entry


@given(st.binary(max_size=300))
def test_garbage_is_corrupt(data: bytes) -> None:
    try:
        entry = CODEC.decode(data)
    except CorruptEntry:
        return
    assert CODEC.encode(entry) == data


def test_a_cut_or_lengthened_entry_is_corrupt() -> None:
    data = CODEC.encode(Entry((ONE,)))
    for broken in (data[:-1], data + b"x", b"\x02" + data[1:], data[: len(data) // 2], b""):
        with pytest.raises(CorruptEntry):
            CODEC.decode(broken)


@pytest.mark.parametrize(("fields", "length", "tags"), [(1, 10, 0), (8, 20, 1), (20, 20, 0), (8, 200, 8)])
def test_what_it_says_it_takes_is_what_it_takes_once_it_was_used(fields: int, length: int, tags: int) -> None:
    def made(number: int) -> Entry:
        pairs = tuple((b"X-Field-%d" % at, b"%d" % number + bytes(length)) for at in range(fields))
        named = tuple(f"tag {number} {at}" for at in range(tags))
        stored = Stored(200, "OK", pairs, bytes(bytearray(500)), NOW, 1000, 9000, tags=named)
        entry = Entry((stored,))
        entry.memo[None] = stored
        assert _rendered(stored, NOW + 1) is not None
        return entry

    made(0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [made(number) for number in range(1000)]
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.95 < sum(map(CODEC.size, kept)) / taken < 1.3
