"""Routes and the tests of a file, as they are written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from proxy.settings.plugin_models import RoutePlugin
from proxy.settings.route_models import Expect, PathEdit, Route, SelfTest


def test_a_route_matches_everything_unless_it_says_otherwise() -> None:
    route = Route(name="all")
    assert (route.match.host, route.match.path, route.match.methods, route.match.headers) == ((), "/*", (), {})
    assert route.path.is_empty
    assert (route.upstream, route.plugins, route.priority) == (None, {}, 0)


def test_a_route_as_written() -> None:
    route = Route.model_validate(
        {
            "name": "api",
            "match": {"host": "api.example.com", "path": "/api/*", "methods": ["GET"], "headers": {"X-Beta": "1"}},
            "path": {"strip": "/api"},
            "upstream": "shop",
            "priority": 5,
            "timeouts": {"first_byte": "2s"},
        }
    )
    assert route.match.host == ("api.example.com",)
    assert route.match.methods == ("GET",)
    assert route.path.strip == "/api"
    assert not route.path.is_empty
    assert route.timeouts.first_byte == 2


def test_a_route_names_plugins_by_id_or_by_file() -> None:
    plugins = {"./maintenance.py": RoutePlugin.of("./maintenance.py", False), "events": RoutePlugin.of("events")}
    route = Route(name="a", plugins=plugins)
    assert route.plugin("maintenance") is plugins["./maintenance.py"]
    assert route.plugin("events") is plugins["events"]
    assert route.plugin("headers") is None


@pytest.mark.parametrize(
    "data",
    [
        {"name": "a b"},
        {"name": "a", "match": {"path": "x"}},
        {"name": "a", "match": {"path": "/x?y"}},
        {"name": "a", "match": {"methods": "get"}},
        {"name": "a", "match": {"methods": "CONNECT"}},
        {"name": "a", "match": {"headers": {"X Y": "1"}}},
        {"name": "a", "path": {"rewrite": "x"}},
    ],
)
def test_what_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Route.model_validate(data)


def test_a_path_is_edited_in_one_way() -> None:
    with pytest.raises(ValidationError, match="exclude each other"):
        PathEdit(strip="/a", rewrite="/b")


def test_a_test_has_a_method_and_a_url() -> None:
    test = SelfTest(request=" GET  http://example.com/a?b ", expect=Expect(status=404))
    assert (test.method, test.url) == ("GET", "http://example.com/a?b")


@pytest.mark.parametrize("request_line", ["GET", "get http://a/", "/x", "GET /x", "GET ftp://a", "GET http:///x", ""])
def test_requests_that_are_none(request_line: str) -> None:
    with pytest.raises(ValidationError):
        SelfTest(request=request_line, expect=Expect(status=404))


def test_a_test_expects_something() -> None:
    with pytest.raises(ValidationError, match="expects nothing"):
        Expect()
    assert Expect(headers={"X-Debug": None}).headers == {"X-Debug": None}
