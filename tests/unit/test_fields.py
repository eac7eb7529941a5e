"""What a field's name means, and what Connection may take away."""

from __future__ import annotations

import pytest

from proxy import fields
from proxy.fields import REQUEST_KINDS, RESPONSE_KINDS, Names, connection_options, remove_named
from proxy.headers import Headers


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
    assert names.learn(raw) == kind
    assert names.kinds == {raw: kind}


def test_names_of_answers_pass_with_underscores_and_without_te() -> None:
    names = Names(RESPONSE_KINDS)
    assert names.learn(b"X_Odd") == fields.PLAIN
    assert names.learn(b"TE") == fields.DROP
    assert names.learn(b"Host") == fields.PLAIN


def test_the_memo_is_bounded_in_length_and_number() -> None:
    names = Names(REQUEST_KINDS)
    names.learn(b"x" * 65)
    assert names.kinds == {}
    for number in range(5000):
        names.learn(b"name-%d" % number)
    assert len(names.kinds) <= 2048
    assert b"name-4999" in names.kinds


def test_names_beyond_ascii_are_plain() -> None:
    assert Names(RESPONSE_KINDS).learn(b"X-\xe9") == fields.PLAIN


def test_kinds_given_from_outside_are_not_changed_by_learning() -> None:
    names = Names(REQUEST_KINDS)
    names.learn(b"X-New")
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
