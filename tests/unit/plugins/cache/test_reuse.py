from __future__ import annotations

from dataclasses import replace

import pytest

from plugins.cache.config import Config
from plugins.cache.reuse import Use, asked, judge, serves_error, stands_aside
from plugins.cache.stored import MUST_REVALIDATE, NO_CACHE, Entry, Stored
from proxy.api import Body, Headers, Request

NOW = 1_700_000_000.0
PLAIN = Config()
STORED = Stored(200, "", ((b"ETag", b'"a"'),), b"", NOW, 0, 60)


def verdict(stored: Stored | None, control: str = "", after: float = 0, config: Config = PLAIN) -> tuple[Use, str]:
    request = Request("GET", "/", headers=Headers({"Cache-Control": control} if control else {}))
    entry = None if stored is None else Entry((stored,))
    found = judge(entry, request, asked(request, config), NOW + after, config)
    return found.use, found.reason


@pytest.mark.parametrize(
    ("control", "after", "expected"),
    [
        ("", 0, (Use.HIT, "")),
        ("", 59, (Use.HIT, "")),
        ("", 60, (Use.VALIDATE, "stale")),
        ("no-cache", 0, (Use.VALIDATE, "request")),
        ("no-store", 0, (Use.ASIDE, "request")),
        ("max-age=0", 0, (Use.VALIDATE, "request")),
        ("max-age=10", 9, (Use.HIT, "")),
        ("max-age=10", 11, (Use.VALIDATE, "request")),
        ("max-age=10, max-stale=5", 12, (Use.HIT, "")),
        ("min-fresh=50", 5, (Use.HIT, "")),
        ("min-fresh=50", 15, (Use.VALIDATE, "request")),
        ("max-stale", 1000, (Use.HIT, "max-stale")),
        ("max-stale=10", 65, (Use.HIT, "max-stale")),
        ("max-stale=10", 75, (Use.VALIDATE, "stale")),
        ("max-stale=x", 75, (Use.VALIDATE, "stale")),
        ("only-if-cached", 0, (Use.HIT, "")),
        ("only-if-cached", 60, (Use.NOTHING, "only-if-cached")),
    ],
)
def test_what_a_client_asks_for(control: str, after: float, expected: tuple[Use, str]) -> None:
    assert verdict(STORED, control, after) == expected


def test_nothing_is_stored() -> None:
    assert verdict(None) == (Use.MISS, "uri-miss")
    assert verdict(None, "only-if-cached") == (Use.NOTHING, "only-if-cached")
    assert verdict(replace(STORED, selecting=(("foo", "1"),))) == (Use.MISS, "vary-miss")


def test_what_an_answer_forbids() -> None:
    assert verdict(replace(STORED, flags=NO_CACHE)) == (Use.VALIDATE, "stale")
    strict = replace(STORED, flags=MUST_REVALIDATE, swr=100)
    assert verdict(strict) == (Use.HIT, "")
    assert verdict(strict, after=61) == (Use.VALIDATE, "stale")
    assert verdict(strict, "max-stale", 61) == (Use.VALIDATE, "stale")


def test_stale_while_revalidate() -> None:
    stored = replace(STORED, swr=10)
    assert verdict(stored, after=65) == (Use.STALE, "stale")
    assert verdict(stored, after=71) == (Use.VALIDATE, "stale")


def test_clients_can_be_ignored() -> None:
    config = Config(ignore_client_no_cache=True)
    assert verdict(STORED, "no-cache", config=config) == (Use.HIT, "")
    assert verdict(STORED, "no-store", config=config) == (Use.HIT, "")
    assert verdict(None, "only-if-cached", config=config) == (Use.NOTHING, "only-if-cached")


def test_a_fresh_variant_goes_before_a_stale_one_that_is_liked_better() -> None:
    stale = replace(STORED, coding="br", flags=16, lifetime=0)
    fresh = replace(STORED, coding="gzip", flags=16)
    request = Request("GET", "/", headers=Headers({"Accept-Encoding": "br, gzip"}))
    assert judge(Entry((stale, fresh)), request, asked(request, PLAIN), NOW, PLAIN).stored is fresh


def test_stale_in_the_place_of_an_error() -> None:
    request = Request("GET", "/")
    wants = asked(request, PLAIN)
    assert not serves_error(STORED, wants, NOW + 61)
    assert serves_error(replace(STORED, sie=10), wants, NOW + 65)
    assert not serves_error(replace(STORED, sie=10), wants, NOW + 75)
    assert not serves_error(replace(STORED, sie=10, flags=MUST_REVALIDATE), wants, NOW + 65)
    asking = asked(Request("GET", "/", headers=Headers({"Cache-Control": "stale-if-error=10"})), PLAIN)
    assert serves_error(STORED, asking, NOW + 65)


@pytest.mark.parametrize(
    ("request_", "config", "why"),
    [
        (Request("GET", "/"), PLAIN, ""),
        (Request("HEAD", "/"), PLAIN, ""),
        (Request("POST", "/"), PLAIN, "method"),
        (Request("POST", "/", body=Body(b"x")), Config.model_validate({"methods": ["POST"]}), ""),
        (Request("GET", "/", headers=Headers({"If-Match": '"a"'})), PLAIN, "request"),
        (Request("GET", "/", body=Body(b"x")), PLAIN, "request"),
        (Request("GET", "/", headers=Headers({"X-Debug": "1"})), Config(bypass=("x-debug",)), "bypass"),
    ],
)
def test_when_the_cache_stands_aside(request_: Request, config: Config, why: str) -> None:
    assert stands_aside(request_, config) == why


def test_an_upgrade_is_no_affair_of_the_cache() -> None:
    request = Request("GET", "/")
    request.upgrade = "websocket"
    assert stands_aside(request, PLAIN) == "upgrade"
