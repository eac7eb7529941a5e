"""Filters that fail while a body flows: who is told, what the client sees, and that nothing runs on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.api import Body, Exchange, Plugin, PluginConfig, Response
from proxy.events import PluginError
from proxy.testing import running
from proxy.testing.client import Cut


async def breaks(given: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in given:
        yield piece
        raise KeyError("colour")


class Breaking(Plugin[PluginConfig]):
    """Its filters raise."""

    def on_request(self, exchange: Exchange) -> None:
        if exchange.request.body.data != b"":
            exchange.request.body = exchange.request.body.through(breaks)

    def on_response(self, exchange: Exchange) -> None:
        if exchange.response is not None and exchange.error is None:
            exchange.response.body = exchange.response.body.through(breaks)


@pytest.mark.parametrize("body", [None, b"upload"], ids=["answer", "request"])
async def test_a_filter_that_raises_is_its_plugins_error(body: bytes | None) -> None:
    async with running(plugins=[Breaking]) as kit:
        kit.upstream.reply(Response(200, {}, Body(b"content" * 20000)))
        if body is None:
            with pytest.raises(Cut):
                await kit.get("/")
        else:
            assert (await kit.request("POST", "/", body=body)).status == 500
        await kit.settled()
        (event,) = kit.events_of("plugin.error")
        assert isinstance(event, PluginError)
        assert (event.plugin, event.error) == ("breaking", "KeyError: 'colour'")
        assert event.request_id


class Endless(Plugin[PluginConfig]):
    """Answers with more than it said, and would wait for ever behind it."""

    ended: asyncio.Event

    async def start(self, services: Any) -> None:
        self.ended = asyncio.Event()

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            yield b"12345"
            yield b"67890"
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    def on_request(self, exchange: Exchange) -> Response:
        return Response(200, {}, Body.of(self.pieces(), 7))


async def test_what_is_longer_than_it_said_is_cut_and_its_maker_stopped() -> None:
    async with running(plugins=[Endless]) as kit:
        with pytest.raises(Cut):
            await kit.get("/")
        plugin = kit.plugin("endless")
        assert isinstance(plugin, Endless)
        await asyncio.wait_for(plugin.ended.wait(), 5)


class Uploads(Endless):
    """The same, towards the upstream."""

    def on_request(self, exchange: Exchange) -> Any:
        exchange.request.body = Body.of(self.pieces(), 7)


async def test_an_upload_that_is_longer_than_it_said_is_given_up_and_its_maker_stopped() -> None:
    async with running(plugins=[Uploads]) as kit:
        assert (await kit.request("POST", "/", body=b"")).status == 500
        plugin = kit.plugin("uploads")
        assert isinstance(plugin, Uploads)
        await asyncio.wait_for(plugin.ended.wait(), 5)
