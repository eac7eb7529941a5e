"""Clients that leave, in every phase and over real sockets: what they asked for ends, and nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from plugins.events import Events
from proxy.exchange import Exchange
from proxy.message import Body, Response
from proxy.plugin import Plugin, PluginConfig
from proxy.testing import Conversation, GatewayKit, running

GET = b"GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n"
HALF = b"POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: 100\r\n\r\nhalf"
PATIENCE = 20.0


class Gate(Plugin[PluginConfig]):
    """Waits in the hook that a subclass names, until it is cancelled."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        self.reached = asyncio.Event()
        self.cancelled = 0
        self.completed = 0

    async def wait(self) -> None:
        self.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def on_complete(self, exchange: Exchange) -> None:
        self.completed += 1


class OnRequest(Gate):
    async def on_request(self, exchange: Exchange) -> None:
        await self.wait()


class OnAttempt(Gate):
    async def on_attempt(self, exchange: Exchange) -> None:
        await self.wait()


class OnResponse(Gate):
    async def on_response(self, exchange: Exchange) -> None:
        await self.wait()


class Reads(Gate):
    async def on_request(self, exchange: Exchange) -> None:
        self.reached.set()
        try:
            await exchange.request.body.read(1000)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


class Filters(Gate):
    """Filters both bodies."""

    def on_request(self, exchange: Exchange) -> None:
        exchange.request.body = exchange.request.body.through(self.same)

    def on_response(self, exchange: Exchange) -> Response:
        assert exchange.response is not None
        return Response(exchange.response.status, exchange.response.headers, exchange.response.body.through(self.same))

    async def same(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for part in parts:
            yield part


class Bare(Gate):
    """Does nothing."""


def gate(kit: GatewayKit) -> Gate:
    plugin = kit.gateway.built.links[0].plugin
    assert isinstance(plugin, Gate)
    return plugin


def check(kit: GatewayKit, *, cancelled: int) -> None:
    assert gate(kit).completed == 1
    assert gate(kit).cancelled == cancelled
    (told,) = kit.events
    assert (told.type, told.data()["status"]) == ("request.completed", 499)
    assert kit.counted("all", 499) == 1
    assert kit.gateway.engine.active == 0


@pytest.mark.parametrize("plugin", [OnRequest, OnAttempt, OnResponse, Reads])
async def test_a_hook_that_waits_is_cancelled(plugin: type[Gate]) -> None:
    async with running(plugins=[plugin, Events]) as kit:
        async with kit.wire() as wire:
            await wire.send(HALF if plugin is Reads else GET)
            await asyncio.wait_for(gate(kit).reached.wait(), PATIENCE)
        await kit.settled()
        check(kit, cancelled=1)


class Slow:
    """A script that tells when it was asked, and waits for the gateway to go.

    :ivar sends: what it answers at once.
    """

    def __init__(self, sends: bytes = b"") -> None:
        self.sends = sends
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, conversation: Conversation) -> None:
        await conversation.send(self.sends)
        self.asked.set()
        await conversation.left()
        self.gone.set()


@pytest.mark.parametrize("plugin", [Bare, Filters])
@pytest.mark.parametrize("request_bytes", [GET, HALF], ids=["get", "upload"])
async def test_an_upstream_that_works_is_told(plugin: type[Gate], request_bytes: bytes) -> None:
    async with running(plugins=[plugin, Events]) as kit:
        slow = Slow()
        kit.upstream.reply(slow)
        async with kit.wire() as wire:
            await wire.send(request_bytes)
            await asyncio.wait_for(slow.asked.wait(), PATIENCE)
        await asyncio.wait_for(slow.gone.wait(), PATIENCE)
        await kit.settled()
        check(kit, cancelled=0)


