from __future__ import annotations

import pytest

from plugins.cache.config import Config
from plugins.cache.dates import write_date
from plugins.cache.directives import of_response
from plugins.cache.freshness import Lifetime, initial_age, lifetime
from proxy.api import Headers

NOW = 1_700_000_000.0
PLAIN = Config()


def at(seconds: float) -> str:
    return write_date(NOW + seconds)


def life(fields: dict[str, str], status: int = 200, config: Config = PLAIN) -> Lifetime:
    headers = Headers(fields)
    return lifetime(status, headers, of_response(headers), NOW, config)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (0, "none")),
        ({"Cache-Control": "max-age=60"}, (60, "max-age")),
        ({"Cache-Control": "max-age=60, s-maxage=5"}, (5, "s-maxage")),
        ({"Cache-Control": "s-maxage=0, max-age=60"}, (0, "s-maxage")),
        ({"Cache-Control": "max-age=0", "Expires": at(60)}, (0, "max-age")),
        ({"Cache-Control": "max-age=60", "Expires": "0"}, (60, "max-age")),
        ({"Cache-Control": "max-age=abc", "Expires": at(60)}, (0, "max-age")),
        ({"Expires": at(60), "Date": at(0)}, (60, "expires")),
        ({"Expires": at(60), "Date": at(30)}, (30, "expires")),
        ({"Expires": at(60)}, (60, "expires")),
        ({"Expires": at(-60), "Date": at(0)}, (0, "expires")),
        ({"Expires": "0", "Last-Modified": at(-1000)}, (0, "expires")),
        ({"Expires": "tomorrow"}, (0, "expires")),
        ({"Last-Modified": at(-1000), "Date": at(0)}, (100, "heuristic")),
        ({"Last-Modified": at(-100 * 86400 * 10), "Date": at(0)}, (86400, "heuristic")),
        ({"Last-Modified": at(1000), "Date": at(0)}, (0, "none")),
        ({"CDN-Cache-Control": "max-age=7", "Cache-Control": "max-age=60", "Expires": at(9)}, (7, "max-age")),
        ({"CDN-Cache-Control": "public", "Cache-Control": "max-age=60", "Expires": at(9)}, (0, "none")),
    ],
)
def test_the_lifetime(fields: dict[str, str], expected: tuple[int, str]) -> None:
    assert life(fields) == expected


def test_two_expires_that_differ_are_in_the_past() -> None:
    headers = Headers([("Expires", at(60)), ("Expires", at(600))])
    assert lifetime(200, headers, of_response(headers), NOW, PLAIN) == (0, "expires")


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
def test_statuses_that_may_be_fresh_without_saying_so(status: int) -> None:
    assert life({"Last-Modified": at(-1000)}, status).source == "heuristic"


@pytest.mark.parametrize("status", [201, 202, 302, 303, 307, 403, 500, 502, 503, 504, 599])
def test_statuses_that_may_not(status: int) -> None:
    assert life({"Last-Modified": at(-1000)}, status) == (0, "none")
    assert life({"Last-Modified": at(-1000), "Cache-Control": "public"}, status).source == "heuristic"


def test_heuristics_can_be_switched_off() -> None:
    assert life({"Last-Modified": at(-1000)}, config=Config(heuristic=False)) == (0, "none")


def test_ttl_is_for_answers_that_say_nothing() -> None:
    config = Config.model_validate({"ttl": "30s"})
    assert life({}, config=config) == (30, "ttl")
    assert life({"Last-Modified": at(-1000)}, config=config) == (30, "ttl")
    assert life({"Cache-Control": "max-age=5"}, config=config) == (5, "max-age")
    assert life({"Expires": "0"}, config=config) == (0, "expires")
    assert life({}, 503, config) == (0, "none")
    assert life({}, 302, Config.model_validate({"ttl": "30s", "statuses": [302]})) == (30, "ttl")


def test_force_ttl_is_over_everything() -> None:
    config = Config.model_validate({"force_ttl": "30s"})
    assert life({"Cache-Control": "no-store, max-age=0"}, 500, config) == (30, "force_ttl")


@pytest.mark.parametrize(
    ("fields", "age"),
    [
        ({}, 2),  # the time that the answer took
        ({"Age": "30"}, 32),
        ({"Age": "30", "Date": at(-100)}, 100),
        ({"Date": at(50)}, 2),
        ({"Age": "99999999999"}, 2**31),
        ({"Age": ""}, 2),
        ({"Age": "abc"}, 2**31),  # nobody knows how old it is: older than any lifetime
        ({"Age": "-7"}, 2**31),
        ({"Age": "7200.0"}, 2**31),
        ({"Age": "7200;foo=bar"}, 2**31),
        ({"Age": "7200, 0"}, 2**31),
        ({"Age": "0,7200"}, 2**31),
        ({"Age": "0, 0"}, 2**31),
    ],
)
def test_the_age_that_it_came_with(fields: dict[str, str], age: int) -> None:
    assert initial_age(Headers(fields), NOW - 2, NOW) == age
