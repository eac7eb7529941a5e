from __future__ import annotations

import pytest

from plugins.cache.config import Config
from plugins.cache.directives import of_response
from plugins.cache.freshness import lifetime
from plugins.cache.storing import at_sight, kept_fields, refusal, unkeyed
from proxy.api import Headers, Request, Response

NOW = 1_700_000_000.0
FRESH = {"Cache-Control": "max-age=60"}
PLAIN = Config()


def refused(
    fields: dict[str, str], status: int = 200, wanted: dict[str, str] | None = None, config: Config = PLAIN
) -> str:
    response = Response(status, Headers(fields))
    told = of_response(response.headers)
    life = lifetime(status, response.headers, told, NOW, config)
    request = Request("GET", "/", headers=Headers(wanted or {}))
    why = refusal(request, response, told, life, config)
    assert at_sight(request, response, config) in ("", why)
    return why


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (FRESH, ""),
        ({}, "no-freshness"),
        ({"ETag": '"a"'}, ""),
        ({"Cache-Control": "no-cache", "ETag": '"a"'}, ""),
        ({"Cache-Control": "no-store, max-age=60"}, "no-store"),
        ({"Cache-Control": "NO-STORE"}, "no-store"),
        ({"Cache-Control": "private, max-age=60"}, "private"),
        ({"Cache-Control": 'private="X-A", max-age=60'}, ""),
        ({"Cache-Control": "must-understand, no-store, max-age=60"}, ""),
        ({"Cache-Control": "max-age=0"}, "no-freshness"),
        ({"Cache-Control": "max-age=0, stale-while-revalidate=60"}, ""),
        ({**FRESH, "Vary": "*"}, "vary-star"),
        ({**FRESH, "Vary": "Accept, *"}, "vary-star"),
        ({**FRESH, "Set-Cookie": "a=b"}, "set-cookie"),
        ({"Cache-Control": "public, max-age=60", "Set-Cookie": "a=b"}, ""),
        ({"Cache-Control": 'no-cache="Set-Cookie", max-age=60', "Set-Cookie": "a=b"}, ""),
        ({**FRESH, "Content-Type": "text/event-stream; charset=utf-8"}, "event-stream"),
        ({"CDN-Cache-Control": "max-age=60", "Cache-Control": "no-store"}, ""),
        ({"CDN-Cache-Control": "private", "Cache-Control": "max-age=60"}, "private"),
        ({"CDN-Cache-Control": "no-store", "Cache-Control": "max-age=60"}, "no-store"),
    ],
)
def test_what_an_answer_says(fields: dict[str, str], why: str) -> None:
    assert refused(fields) == why


@pytest.mark.parametrize("status", [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 503, 599])
def test_every_final_status_with_explicit_freshness(status: int) -> None:
    assert refused(FRESH, status) == ""


def test_parts_and_confirmations_are_not_stored() -> None:
    assert refused(FRESH, 206) == "partial"
    assert refused(FRESH, 416) == "partial"
    assert refused(FRESH, 304) == "status"


def test_a_status_that_is_not_understood() -> None:
    assert refused({"Cache-Control": "must-understand, max-age=60"}, 299) == "must-understand"


def test_unusual_statuses_need_a_word_for_it() -> None:
    assert refused({"ETag": '"a"'}, 500) == "status"
    assert refused({"ETag": '"a"', "Cache-Control": "public"}, 500) == ""


def test_statuses_can_be_chosen() -> None:
    config = Config.model_validate({"statuses": [200, 404]})
    assert refused(FRESH, 404, config=config) == ""
    assert refused(FRESH, 301, config=config) == "status"


@pytest.mark.parametrize(
    ("control", "why"),
    [
        ("max-age=60", "authorization"),
        ("max-age=60, public", ""),
        ("s-maxage=60", ""),
        ("max-age=60, must-revalidate", ""),
        ("max-age=60, proxy-revalidate", "authorization"),
    ],
)
def test_answers_to_requests_with_credentials(control: str, why: str) -> None:
    assert refused({"Cache-Control": control}, wanted={"Authorization": "Basic eA=="}) == why


