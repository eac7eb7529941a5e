"""The table: what is found, what is taken, what is refused."""

from __future__ import annotations

import pytest

from proxy.message import Response
from proxy.plugin import AdminRequest
from proxy.server.admin_routes import AdminRoutes


async def nothing(_: AdminRequest) -> Response:
    return Response(204)


async def something(_: AdminRequest) -> Response:
    return Response(200)


@pytest.fixture
def routes() -> AdminRoutes:
    table = AdminRoutes()
    table.route("GET", "caches/{name}", nothing, "One cache")
    table.route("DELETE", "/caches/{name}/", nothing)
    table.route("GET", "/api/v1/caches/all", something)
    return table


@pytest.mark.parametrize("path", ["caches/{name}", "/caches/{name}/", "/api/v1/caches/{other}"])
def test_a_route_is_taken_once_however_it_is_written(routes: AdminRoutes, path: str) -> None:
    with pytest.raises(ValueError, match=r"GET /api/v1/caches/\{name\} is taken"):
        routes.route("GET", path, something)


def test_parameters_are_read_and_decoded(routes: AdminRoutes) -> None:
    found = routes.find("GET", "/api/v1/caches/a%2Fb%20c")
    assert found is not None
    assert (found[0].summary, found[1]) == ("One cache", {"name": "a/b c"})


def test_literal_segments_beat_parameters(routes: AdminRoutes) -> None:
    found = routes.find("GET", "/api/v1/caches/all")
    assert found is not None
    assert (found[0].handler, found[1]) == (something, {})


@pytest.mark.parametrize("path", ["/api/v1/caches", "/api/v1/caches/", "/api/v1/caches/a/b", "/caches/a", "/api/v1"])
def test_other_paths_are_not_found(routes: AdminRoutes, path: str) -> None:
    assert routes.find("GET", path) is None
    assert routes.methods(path) == []


def test_methods_of_a_path_are_told(routes: AdminRoutes) -> None:
    assert routes.find("POST", "/api/v1/caches/a") is None
    assert routes.methods("/api/v1/caches/a") == ["DELETE", "GET", "HEAD"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", "a"), ("HEAD", "a"), ("GET", "a//b"), ("GET", "a b"), ("GET", "{a"), ("GET", "{a}/{a}"), ("GET", "x{a}")],
)
def test_what_nobody_could_ask_for_is_refused(method: str, path: str) -> None:
    with pytest.raises(ValueError, match=r"admin route|parameters of one name"):
        AdminRoutes().route(method, path, nothing)


def test_the_list_is_sorted(routes: AdminRoutes) -> None:
    assert [(route.method, route.path) for route in routes] == [
        ("GET", "/api/v1/caches/all"),
        ("DELETE", "/api/v1/caches/{name}"),
        ("GET", "/api/v1/caches/{name}"),
    ]
