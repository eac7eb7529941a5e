from __future__ import annotations

from dataclasses import replace

import pytest

from plugins.cache.answers import answer, flags_of, store, tags_of, windows
from plugins.cache.config import Config
from plugins.cache.dates import write_date
from plugins.cache.directives import of_response
from plugins.cache.freshness import lifetime
from plugins.cache.stored import BY_CODING, DATED, MUST_REVALIDATE, NO_CACHE, Stored
from proxy.api import Headers, Request, Response

NOW = 1_700_000_000.0
PLAIN = Config()


def kept(fields: dict[str, str], body: bytes = b"01234567890", wanted: dict[str, str] | None = None) -> Stored:
    response = Response(200, Headers(fields))
    told = of_response(response.headers)
    life = lifetime(200, response.headers, told, NOW, PLAIN)
    request = Request("GET", "/", headers=Headers(wanted or {}))
    return replace(store(request, response, told, life, (NOW - 1, NOW), PLAIN), body=body)


STORED = kept({"ETag": '"a"', "Cache-Control": "max-age=60", "Content-Type": "text/plain", "Date": write_date(NOW)})


def test_what_is_stored_of_an_answer() -> None:
    fields = {
        "Vary": "Accept-Encoding, Foo",
        "Content-Encoding": "GZIP",
        "Cache-Control": "max-age=60, must-revalidate, stale-while-revalidate=5, stale-if-error=6",
        "Surrogate-Key": "one two",
        "Cache-Tag": "three, two",
        "Date": write_date(NOW),
    }
    stored = kept(fields, wanted={"Foo": "1"})
    assert stored.selecting == (("foo", "1"),)
    assert stored.coding == "gzip"
    assert stored.flags == BY_CODING | MUST_REVALIDATE | DATED
    assert (stored.lifetime, stored.swr, stored.sie, stored.age) == (60, 5, 6, 1)
    assert stored.tags == ("one", "two", "three")


def test_a_hit_has_an_age_and_its_cache_status() -> None:
    found = answer(STORED, Request("GET", "/"), NOW + 10, "passerelle; hit")
    assert (found.status, found.body.data) == (200, b"01234567890")
    assert found.headers["Age"] == "11"
    assert found.headers["Cache-Status"] == "passerelle; hit"
    assert found.headers["Date"] == write_date(NOW)
    assert "Age" not in STORED.headers


async def test_a_large_part_is_cut_as_it_is_taken() -> None:
    whole = bytes(range(256)) * 1024
    found = answer(
        kept({"ETag": '"a"'}, whole), Request("GET", "/", headers=Headers({"Range": "bytes=1-200000"})), NOW, ""
    )
    assert (found.status, found.body.data, found.body.size) == (206, None, 200_000)
    pieces = [piece async for piece in found.body]
    assert max(map(len, pieces)) == 65536
    assert b"".join(pieces) == whole[1:200_001]


def test_a_part_that_there_is_not_is_nothing_for_a_cache_in_front() -> None:
    kept_long = kept({"Cache-Control": "max-age=60", "Expires": write_date(NOW + 60), "ETag": '"a"'})
    found = answer(kept_long, Request("GET", "/", headers=Headers({"Range": "bytes=99-"})), NOW, "")
    assert (found.status, found.headers["ETag"]) == (416, '"a"')
    assert "Cache-Control" not in found.headers
    assert "Expires" not in found.headers


def test_a_client_that_has_it_gets_a_confirmation() -> None:
    found = answer(STORED, Request("GET", "/", headers=Headers({"If-None-Match": '"a"'})), NOW, "")
    assert (found.status, found.body.data) == (304, b"")
    assert found.headers["ETag"] == '"a"'
    assert "Content-Type" not in found.headers
    assert "Cache-Status" not in found.headers


@pytest.mark.parametrize(
    ("wanted", "status", "body", "told"),
    [
        ({"Range": "bytes=0-1"}, 206, b"01", "bytes 0-1/11"),
        ({"Range": "bytes=-1"}, 206, b"0", "bytes 10-10/11"),
        ({"Range": "bytes=11-"}, 416, b"", "bytes */11"),
        ({"Range": "bytes=0-1,4-5"}, 200, b"01234567890", None),
        ({"Range": "bytes=0-1", "If-Range": '"a"'}, 206, b"01", "bytes 0-1/11"),
        ({"Range": "bytes=0-1", "If-Range": '"b"'}, 200, b"01234567890", None),
        ({"Range": "bytes=0-1", "If-None-Match": '"a"'}, 304, b"", None),
    ],
)
def test_parts_of_it(wanted: dict[str, str], status: int, body: bytes, told: str | None) -> None:
    found = answer(STORED, Request("GET", "/", headers=Headers(wanted)), NOW, "")
    assert (found.status, found.body.data) == (status, body)
    assert found.headers.get("Content-Range") == told


def test_head_gets_no_part() -> None:
    found = answer(STORED, Request("HEAD", "/", headers=Headers({"Range": "bytes=0-1"})), NOW, "")
    assert found.status == 200


def test_conditions_are_about_a_200() -> None:
    found = answer(replace(STORED, status=404), Request("GET", "/", headers=Headers({"If-None-Match": '"a"'})), NOW, "")
    assert found.status == 404


@pytest.mark.parametrize(
    ("control", "flags"),
    [
        ("max-age=1", 0),
        ("no-cache", NO_CACHE),
        ('no-cache="X"', 0),
        ("must-revalidate", MUST_REVALIDATE),
        ("proxy-revalidate", MUST_REVALIDATE),
        ("s-maxage=5", MUST_REVALIDATE),
    ],
)
def test_what_an_answer_forbids(control: str, flags: int) -> None:
    assert flags_of(of_response(Headers({"Cache-Control": control})), PLAIN) == flags
    assert flags_of(of_response(Headers({"Cache-Control": control})), Config.model_validate({"force_ttl": "1s"})) == 0


def test_grace_is_for_answers_that_do_not_say() -> None:
    config = Config.model_validate({"grace": "10s"})
    assert windows(of_response(Headers({"Cache-Control": "stale-if-error=0"})), config) == (10, 0)


def test_tags_are_bounded() -> None:
    assert len(tags_of(Headers({"Surrogate-Key": " ".join(map(str, range(500)))}))) == 64