def test_force_ttl_stores_what_forbids_it_but_nobody_elses_answers() -> None:
    config = Config.model_validate({"force_ttl": "30s"})
    assert refused({"Cache-Control": "no-store, private"}, config=config) == ""
    assert refused({}, wanted={"Authorization": "x"}, config=config) == "authorization"
    assert refused({"Set-Cookie": "a=b"}, config=config) == "set-cookie"


def test_ttl_is_never_over_no_store_or_private() -> None:
    config = Config.model_validate({"ttl": "30s"})
    assert refused({}, config=config) == ""
    assert refused({"Cache-Control": "no-store"}, config=config) == "no-store"
    assert refused({"Cache-Control": "private"}, config=config) == "private"


def test_cookies_can_be_stored_where_that_is_wanted() -> None:
    assert refused({**FRESH, "Set-Cookie": "a=b"}, config=Config(set_cookie="store")) == ""


def test_fields_that_are_not_stored() -> None:
    headers = Headers(
        {
            "Cache-Control": 'max-age=60, no-cache="X-A, x-b", private=X-C',
            "X-A": "1",
            "X-B": "2",
            "X-C": "3",
            "X-D": "4",
            "Age": "5",
            "Cache-Status": "other; hit",
            "Proxy-Authenticate": "Basic",
            "Passerelle-Cache-Control": "max-age=1",
        }
    )
    assert [name for name, _ in kept_fields(headers, of_response(Headers(headers.pairs[:1])), PLAIN)] == [
        "Cache-Control",
        "X-D",
    ]


def test_fields_that_make_another_request_of_it() -> None:
    request = Request("GET", "/", headers=Headers({"X-Original-URL": "/admin"}))
    assert unkeyed(request, PLAIN) == "x-original-url"
    assert unkeyed(request, Config.model_validate({"key": {"headers": ["X-Original-URL"]}})) == ""
    assert unkeyed(Request("GET", "/"), PLAIN) == ""


@pytest.mark.parametrize(
    ("fields", "status", "wanted", "why"),
    [
        ({"Cache-Control": "no-store"}, 200, {}, "no-store"),
        ({"Cache-Control": "private, max-age=5", "ETag": '"a"'}, 404, {"Authorization": "x"}, "private"),
        ({"Content-Type": "text/html"}, 200, {}, "no-freshness"),
        ({"Content-Type": "text/html"}, 500, {}, "status"),
        ({"Content-Type": "text/html", "ETag": '"a"'}, 200, {"Authorization": "x"}, "authorization"),
        ({"Cache-Control": "max-age=5"}, 200, {}, ""),
        ({"Content-Type": "text/html", "ETag": '"a"'}, 200, {}, ""),
        ({"Content-Type": "text/event-stream"}, 200, {}, ""),
        ({"Cache-Control": "no-store", "Surrogate-Control": "max-age=5"}, 200, {}, ""),
        ({"Cache-Control": "no-store"}, 206, {}, ""),
    ],
)
def test_what_is_plain_at_sight(fields: dict[str, str], status: int, wanted: dict[str, str], why: str) -> None:
    request, response = Request("GET", "/", headers=Headers(wanted)), Response(status, Headers(fields))
    assert at_sight(request, response, PLAIN) == why
    assert why in ("", refused(fields, status, wanted))
    for options in ({"force_ttl": "1s"}, {"statuses": [200]}):
        assert at_sight(request, response, Config.model_validate(options)) == ""


def test_it_is_never_plain_that_a_ttl_does_not_help() -> None:
    response = Response(200, Headers({"Content-Type": "text/html"}))
    assert at_sight(Request("GET", "/"), response, Config.model_validate({"ttl": "5s"})) == ""
