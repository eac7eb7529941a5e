"""What a field's name means, and what Connection may take away."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from proxy import fields
from proxy.fields import REQUEST_KINDS, RESPONSE_KINDS, Names, connection_options, remove_named
from proxy.headers import HOP_BY_HOP, Headers


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"Accept", fields.PLAIN),
        (b"CONNECTION", fields.CONNECTION),
        (b"Content-Length", fields.FRAMING),
        (b"transfer-encoding", fields.FRAMING),
        (b"Keep-Alive", fields.DROP),
        (b"Proxy-Authorization", fields.DROP),
        (b"TE", fields.TE),
        (b"Upgrade", fields.UPGRADE),
        (b"Host", fields.HOST),
        (b"Expect", fields.EXPECT),
        (b"Via", fields.VIA),
        (b"X-Request-Id", fields.REQUEST_ID),
        (b"X-Forwarded-For", fields.FORWARDED),
        (b"Forwarded", fields.FORWARDED),
        (b"X_Forwarded_For", fields.UNDERSCORE),
        (b"X.Forwarded.For", fields.UNDERSCORE),
        (b"Transfer!Encoding", fields.UNDERSCORE),
        (b"X.Y", fields.PLAIN),
        (b"user_name", fields.PLAIN),
    ],
)
def test_kinds_of_request_fields(raw: bytes, kind: int) -> None:
    names = Names(REQUEST_KINDS, frozenset({"user_name"}))
    assert names.kind(raw) == kind
    assert names.kinds == {raw: kind}


@pytest.mark.parametrize("kinds", [REQUEST_KINDS, RESPONSE_KINDS], ids=["request", "response"])
@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_nothing_of_one_connection_is_passed_on_as_it_came(name: str, kinds: Mapping[str, int]) -> None:
    names = Names(kinds)
    assert names.kind(name.title().encode()) not in (fields.PLAIN, fields.DATE, fields.HOST, fields.VIA)


def test_names_of_answers_pass_with_underscores_and_without_te() -> None:
    names = Names(RESPONSE_KINDS)
    assert names.kind(b"X_Odd") == fields.PLAIN
    assert names.kind(b"TE") == fields.DROP
    assert names.kind(b"Host") == fields.PLAIN


def test_the_memo_is_bounded_in_length_and_number() -> None:
    names = Names(REQUEST_KINDS)
    names.kind(b"x" * 65)
    assert names.kinds == {}
    for number in range(5000):
        names.kind(b"name-%d" % number)
    assert len(names.kinds) <= 2048
    assert b"name-4999" in names.kinds


def as_fields(*names: bytes) -> fields.Fields:
    return tuple((name, b"%d" % at) for at, name in enumerate(names))


@pytest.mark.parametrize(
    ("names", "plain"),
    [
        ((), ""),
        ((b"Host",), ""),
        ((b"Host", b"Accept", b"Cookie"), "12"),
        ((b"Accept", b"Host", b"Cookie"), "02"),
        ((b"Accept", b"TE", b"Date", b"X_Y", b"Accept"), "024"),
        ((b"Keep-Alive", b"Cookie", b"Expect"), "1"),
    ],
    ids=lambda value: value if isinstance(value, str) else b"-".join(value).decode(),
)
def test_a_shape_takes_what_is_passed_on_in_order(names: tuple[bytes, ...], plain: str) -> None:
    known = Names({**REQUEST_KINDS, "date": fields.DATE}, frozenset())
    row = as_fields(*names)
    shape = known.shapes.of(row)
    assert b"".join(value for _, value in shape.plain(row)).decode() == plain
    assert shape.host == (names.index(b"Host") if b"Host" in names else -1)
    assert shape.dated == (b"Date" in names)
    assert known.shapes.of(as_fields(*names)) is shape


def test_a_shape_tells_where_the_others_stand() -> None:
    shape = Names(REQUEST_KINDS).shapes.of(as_fields(b"Host", b"TE", b"A", b"Connection", b"te"))
    assert shape.special == ((fields.TE, "TE", 1), (fields.CONNECTION, "Connection", 3), (fields.TE, "te", 4))


@pytest.mark.parametrize(
    ("names", "length"),
    [
        ((b"Date", b"content-LENGTH"), 1),
        ((b"Content-Length", b"Content-Length"), -1),
        ((b"Content-Length", b"Transfer-Encoding"), -1),
        ((b"Transfer-Encoding",), -1),
        ((b"Date",), -1),
    ],
    ids=str,
)
def test_a_length_is_told_where_it_stands_alone(names: tuple[bytes, ...], length: int) -> None:
    assert Names(RESPONSE_KINDS).shapes.of(as_fields(*names)).length == length


def test_shapes_are_bounded_in_number_fields_and_length() -> None:
    names = Names(REQUEST_KINDS)
    names.shapes.of(as_fields(*[b"a"] * 65))
    names.shapes.of(as_fields(*[b"a" * 64] * 17))
    assert names.shapes.known == {}
    for number in range(1500):
        names.shapes.of(as_fields(b"name-%d" % number))
    assert len(names.shapes.known) <= 512
    assert b"name-1499" in names.shapes.known


def test_names_beyond_ascii_are_plain() -> None:
    assert Names(RESPONSE_KINDS).kind(b"X-\xe9") == fields.PLAIN


def test_kinds_given_from_outside_are_not_changed_by_learning() -> None:
    names = Names(REQUEST_KINDS)
    names.kind(b"X-New")
    assert "x-new" not in REQUEST_KINDS


@pytest.mark.parametrize(
    ("values", "options"),
    [([], set()), (["close"], {"close"}), (["Keep-Alive, X-A", " ,TE "], {"keep-alive", "x-a", "te"})],
)
def test_options_of_connection(values: list[str], options: set[str]) -> None:
    assert connection_options(values) == options


def test_connection_takes_away_what_it_names_but_not_what_is_no_peers_to_take() -> None:
    kept = ["Authorization", "Cookie", "Cache-Control", "Host", "Via", "X-Forwarded-For", "X-Real-IP", "X-Request-ID"]
    headers = Headers([*((name, "a") for name in kept), ("X-Mine", "1"), ("X-Other", "2"), ("x-mine", "3")])
    remove_named(headers, {"x-mine", "absent", *(name.lower() for name in kept)})
    assert list(headers) == [*kept, "X-Other"]


def test_connection_that_names_nothing_takes_nothing() -> None:
    headers = Headers([("X-Mine", "1")])
    remove_named(headers, set())
    assert len(headers) == 1


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        ("websocket", ["websocket"]),
        ("WebSocket", ["WebSocket"]),
        ("h2c", []),
        ("H2C", []),
        ("h2c, websocket", ["websocket"]),
        ("websocket,h2c , chat/2.0", ["websocket", "chat/2.0"]),
        ("HTTP/2.0, TLS/1.0, h2, tcp", ["tcp"]),
        (" , ,", []),
        ("a b, c/d/e, (x), ok", ["ok"]),
    ],
)
def test_protocols_that_may_be_passed_on(value: str, passed: list[str]) -> None:
    assert fields.protocols(value) == passed
