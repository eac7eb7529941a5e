"""The contract of hooks: the built-in plugins keep it, and every way of breaking it is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from plugins.events import Events
from plugins.headers import HeaderRules
from plugins.request_id import RequestId
from plugins.respond import Respond
from proxy.api import Exchange, Plugin, PluginConfig, Request, Response
from proxy.testing import ContractBroken, check_plugin


class Upper(Plugin[PluginConfig]):
    """Keeps the contract, and waits, filters and fetches."""

    async def on_request(self, exchange: Exchange) -> None:
        if exchange.parent is None and exchange.request.method == "GET":
            answer = await exchange.fetch(Request("GET", "/flags", host="test"))
            answer.close()

    async def on_response(self, exchange: Exchange) -> Response:
        await asyncio.sleep(0)
        assert exchange.response is not None
        return Response(exchange.response.status, exchange.response.headers, exchange.response.body.through(upper))


async def upper(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for part in parts:
        yield part.upper()


@pytest.mark.parametrize(
    ("plugin", "config"),
    [
        (Events, None),
        (HeaderRules, {"request": {"set": {"X-A": "b"}}, "response": {"remove": ["Server"]}}),
        (RequestId, None),
        (Respond, {"status": 204}),
        (Respond, {"redirect": "/there"}),
        (Upper, PluginConfig()),
        (Plugin, None),
    ],
)
async def test_what_keeps_the_contract(plugin: type[Plugin[Any]], config: Mapping[str, Any] | None) -> None:
    await check_plugin(plugin, config)


class NoResponse(Plugin[PluginConfig]):
    """Believes that bodies are always in memory."""

    def on_response(self, exchange: Exchange) -> None:
        assert exchange.response is not None
        exchange.response.headers["X-Length"] = str(len(exchange.response.body.data))  # type: ignore[arg-type]  # that is the point


class NoHost(Plugin[PluginConfig]):
    def on_request(self, exchange: Exchange) -> None:
        exchange.request.headers["X-Port"] = exchange.request.host.split(":")[0][0]


class Late(Plugin[PluginConfig]):
    async def on_complete(self, exchange: Exchange) -> None:  # type: ignore[override]  # that is the point
        """Nobody awaits it."""


class Meddles(Plugin[PluginConfig]):
    def on_complete(self, exchange: Exchange) -> None:
        asyncio.get_running_loop().call_soon(exchange.request.headers.add, "X-Late", "1")


class Hangs(Plugin[PluginConfig]):
    async def on_response(self, exchange: Exchange) -> None:
        await asyncio.Event().wait()


class Describes(Plugin[PluginConfig]):
    def describe(self, exchange: Exchange) -> str:
        exchange.request.headers["X-Seen"] = "1"
        return "one\ntwo"


class DescribesNothing(Plugin[PluginConfig]):
    def describe(self, exchange: Exchange) -> str:
        raise KeyError("route")


class OnlyOnce(Plugin[PluginConfig]):
    """Does not work on a route of its own."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        self.word = "set"

    def for_route(self, config: PluginConfig) -> OnlyOnce:
        twin = super().for_route(config)
        del twin.word
        return twin

    def on_request(self, exchange: Exchange) -> None:
        exchange.request.headers["X-Word"] = self.word


@pytest.mark.parametrize(
    ("plugin", "says"),
    [
        (NoResponse, "an answer that flows: raises TypeError"),
        (NoHost, "a request without Host: raises IndexError"),
        (Late, "on_complete is asynchronous"),
        (Meddles, "GET: changes the request or the answer after on_complete"),
        (Hangs, "GET: the exchange does not end"),
        (Describes, "GET: describe gives 'one\\ntwo', which is not one line"),
        (Describes, "GET: describe changes the request"),
        (DescribesNothing, "describe raises KeyError"),
        (OnlyOnce, "on a route of its own: raises AttributeError"),
    ],
)
async def test_what_breaks_the_contract(plugin: type[Plugin[Any]], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.testing.memory.PATIENCE", 0.05)
    with pytest.raises(ContractBroken) as broken:
        await check_plugin(plugin)
    assert any(says in finding for finding in broken.value.findings), broken.value.findings


async def test_options_are_those_of_the_plugin() -> None:
    with pytest.raises(ValidationError):
        await check_plugin(Respond, {"stauts": 204})
