"""What is remembered of rows of names, and that strangers cannot make it grow."""

from __future__ import annotations

import pytest

from proxy.rows import Keys, Row, Rows


def test_a_row_that_was_met_before_is_not_worked_out_again() -> None:
    rows = Rows(Row)
    first = rows.of([(b"Host", b"a"), (b"ETag", b"1")])
    assert (list(first.names), tuple(first.keys)) == (["Host", "ETag"], ("host", "etag"))
    assert rows.of([(b"Host", b"b"), (b"ETag", b"2")]) is first
    assert rows.of([(b"ETag", b"2"), (b"Host", b"b")]) is not first


def test_what_strangers_send_is_remembered_within_bounds() -> None:
    rows = Rows(Row)
    for number in range(2 * Rows.MOST):
        rows.of([(b"X-%d" % number, b"")])
    assert 0 < len(rows.known) <= Rows.MOST
    rows = Rows(Row)
    rows.of([(b"X", b"")] * (Rows.FIELDS + 1))
    rows.of([(b"X" * (Rows.LENGTH + 1), b"")])
    assert not rows.known
    rows.of([(b"X", b"")] * Rows.FIELDS)
    assert len(rows.known) == 1


def test_names_are_parted_into_those_asked_for_and_the_others() -> None:
    keys = Keys(["a", "b", "a", "c"])
    part = keys.part(frozenset({"a", "z"}))
    assert part.there == [(0, "a"), (2, "a")]
    assert (part.take("ABCD"), part.others("ABCD")) == (("A", "C"), ("B", "D"))
    assert keys.parts == {frozenset({"a", "z"}): part}


@pytest.mark.parametrize("names", ["", "a", "ab"], ids=len)
def test_a_part_of_any_size_is_taken(names: str) -> None:
    part = Keys(["a", "b"]).part(frozenset(names))
    assert part.take("AB") == tuple(names.upper())
    assert part.others("AB") == tuple("AB"[len(names) :])


def test_a_row_of_nothing_has_no_names() -> None:
    row = Rows(Row).of([])
    assert (row.names, tuple(row.keys)) == ((), ())
