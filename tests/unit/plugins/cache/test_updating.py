from __future__ import annotations

import pytest

from plugins.cache.config import Config
from plugins.cache.dates import write_date
from plugins.cache.stored import NO_CACHE, SOFT, Stored
from plugins.cache.updating import agrees, confirms, freshened, withdrawn
from proxy.api import Headers, Request, Response

NOW = 1_700_000_000.0
PLAIN = Config()
STORED = Stored(
    200,
    "",
    (
        (b"ETag", b'"a"'),
        (b"Cache-Control", b"max-age=1, no-cache"),
        (b"Content-Encoding", b"gzip"),
        (b"Test", b"A"),
        (b"Date", write_date(NOW - 100).encode()),
        (b"Set-Cookie", b"a=b"),
        (b"Set-Cookie", b"c=d"),
    ),
    b"12345",
    NOW - 100,
    0,
    1,
    flags=NO_CACHE | SOFT,
    coding="gzip",
)


def test_a_304_brings_new_fields_and_keeps_the_others() -> None:
    fields = {"Cache-Control": "max-age=60", "Test": "B", "Content-Encoding": "br", "Content-Length": "9", "New": "1"}
    fields |= {"Content-MD5": "eA==", "Content-Digest": "sha-256=:eA==:"}
    new = freshened(
        STORED, Response(304, Headers({**fields, "Set-Cookie": "x=y", "Date": write_date(NOW)})), (NOW, NOW), PLAIN
    )
    assert new.headers["Test"] == "B"
    assert new.headers["New"] == "1"
    assert new.headers["ETag"] == '"a"'
    assert new.headers["Content-Encoding"] == "gzip"
    assert "Content-Length" not in new.headers
    assert "Content-MD5" not in new.headers  # the stored bytes are not those that it was made of
    assert "Set-Cookie" not in new.headers  # it is for who asked
    assert (new.lifetime, new.received, new.age, new.body) == (60, NOW, 0, b"12345")
    assert not new.flags & (NO_CACHE | SOFT)
    assert new.fresh_for(NOW) == 60


def test_a_304_without_a_date_is_of_now() -> None:
    new = freshened(STORED, Response(304, Headers({"Cache-Control": "max-age=60"})), (NOW, NOW), PLAIN)
    assert new.fresh_for(NOW) == 60


@pytest.mark.parametrize(
    ("tag", "told", "same"),
    [
        (b'"a"', {"ETag": '"a"'}, True),
        (b'"a"', {"ETag": '"b"'}, False),
        (b'"a"', {"ETag": 'W/"a"'}, True),
        (b'W/"a"', {"ETag": '"a"'}, False),
        (b'"a"', {}, True),
    ],
)
def test_a_304_is_about_the_answer_with_its_validator(tag: bytes, told: dict[str, str], same: bool) -> None:
    assert confirms(Stored(200, "", ((b"ETag", tag),), b"", NOW, 0, 0), Headers(told)) is same


def test_a_304_is_about_the_answer_with_its_date() -> None:
    stored = Stored(200, "", ((b"Last-Modified", b"x"),), b"", NOW, 0, 0)
    assert confirms(stored, Headers({"Last-Modified": "x"}))
    assert not confirms(stored, Headers({"Last-Modified": "y"}))
    assert not confirms(stored, Headers({"ETag": '"a"'}))


@pytest.mark.parametrize(
    ("status", "fields", "same"),
    [
        (200, {}, True),
        (200, {"Content-Length": "5", "ETag": '"a"'}, True),
        (200, {"Content-Length": "6"}, False),
        (200, {"ETag": '"b"'}, False),
        (200, {"Last-Modified": "x"}, False),
        (410, {}, False),
    ],
)
def test_the_answer_to_a_head(status: int, fields: dict[str, str], same: bool) -> None:
    assert agrees(STORED, Response(status, Headers(fields))) is same


def test_cookies_of_what_is_everybodys_are_renewed_as_well() -> None:
    fields = {"Cache-Control": "public, max-age=60", "Set-Cookie": "x=y"}
    new = freshened(STORED, Response(304, Headers(fields)), (NOW, NOW), PLAIN)
    assert new.headers.getall("set-cookie") == ["x=y"]


@pytest.mark.parametrize(
    ("control", "gone"), [("max-age=60", False), ("private, max-age=60", True), ("no-store", True), ("public", False)]
)
def test_a_confirmation_may_withdraw_what_was_for_everybody(control: str, gone: bool) -> None:
    new = freshened(STORED, Response(304, Headers({"Cache-Control": control})), (NOW, NOW), PLAIN)
    assert withdrawn(new, Request("GET", "/"), PLAIN) is gone
