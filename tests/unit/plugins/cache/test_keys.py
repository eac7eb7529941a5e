from __future__ import annotations

from typing import Any

import pytest

from plugins.cache.config import Config
from plugins.cache.keys import cookies, host_of, key_of, url_of, url_tag
from proxy.api import Headers, Request


def key(
    target: str = "/", fields: dict[str, str] | None = None, method: str = "GET", body: bytes = b"", **parts: Any
) -> str:
    request = Request(method, target, host="Shop.example:80", headers=Headers(fields or {}))
    return key_of(request, "all", Config.model_validate({"key": parts}), body)


def test_the_url_comes_first_and_the_route_behind_it() -> None:
    assert key("/a?b=1") == "http://shop.example/a?b=1 all "


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("all", "/a?c=3&b=1&b=2"),
        ("none", "/a"),
        ("sorted", "/a?b=1&b=2&c=3"),
        ({"allow": ["b"]}, "/a?b=1&b=2"),
        ({"allow": ["x"]}, "/a"),
        ({"deny": ["b"]}, "/a?c=3"),
    ],
)
def test_the_part_of_the_query_that_counts(query: object, expected: str) -> None:
    assert key("/a?c=3&b=1&b=2", query=query) == f"http://shop.example{expected} all "


def test_hosts_can_be_one_site() -> None:
    assert key(host=False) == "http://*/ all "


def test_fields_and_cookies_that_count() -> None:
    one = key(fields={"X-A": "1"}, headers=["X-A"], cookies=["lang"])
    assert one == key(fields={"X-A": "1", "Cookie": "session=9"}, headers=["X-A"], cookies=["lang"])
    assert one != key(fields={"X-A": "2"}, headers=["X-A"], cookies=["lang"])
    assert one != key(fields={"X-A": "1", "Cookie": "lang=de"}, headers=["X-A"], cookies=["lang"])
    assert one != key(headers=["X-A"], cookies=["lang"])


def test_no_value_can_be_taken_for_another_part() -> None:
    assert key(fields={"X-A": "1&h:x-b=2"}, headers=["X-A", "X-B"]) != key(
        fields={"X-A": "1", "X-B": "2"}, headers=["X-A", "X-B"]
    )


def test_the_body_counts_where_a_method_has_one() -> None:
    posts = {key(method="POST", body=body, fields={"Content-Type": kind}) for body in (b"a", b"b") for kind in "xy"}
    assert len(posts) == 4
    assert key() not in posts
    assert key(method="HEAD") == key()


def test_hosts_in_their_normal_form() -> None:
    assert host_of("https", "A.Example:443") == "a.example"
    assert host_of("http", "a.example:443") == "a.example:443"
    assert url_of(Request("GET", "/x", host="a"), Config().key) == "http://a/x"


def test_cookies_by_name() -> None:
    assert cookies(Headers([("Cookie", "a=1; b=2"), ("Cookie", "a=3; c")])) == {"a": "1", "b": "2"}


def test_all_keys_of_a_url_have_one_tag() -> None:
    assert (
        url_tag(key("/a?b=1")) == url_tag("http://shop.example/a?b=1") == url_tag("http://shop.example/a?b=1 other x")
    )
    assert url_tag(key("/a")) != url_tag(key("/b"))


def test_what_a_trusted_proxy_says_of_scheme_and_host_tells_answers_apart() -> None:
    def told(trusted: bool = True, **fields: str) -> str:
        named = {f"X-Forwarded-{name.title()}": value for name, value in fields.items()}
        return key_of(Request("GET", "/", host="a", headers=Headers(named)), "all", Config(), trusted=trusted)

    assert told(proto="https", host="Shop.example:443") == "https://shop.example/ all "
    assert told(proto="https") != told(proto="http")
    assert told(prefix="/a") != told(prefix="/b")
    assert told(host="x y/z") == "http://x%20y%2Fz/ all ".lower()
    assert told(trusted=False, proto="https", host="evil") == "http://a/ all "


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key", "X-Session-Token", "Cookie"])
def test_no_credential_stands_in_a_key(name: str) -> None:
    one, other = (key(fields={name: value}, headers=[name]) for value in ("Bearer s3cret", "Bearer other"))
    assert one != other
    assert "s3cret" not in one


def test_no_cookie_stands_in_a_key() -> None:
    one, other = (key(fields={"Cookie": f"sid={value}"}, cookies=["sid"]) for value in ("s3cret", "other"))
    assert one != other
    assert "s3cret" not in one


def test_other_fields_can_be_read_in_a_key() -> None:
    assert "h:x-country=NL" in key(fields={"X-Country": "NL"}, headers=["X-Country"])
