from __future__ import annotations

import gc
import tracemalloc
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cache import CorruptEntry
from proxy.cache.values import NotStorable, Values, encode

CODEC = Values()
SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet=st.characters())
    | st.binary()
    | st.datetimes(timezones=st.none() | st.just(UTC) | st.just(timezone(timedelta(hours=-3, minutes=-30))))
    | st.dates()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
KEYS = st.recursive(SIMPLE, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4)
VALUES = st.recursive(
    SIMPLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.sets(KEYS, max_size=4)
        | st.frozensets(KEYS, max_size=4)
    ),
    max_leaves=12,
)


def typed(value: Any) -> Any:
    """A value with the types of all its parts, for a comparison that 1 == True cannot fool."""
    if isinstance(value, dict):
        return dict, [(typed(key), typed(item)) for key, item in sorted(value.items(), key=lambda pair: repr(pair[0]))]
    if isinstance(value, list | tuple):
        return type(value), [typed(item) for item in value]
    if isinstance(value, set | frozenset):
        return type(value), sorted(repr(typed(item)) for item in value)
    return type(value), repr(value)


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert typed(CODEC.decode(CODEC.encode(value))) == typed(value)


@pytest.mark.parametrize("value", [-0.0, float("inf"), 2**200, -(2**63), Decimal("1.10"), Decimal("NaN"), "\ud800"])
def test_odd_ones_come_back_too(value: Any) -> None:
    assert repr(CODEC.decode(CODEC.encode(value))) == repr(value)


def test_a_moment_that_comes_twice_stays_the_second() -> None:
    moment = datetime.fromisoformat("2026-10-25T02:30").replace(fold=1)
    assert CODEC.decode(CODEC.encode(moment)).fold == 1


def test_equal_values_are_equal_bytes_however_they_were_filled() -> None:
    one, other = {"a": 1, "b": {3, 1, 2}}, {"b": {2, 3, 1}, "a": 1}
    assert encode(one) == encode(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (1, 1.0), (1, "1"), ("1", b"1"), ([1], (1,)), ({1}, frozenset({1})), (None, False), ("", None)],
)
def test_what_is_not_of_one_type_is_not_the_same(one: Any, other: Any) -> None:
    assert encode(one) != encode(other)


class Session:
    """Something that nobody can store."""


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Session(), "the value is a "),
        ({"user": [1, {"session": Session()}]}, "['user'][1]['session'] is a "),
        ({Session(): 1}, ", a key, is a "),
        ({"x": {Session()}}, "['x']{…} is a "),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_place(value: Any, told: str) -> None:
    with pytest.raises(NotStorable) as found:
        CODEC.encode(value)
    assert str(found.value).startswith(told)
    assert "Session, which cannot be stored" in str(found.value)


def test_a_value_in_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(NotStorable, match="levels deep"):
        CODEC.encode(loop)


@given(st.binary(max_size=40))
def test_anything_else_is_corrupt_and_nothing_worse(data: bytes) -> None:
    try:
        CODEC.decode(b"\x01" + data)
    except CorruptEntry:
        return


GOOD = CODEC.encode({"a": [1, 2.5, "x"], "d": date(2026, 11, 23), "u": UUID(int=5), "t": timedelta(1)})


@pytest.mark.parametrize("cut", range(len(GOOD)))
def test_a_cut_value_is_corrupt(cut: int) -> None:
    with pytest.raises(CorruptEntry):
        CODEC.decode(GOOD[:cut])


@pytest.mark.parametrize(
    "data",
    [
        GOOD + b"N",
        b"\x02" + GOOD[1:],
        b"\x01q\x00\x00\x00\x00",
        b"\x01l\xff\xff\xff\xff",
        b"\x01" + b"l\x00\x00\x00\x01" * 500,
        b"\x01s\x00\x00\x00\x01l\x00\x00\x00\x00",
        b"\x01m\x00\x00\x00\x03now",
    ],
    ids=["more", "version", "type", "long", "deep", "unhashable", "malformed"],
)
def test_what_is_not_as_it_should_be_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptEntry):
        CODEC.decode(data)


def test_sizes_are_what_memory_is_taken() -> None:
    def made() -> Any:
        return {f"key {number}": [float(number), f"text {number}" * 20, (number + 1000,)] for number in range(500)}

    gc.collect()  # empties what is kept of small objects for the next ones, which nobody would see taken
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        value = made()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.85 <= CODEC.size(value) / taken <= 1.15


def test_objects_count_with_what_they_hold() -> None:
    one = Session()
    one.__dict__["body"] = "x" * 10_000
    assert CODEC.size(one) > 10_000
