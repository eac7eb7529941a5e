"""Paths that are refused unless their route allows them."""

from __future__ import annotations

import pytest

from proxy.errors import BadRequest
from proxy.message import Request
from proxy.routing import Match, Rewrite, Route, Router

ODD = {"dots": "/open/../guarded", "slashes": "/open/..%2Fguarded", "nul": "/open/a%00b"}


ALLOWED = [(), ("dots",), ("slashes",), ("nul",), ("dots", "slashes"), ("dots", "slashes", "nul")]


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("allow", ALLOWED)
def test_a_route_may_allow_what_is_refused_otherwise(kind: str, allow: tuple[str, ...]) -> None:
    routes = [
        Route("open", Match(path="/open/*"), "open", allow=frozenset(allow)),
        Route("guarded", Match(path="/guarded"), "guarded"),
    ]
    request = Request("GET", ODD[kind])
    needed = {"dots": {"dots"}, "slashes": {"dots", "slashes"}, "nul": {"nul"}}[kind]
    if needed <= set(allow):
        found = Router(routes).find(request)
        assert found is not None
        assert found.name == "open"
        assert next(one for one in Router(routes).consider(request) if one.won).route.name == "open"
    else:
        with pytest.raises(BadRequest):
            Router(routes).find(request)


def test_what_one_route_allows_another_does_not() -> None:
    routes = [
        Route("open", Match(path="/open/*"), "", allow=frozenset({"dots", "slashes", "nul"})),
        Route("rest", Match(path="/*"), ""),
    ]
    for target in ("/other/a%00b", "/other/../open/x", "/open/\x01", "/open/../../x"):
        with pytest.raises(BadRequest):
            Router(routes).find(Request("GET", target))


def test_dots_on_a_route_that_rewrites_need_to_be_allowed_too() -> None:
    for allow in (frozenset[str](), frozenset({"dots"})):
        rewrite = Rewrite("/a/*", strip="/a")
        router = Router([Route("a", Match(path="/a/*"), "", rewrite=rewrite, allow=allow)])
        if allow:
            assert router.find(Request("GET", "/a/b/../c")) is not None
        else:
            with pytest.raises(BadRequest):
                router.find(Request("GET", "/a/b/../c"))


def test_a_name_that_begins_with_a_dot_climbs_nowhere() -> None:
    router = Router([Route("open", Match(path="/open/*"), "", allow=frozenset({"slashes"}))])
    assert router.find(Request("GET", "/open/a%2F.hidden")) is not None
