from __future__ import annotations

import pytest

from plugins.cache.directives import cache_control, of_request, of_response
from proxy.api import Headers


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("max-age=60", 60),
        ("MaX-aGe=60", 60),
        ('max-age="60"', 60),
        ("foo, max-age=60, bar=2", 60),
        ("max-age=60, max-age=60", 60),
        ("max-age=99999999999", 2**31),
        ('ext="max-age=3600", max-age=1', 1),
        ('max-age=1, ext="max-age=3600"', 1),
        ("max-age=60, max-age=120", 0),  # two that differ: stale
        ("max-age=1, max-age=abc", 0),
        ("max-age=-1", 0),
        ("max-age=60.0", 0),
        ("max-age='60'", 0),
        ("max-age=a60", 0),
        ("max-age=60a", 0),
        ("max-age =60", 0),
        ("max-age= 60", 0),
        ("max-age", 0),
        ("s-maxage=60", None),
        ('ext="max-age=60"', None),
    ],
)
def test_seconds(text: str, seconds: int | None) -> None:
    assert cache_control([text]).seconds("max-age") == seconds


@pytest.mark.parametrize(
    "text", ["no-store", "No-StOrE", "a, no-store ,b", "no-store=1", 'x="a, no-store', "no-store "]
)
def test_no_store_is_not_missed(text: str) -> None:
    assert "no-store" in cache_control([text])


@pytest.mark.parametrize(
    ("text", "fields", "whole"),
    [
        ("private", frozenset[str](), True),
        ('private="Set-Cookie, X-A"', {"set-cookie", "x-a"}, False),
        ("private=X-A", {"x-a"}, False),
        ('private="", a', frozenset[str](), True),
        ('private="a b"', frozenset[str](), True),  # no field names: about everything
        ("private= X-A", frozenset[str](), True),
        ('private="X-A", private', frozenset[str](), True),
        ('private="X-A", private="X-B"', {"x-a", "x-b"}, False),
        ("public", frozenset[str](), False),
    ],
)
def test_directives_about_fields(text: str, fields: frozenset[str], whole: bool) -> None:
    told = cache_control([text])
    assert told.fields("private") == fields
    assert told.whole("private") is whole


def test_lines_add_up() -> None:
    told = cache_control(["max-age=5", "no-cache"])
    assert told.seconds("max-age") == 5
    assert "no-cache" in told


def test_pragma_counts_only_alone() -> None:
    assert "no-cache" in of_request(Headers({"Pragma": "no-cache"}))
    assert "no-cache" not in of_request(Headers({"Pragma": "no-cache", "Cache-Control": "max-age=5"}))
    assert not of_request(Headers())


@pytest.mark.parametrize(
    ("targeted", "seconds", "source"),
    [
        ("max-age=10", 10, "cdn-cache-control"),
        ("max-age=99999999999", 2**31, "cdn-cache-control"),
        ("foobar, max-age=10", 10, "cdn-cache-control"),
        ("no-store", None, "cdn-cache-control"),
        ("", 60, ""),  # empty, malformed, of a wrong type: as if it were not there
        ("max-age=10, &&&", 60, ""),
        ('max-age="10"', 60, ""),
        ("max-age= 10", 60, ""),
    ],
)
def test_targeted_fields(targeted: str, seconds: int | None, source: str) -> None:
    told = of_response(Headers({"Cache-Control": "max-age=60", "CDN-Cache-Control": targeted}))
    assert told.seconds("max-age") == seconds
    assert told.targeted == source


def test_our_own_targeted_field_goes_first() -> None:
    fields = {"CDN-Cache-Control": "max-age=1", "Passerelle-Cache-Control": "max-age=2, no-cache=?0"}
    told = of_response(Headers(fields))
    assert told.seconds("max-age") == 2
    assert "no-cache" not in told


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("max-age=10", 10),
        ("MaX-aGe=10", 10),
        ("max-age=99999999999", 2**31),
        ('content="ESI/1.0", max-age=10', 10),
        ("max-age=10;passerelle", 10),
        ("max-age=10;elsewhere;Passerelle", 10),
        ("max-age=5, max-age=10;passerelle", 10),
        ("max-age=10;passerelle, max-age=5", 10),
        ("max-age=5, max-age=10;elsewhere", 5),
        ("max-age=abc", 0),
        ("max-age=5, max-age=10", 0),
    ],
)
def test_surrogate_control_takes_the_place_of_cache_control(told: str, seconds: int) -> None:
    found = of_response(Headers({"Cache-Control": "no-store", "Surrogate-Control": told}))
    assert (found.targeted, found.seconds("max-age")) == ("surrogate-control", seconds)
    assert "no-store" not in found


@pytest.mark.parametrize("told", ["", "foo", 'content="ESI/1.0"', "max-age=10;elsewhere", "no-store-remote"])
def test_surrogate_control_that_says_nothing_to_us(told: str) -> None:
    found = of_response(Headers({"Cache-Control": "max-age=60", "Surrogate-Control": told}))
    assert (found.targeted, found.seconds("max-age")) == ("", 60)


def test_a_surrogate_may_be_given_more_time_for_what_is_stale() -> None:
    found = of_response(Headers({"Surrogate-Control": "max-age=10+20"}))
    names = ("max-age", "stale-while-revalidate", "stale-if-error")
    assert [found.seconds(name) for name in names] == [10, 20, 20]


def test_a_surrogate_may_be_kept_from_storing() -> None:
    assert "no-store" in of_response(Headers({"Cache-Control": "max-age=60", "Surrogate-Control": "no-store"}))


def test_targeted_fields_of_the_standard_go_before_surrogate_control() -> None:
    fields = {"Surrogate-Control": "max-age=1", "CDN-Cache-Control": "max-age=2"}
    assert of_response(Headers(fields)).seconds("max-age") == 2