@pytest.mark.parametrize("plugin", [Bare, Filters])
async def test_an_answer_on_its_way_is_broken_off(plugin: type[Gate]) -> None:
    async with running(plugins=[plugin, Events]) as kit:
        slow = Slow(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
        kit.upstream.reply(slow)
        async with kit.wire() as wire:
            await wire.send(GET)
            await wire.until(b"half")
        await asyncio.wait_for(slow.gone.wait(), PATIENCE)
        await kit.settled()
        check(kit, cancelled=0)


class Fill(Plugin[PluginConfig]):
    """What a shared cache does: keeps what passes, also when nobody waits for it any more."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        self.kept = b""
        self.whole = asyncio.Event()

    def on_request(self, exchange: Exchange) -> None:
        exchange.detach()

    def on_response(self, exchange: Exchange) -> Response:
        assert exchange.response is not None
        return Response(exchange.response.status, exchange.response.headers, exchange.response.body.through(self.keep))

    async def keep(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for part in parts:
            self.kept += part
            yield part
        self.whole.set()


class Passes(Fill):
    """Is detached, and lets the body be spliced."""

    def on_response(self, exchange: Exchange) -> Any:
        return None

    def on_complete(self, exchange: Exchange) -> None:
        self.whole.set()


class Slowly:
    """A script whose answer goes on when the test says so."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = parts
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, conversation: Conversation) -> None:
        self.asked.set()
        for part in self.parts:
            await conversation.send(part)
            await self.go_on.wait()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"
BODY = b"#" * 300000


@pytest.mark.parametrize("plugin", [Fill, Passes])
@pytest.mark.parametrize("parts", [(b"", HEAD + BODY), (HEAD + b"#", BODY[1:])], ids=["before", "amid"])
async def test_a_detached_answer_is_taken_to_its_end(plugin: type[Fill], parts: tuple[bytes, ...]) -> None:
    async with running(plugins=[plugin, Events]) as kit:
        slowly = Slowly(*parts)
        kit.upstream.reply(slowly)
        async with kit.wire() as wire:
            await wire.send(GET)
            await asyncio.wait_for(slowly.asked.wait(), PATIENCE)
            if parts[0]:
                await wire.until(b"#")
        while kit.gateway.connections:
            await asyncio.sleep(0)
        assert kit.gateway.engine.active == 1
        slowly.go_on.set()
        fill = kit.gateway.built.links[0].plugin
        assert isinstance(fill, Fill)
        await asyncio.wait_for(fill.whole.wait(), PATIENCE)
        await kit.settled()
        assert fill.kept == (BODY if plugin is Fill else b"")
        assert kit.counted("all", 499) == 1
        assert kit.gateway.built.snapshot.upstreams["app"].pool.idle == 1


class Answers(Plugin[PluginConfig]):
    """Answers with a body that never ends."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    def on_request(self, exchange: Exchange) -> Response:
        return Response(200, {}, Body.of(self.endless()))

    async def endless(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await asyncio.sleep(0)
        finally:
            self.ended.set()


async def test_an_endless_answer_of_a_plugin_ends_with_its_client() -> None:
    async with running(plugins=[Answers, Events]) as kit:
        async with kit.wire() as wire:
            await wire.send(GET)
            await wire.until(b"tick")
        plugin = kit.gateway.built.links[0].plugin
        assert isinstance(plugin, Answers)
        await asyncio.wait_for(plugin.ended.wait(), PATIENCE)
        await kit.settled()
        assert kit.counted("all", 499) == 1


class Lies(Answers):
    """Says that its endless body has five bytes."""

    def on_request(self, exchange: Exchange) -> Response:
        return Response(200, {}, Body.of(self.endless(), 5))


async def test_a_body_longer_than_it_says_is_cut_and_ends() -> None:
    async with running(plugins=[Lies, Events]) as kit:
        async with kit.wire() as wire:
            await wire.send(GET)
            data = await wire.closed()
        assert data.endswith(b"\r\n\r\ntick")
        plugin = kit.gateway.built.links[0].plugin
        assert isinstance(plugin, Answers)
        await asyncio.wait_for(plugin.ended.wait(), PATIENCE)
        await kit.settled()
