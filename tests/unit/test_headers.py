"""Headers: order, case and repetition survive every operation; nothing that splits a message gets in."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.headers import Headers, Rendered, check_field

PAIRS = [("Set-Cookie", "a=1"), ("Vary", "x"), ("set-cookie", "b=2"), ("SET-COOKIE", "c=3")]


def cookies() -> Headers:
    return Headers(PAIRS)


def test_fields_keep_order_case_and_repetition() -> None:
    headers = cookies()
    assert headers.items() == PAIRS
    assert headers.keys == ["set-cookie", "vary", "set-cookie", "set-cookie"]
    assert list(headers) == ["Set-Cookie", "Vary", "set-cookie", "SET-COOKIE"]
    assert len(headers) == 4
    assert repr(headers) == f"Headers({PAIRS!r})"


def test_a_mapping_will_do() -> None:
    assert Headers({"A": "b"}).items() == [("A", "b")]
    assert len(Headers()) == 0


def test_look_ups_ignore_case() -> None:
    headers = cookies()
    assert headers.get("VARY") == headers["vary"] == "x"
    assert headers.get("set-COOKIE") == "a=1"
    assert headers.getall("Set-cookie") == ["a=1", "b=2", "c=3"]
    assert "vARY" in headers


def test_what_is_absent() -> None:
    headers = cookies()
    assert headers.get("age") is None
    assert headers.get("age", "0") == "0"
    assert headers.getall("age") == []
    assert "age" not in headers
    assert 5 not in headers
    with pytest.raises(KeyError, match="age"):
        headers["age"]
    with pytest.raises(KeyError, match="age"):
        del headers["age"]
    assert not headers.remove("age")


def test_setting_replaces_in_place_and_takes_the_others_away() -> None:
    headers = cookies()
    headers["Set-cookie"] = "d=4"
    assert headers.items() == [("Set-cookie", "d=4"), ("Vary", "x")]
    headers["vary"] = "y"
    assert headers.items() == [("Set-cookie", "d=4"), ("vary", "y")]
    headers["Age"] = "0"
    assert headers.items()[-1] == ("Age", "0")
    assert headers.keys == ["set-cookie", "vary", "age"]


def test_removing() -> None:
    headers = cookies()
    assert headers.remove("SET-cookie")
    assert headers.items() == [("Vary", "x")]
    del headers["VARY"]
    assert headers.items() == []
    assert headers.keys == []


def test_removing_many_at_once() -> None:
    headers = cookies()
    headers.remove_all({"vary", "age"})
    assert headers.items() == [PAIRS[0], PAIRS[2], PAIRS[3]]
    headers.remove_all(frozenset({"age"}))
    assert headers.keys == ["set-cookie"] * 3
    headers.remove_all({"set-cookie"})
    assert headers.items() == []


def test_a_copy_is_independent() -> None:
    headers = cookies()
    other = headers.copy()
    assert other == headers
    other.add("A", "b")
    del other["vary"]
    assert headers.items() == PAIRS


def test_adopted_lists_are_taken_as_they_are() -> None:
    keys, pairs = ["a"], [("A", "b")]
    headers = Headers.adopt(keys, pairs)
    assert headers["a"] == "b"
    assert headers.keys is keys


def test_pushed_fields_are_appended() -> None:
    headers = Headers({"A": "b"})
    headers.push("Via", "via", "1.1 passerelle")
    assert headers.items() == [("A", "b"), ("Via", "1.1 passerelle")]
    assert headers["VIA"] == "1.1 passerelle"


def test_equality_ignores_the_case_of_names_only() -> None:
    assert Headers([("A", "b")]) == Headers([("a", "b")])
    assert Headers([("A", "b")]) != Headers([("a", "B")])
    assert Headers([("A", "1"), ("B", "2")]) != Headers([("B", "2"), ("A", "1")])
    assert Headers() != {}


def test_headers_are_not_hashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Headers())


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:", ":", "a\r\n", "a\x00", "a\t", "\xe9", "(a)", "a/b", "a@b", "a="]
)
def test_names_that_are_no_tokens(name: str) -> None:
    for attempt in (lambda: Headers({name: "x"}), lambda: Headers().add(name, "x"), lambda: check_field(name, "x")):
        with pytest.raises(ValueError, match="not a field name"):
            attempt()


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\rb", "a\nb", "a\n", "a\x00b", "\x7f", "\x1f", "\u0100", "\u2028"])
def test_values_that_would_not_survive_the_wire(value: str) -> None:
    headers = Headers({"A": "x"})
    with pytest.raises(ValueError, match="the value of B holds"):
        headers.add("B", value)
    with pytest.raises(ValueError, match="the value of a holds"):
        headers["a"] = value
    assert headers.items() == [("A", "x")]


@pytest.mark.parametrize("value", ["", " a ", "\t", "~!\"#$%&'()*+,-./:;<=>?@[]^_`{|}", "\x80\xe9\xff"])
def test_values_that_do(value: str) -> None:
    assert Headers({"A": value})["a"] == value


NAMES = st.sampled_from(["a", "A", "b", "B", "c"])
STEPS = st.lists(st.tuples(st.sampled_from(["add", "set", "remove"]), NAMES, st.sampled_from("xyz")), max_size=20)


@given(STEPS)
def test_any_order_of_changes_agrees_with_a_plain_list(steps: list[tuple[str, str, str]]) -> None:
    headers = Headers()
    model: list[tuple[str, str]] = []
    for step, name, value in steps:
        same = [i for i, (n, _) in enumerate(model) if n.lower() == name.lower()]
        if step == "add" or (step == "set" and not same):
            model.append((name, value))
        elif step == "set":
            model[same[0]] = (name, value)
            model = [pair for i, pair in enumerate(model) if i not in same[1:]]
        else:
            model = [pair for i, pair in enumerate(model) if i not in same]
        if step == "add":
            headers.add(name, value)
        elif step == "set":
            headers[name] = value
        else:
            headers.remove(name)
    assert headers.items() == model
    assert headers.keys == [name.lower() for name, _ in model]


def test_all_values_of_a_field_can_be_had_without_reading_the_others() -> None:
    headers = Headers.unread([(b"A", b"1"), (b"b", b"\xe9"), (b"a", b"2")])
    assert headers.getall("a") == ["1", "2"]
    assert headers.getall("B") == ["\xe9"]
    assert headers.getall("c") == headers.getall("\u20ac") == []
    assert headers.wire is not None


def test_any_of_leaves_unread_fields_unread() -> None:
    unread = Headers.unread([(b"X-One", b"1"), (b"IF-MATCH", b"*")])
    names = frozenset({"if-match", "if-range"})
    assert unread.any_of(names)
    assert not unread.any_of(frozenset({"if-range"}))
    assert unread.wire is not None
    assert Headers({"If-Match": "*"}).any_of(names)
    assert not Headers({"X-One": "*"}).any_of(names)


FIELDS = [("Vary", "a"), ("Date", "x"), ("vary", "\xe9"), ("ETag", '"1"')]


@pytest.mark.parametrize("unread", [True, False])
def test_some_fields_can_be_picked_in_one_go(unread: bool) -> None:
    wire = [(name.encode(), value.encode("latin-1")) for name, value in FIELDS]
    headers = Headers.unread(wire) if unread else Headers(FIELDS)
    assert headers.picked(frozenset({"vary", "etag", "age"})) == {"vary": ["a", "\xe9"], "etag": ['"1"']}
    assert (headers.wire is not None) is unread


@pytest.mark.parametrize("unread", [True, False])
@pytest.mark.parametrize("names", [(), ("age",), ("etag",), ("etag", "vary", "age")], ids=str)
def test_some_fields_can_be_had_as_they_are_kept(names: tuple[str, ...], unread: bool) -> None:
    wire = [(name.encode(), value.encode("latin-1")) for name, value in FIELDS]
    headers = Headers.unread(wire) if unread else Headers(FIELDS)
    kept = headers.kept(frozenset(names))
    assert (headers.wire is not None) is unread
    assert kept == tuple(field for field in (wire if unread else FIELDS) if _name(field[0]) in names)


def _name(name: str | bytes) -> str:
    return (name if isinstance(name, str) else name.decode()).lower()


@pytest.mark.parametrize("unread", [True, False])
def test_some_fields_can_be_swapped_for_others(unread: bool) -> None:
    wire = [(name.encode(), value.encode("latin-1")) for name, value in FIELDS]
    headers = Headers.unread(wire, dated=True) if unread else Headers(FIELDS)
    headers.swap(frozenset({"vary", "etag", "age"}), [(b"ETag", b'W/"1"'), (b"Age", b"\xe9")])
    assert (headers.wire is not None) is unread
    assert headers.encode() == b'Date: x\r\nETag: W/"1"\r\nAge: \xe9'
    assert headers.has_date()
    headers.swap(frozenset({"date"}), [])
    assert not headers.has_date()
    assert (headers.items(), headers.keys) == ([("ETag", 'W/"1"'), ("Age", "\xe9")], ["etag", "age"])


@pytest.mark.parametrize(
    "write",
    [
        lambda headers: headers.add("DATE", "y"),
        lambda headers: headers.push("Date", "date", "y"),
        lambda headers: headers.__setitem__("Date", "y"),
    ],
    ids=["add", "push", "set"],
)
@pytest.mark.parametrize("rendered", [True, False])
def test_a_date_that_is_written_into_unread_fields_is_one(write: Callable[[Headers], None], rendered: bool) -> None:
    wire = [(b"A", b"1")]
    headers = Rendered.of(wire, b"A: 1", dated=False) if rendered else Headers.unread(wire.copy())
    headers.add("B", "2")
    assert not headers.has_date()
    write(headers)
    assert headers.has_date()
    assert headers.copy().has_date()
    assert wire == [(b"A", b"1")]


class TestRendered:
    """Fields that many messages share."""

    WIRE: ClassVar = [(b"A", b"1"), (b"Date", b"x")]

    def made(self) -> Rendered:
        return Rendered.of(self.WIRE, b"the block", dated=True)

    def test_more_is_told_by_one_message_alone(self) -> None:
        one, other = self.made(), Rendered.of(self.WIRE, b"the block", dated=True)
        before = list(self.WIRE)
        one.more([(b"X-New", b"1")])
        assert one.encode().endswith(b"X-New: 1")
        assert one.get("x-new") == "1"
        assert (other.encode(), other.get("x-new"), before) == (b"the block", None, self.WIRE)

    def test_they_go_out_as_they_were_made(self) -> None:
        assert self.made().encode() == b"the block"
        assert self.made().has_date()

    def test_who_looks_at_them_gets_their_own(self) -> None:
        one = self.made()
        assert one["A"] == "1"
        one["A"] = "2"
        assert one.encode() == b"A: 2\r\nDate: x"
        assert self.made()["A"] == "1"

    def test_who_adds_to_them_adds_to_their_own(self) -> None:
        one = self.made()
        one.add("B", "3")
        one.push("C", "c", "4")
        assert one.encode() == b"A: 1\r\nDate: x\r\nB: 3\r\nC: 4"
        assert len(self.WIRE) == 2

    def test_a_copy_is_independent(self) -> None:
        copy = self.made().copy()
        copy.add("B", "3")
        assert copy.encode() == b"A: 1\r\nDate: x\r\nB: 3"
        assert len(self.WIRE) == 2

    def test_who_swaps_some_has_their_own(self) -> None:
        one = self.made()
        one.swap(frozenset({"a"}), [(b"B", b"3")])
        assert one.encode() == b"Date: x\r\nB: 3"
        assert self.made().encode() == b"the block"
        assert len(self.WIRE) == 2
