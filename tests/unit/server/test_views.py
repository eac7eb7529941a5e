"""What the admin API tells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession

from proxy import __version__
from proxy.server.gateway import Gateway

Start = Callable[..., Awaitable[Gateway]]
TARGET = {"state": "ready", "weight": 1, "configured_weight": 1, "active": 0, "answers": 1, "failures": 0}
Ask = Callable[[str], Awaitable[Any]]


@pytest.fixture
async def gateway(start: Start) -> Gateway:
    return await start(admin="{listen: http://127.0.0.1:0, token: s3cret}")


@pytest.fixture
def ask(gateway: Gateway, client: ClientSession) -> Ask:
    async def asks(path: str) -> Any:
        headers = {"Authorization": "Bearer s3cret"}
        async with client.get(f"{gateway.admin_url}/api/v1{path}", headers=headers) as answer:
            assert answer.status == 200
            return await answer.json()

    return asks


async def test_the_index_lists_all_that_can_be_asked(ask: Ask, gateway: Gateway) -> None:
    index = await ask("")
    assert (index["version"], index["revision"]) == (__version__, gateway.revision)
    assert {route["path"] for route in index["routes"]} == {route.path for route in gateway.routes}
    assert all(route["summary"] for route in index["routes"])


async def test_status_counts_what_is_under_way(ask: Ask, gateway: Gateway, client: ClientSession) -> None:
    async with client.get(f"{gateway.urls[0]}/stream?events=2&ms=30000") as answer:
        await answer.content.readany()
        status = await ask("/status")
    assert (status["ready"], status["listen"], status["requests_active"], status["connections"]) == (
        True,
        gateway.urls,
        1,
        1,
    )
    assert status["uptime_seconds"] >= 0


async def test_routes_are_in_the_order_of_precedence(ask: Ask) -> None:
    routes = (await ask("/routes"))["routes"]
    assert [route["name"] for route in routes] == ["hello", "api", "site"]
    assert routes[1]["match"] == {"host": [], "path": "/api/*", "methods": ["GET", "POST"], "headers": {}}
    assert routes[1]["path"] == {"strip": "/api"}
    assert (routes[0]["upstream"], routes[1]["upstream"]) == (None, "app")
    assert routes[0]["plugins"] == ["request_id", "respond", "events"]
    assert routes[1]["timeouts"] == {"connect": 5.0, "first_byte": 60.0, "between_bytes": 60.0}


async def test_upstreams_show_their_connections(
    ask: Ask, gateway: Gateway, client: ClientSession, upstream: str
) -> None:
    async with client.get(f"{gateway.urls[0]}/users") as answer:
        await answer.read()
    (shown,) = (await ask("/upstreams"))["upstreams"]
    assert (shown["name"], shown["targets"]) == ("app", [TARGET | {"url": upstream}])
    assert shown["connections"] == {"busy": 0, "idle": 1, "max": 100}
    assert shown["totals"]["created"] == 1


async def test_plugins_show_what_they_hook_into(ask: Ask) -> None:
    plugins = {plugin["id"]: plugin for plugin in (await ask("/plugins"))["plugins"]}
    assert list(plugins) == ["request_id", "events", "respond"]
    assert plugins["respond"]["class"] == "plugins.respond.Respond"
    assert (plugins["respond"]["rank"], plugins["respond"]["hooks"]) == ("rewrite", ["on_request"])


async def test_the_configuration_is_shown_without_its_secrets(ask: Ask, gateway: Gateway) -> None:
    shown = await ask("/config")
    assert (shown["revision"], shown["config"]["admin"]["token"]) == (gateway.revision, "***")
    assert "s3cret" not in str(shown)


async def test_the_description_holds_every_route(ask: Ask, gateway: Gateway) -> None:
    described = await ask("/openapi.json")
    assert described["openapi"].startswith("3.1")
    assert {route.path for route in gateway.routes} <= described["paths"].keys()
    assert {"/healthz", "/readyz", "/metrics"} <= described["paths"].keys()
