"""What plugins see of a tunnel, and what becomes of it when they decide otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from proxy.api import Exchange, Plugin, PluginConfig, RequestCompleted, Response
from proxy.testing import GatewayKit, running
from proxy.testing.client import PATIENCE, Wire
from tests.wire.origin import Origin
from tests.wire.origin import Wire as OriginWire

ASK = b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
NEXT = b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n"
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\nSec-WebSocket-Accept: s3\r\n\r\n"
)
SETTINGS = """
listen: [http://127.0.0.1:0]
admin: false
upstreams: {app: {targets: ["${ORIGIN}"], retry: false}}
routes: [{name: all, upstream: app}]
plugins: [{events: {}}, {acting: {}}, {inner: {}}]
"""


class Acting(Plugin[PluginConfig]):
    """Does what the test says; counts the ends."""

    request: Callable[[Exchange], Any] = staticmethod(lambda x: None)
    response: Callable[[Exchange], Any] = staticmethod(lambda x: None)
    completed: list[Exchange]

    def on_request(self, exchange: Exchange) -> Any:
        return self.request(exchange)

    def on_response(self, exchange: Exchange) -> Any:
        return self.response(exchange)

    def on_complete(self, exchange: Exchange) -> None:
        self.completed = [*getattr(self, "completed", []), exchange]


class Inner(Acting):
    """Another one, behind it."""


class House:
    """The gateway, the origin that switches, and what the origin got."""

    def __init__(self, kit: GatewayKit, origin: Origin) -> None:
        self.kit = kit
        self.origin = origin

    def acting(self, id: str = "acting") -> Acting:  # noqa: A002 (the word for it)
        plugin = self.kit.plugin(id)
        assert isinstance(plugin, Acting)
        return plugin

    async def echoes(self, wire: Wire) -> None:
        """Bytes go there and come back."""
        await wire.send(b"ping")
        await wire.until(b"ping")
        wire.data = b""

    async def head(self, wire: Wire) -> bytes:
        await wire.until(b"\r\n\r\n")
        head, _, wire.data = wire.data.partition(b"\r\n\r\n")
        return head


async def echo(wire: OriginWire) -> bool:
    """Switch, then say everything back."""
    await wire.send(SWITCHED)
    said = 0
    while await wire.more():
        data = wire.unfinished
        await wire.send(data[said:])
        said = len(data)
    return False


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    origin = Origin()
    await origin.start()
    origin.scripts["/t"] = echo
    async with running(SETTINGS, plugins=[Acting, Inner], env={"ORIGIN": f"http://127.0.0.1:{origin.port}"}) as kit:
        try:
            yield House(kit, origin)
            await kit.settled()
        finally:
            await origin.stop()


async def test_hooks_see_the_switch_and_are_told_of_the_end_once() -> None:
    seen: list[tuple[int, str, str | None, str | None]] = []

    def look(x: Exchange) -> None:
        assert x.response is not None
        assert x.response.tunnel is not None
        headers = x.response.headers
        protocol = x.response.tunnel.protocol
        seen.append((x.response.status, protocol, headers.get("sec-websocket-accept"), headers.get("upgrade")))

    async with house() as here:
        here.acting().response = look
        async with here.kit.wire() as wire:
            await wire.send(ASK)
            assert b"\r\nSec-WebSocket-Accept: s3\r\n" in await here.head(wire)
            await here.echoes(wire)
            assert seen == [(101, "chat", "s3", None)]
            assert here.kit.gateway.engine.active == 1
        await here.kit.settled()
        (exchange,) = here.acting().completed
        assert (exchange.bytes_in, exchange.bytes_out, exchange.error) == (4, 4, None)
        (event,) = here.kit.events_of("request.completed")
        assert isinstance(event, RequestCompleted)
        assert (event.status, event.bytes_in, event.bytes_out) == (101, 4, 4)
        assert event.duration_ms >= (event.first_byte_ms or 0.0)


async def waits(x: Exchange) -> None:
    await asyncio.sleep(0)


async def test_hooks_that_wait_hold_back_what_comes_early() -> None:
    async with house() as here:
        here.acting().request = here.acting().response = waits
        async with here.kit.wire() as wire:
            await wire.send(ASK + b"early")
            await here.head(wire)
            await wire.until(b"early")


async def test_a_client_that_leaves_while_a_hook_waits() -> None:
    reached = asyncio.Event()

    async def stays(x: Exchange) -> None:
        reached.set()
        await asyncio.Event().wait()

    async with house() as here:
        here.acting().response = stays
        async with here.kit.wire() as wire:
            await wire.send(ASK)
            await asyncio.wait_for(reached.wait(), PATIENCE)
        await here.kit.settled()
        assert here.kit.counted("all", 499) == 1
        assert len(here.acting().completed) == 1


def answers(x: Exchange) -> Response:
    return Response.text(403, "no")


def changes(x: Exchange) -> None:
    assert x.response is not None
    if x.response.status == 101:
        x.response.status = 403


def empties(x: Exchange) -> None:
    """What has no body either is still no switch."""
    if x.response is not None and x.response.status == 101:
        x.response.status = 204


def breaks(x: Exchange) -> None:
    if x.response is not None and x.response.tunnel is not None:
        raise ValueError("oh")


@pytest.mark.parametrize(
    ("hook", "does", "status"),
    [
        ("request", answers, 403),
        ("response", answers, 403),
        ("response", changes, 403),
        ("response", empties, 204),
        ("response", breaks, 500),
    ],
)
async def test_a_plugin_that_decides_otherwise_closes_the_tunnel(hook: str, does: Any, status: int) -> None:
    async with house() as here:
        setattr(here.acting(), hook, does)
        async with here.kit.wire() as wire:
            await wire.send(ASK)
            reply = await wire.reply()
            assert (reply.status, wire.ended) == (status, False)
            setattr(here.acting(), hook, lambda x: None)
            await wire.send(NEXT)
            assert (await wire.reply()).status == 200
            await here.kit.settled()
            for asked in here.origin.record.wires[:-1]:  # the last is the ordinary request's
                await asyncio.wait_for(asked.gone.wait(), PATIENCE)
        assert (hook == "request") == (len(here.origin.record.wires) == 1)


async def test_a_plugin_that_makes_an_ordinary_request_of_it() -> None:
    def empties(x: Exchange) -> None:
        x.request.upgrade = ""
        x.request.target = "/ok"

    async with house() as here:
        here.acting().request = empties
        async with here.kit.wire() as wire:
            await wire.send(ASK)
            assert (await wire.reply()).status == 200
        assert here.origin.record.requests[-1].values("upgrade") == []


async def test_a_101_with_no_tunnel_is_a_plugins_defect() -> None:
    async with house() as here:
        here.acting().request = lambda x: Response(101, {"sec-websocket-accept": "x"})
        assert (await here.kit.get("/")).status == 500


async def test_an_answer_made_of_the_101_keeps_its_tunnel() -> None:
    def remakes(x: Exchange) -> Response:
        assert x.response is not None
        return Response(101, {"X-Made": "here"}, tunnel=x.response.tunnel)

    async with house() as here:
        here.acting().response = remakes
        async with here.kit.wire() as wire:
            await wire.send(ASK)
            assert b"\r\nX-Made: here\r\n" in await here.head(wire)
            await here.echoes(wire)


async def test_a_tunnel_that_was_fetched_can_be_the_answer() -> None:
    async def fetches(x: Exchange) -> Response:
        return await x.fetch(x.request.copy())

    async with house() as here:
        here.acting().request = fetches
        async with here.kit.wire() as wire:
            await wire.send(ASK)
            await here.head(wire)
            await here.echoes(wire)
            assert here.kit.gateway.engine.active == 2
        await here.kit.settled()
        inner, outer = here.acting("inner").completed[0], here.acting().completed[0]
        assert inner.parent is outer
        assert (outer.bytes_in, outer.bytes_out) == (4, 4)


async def test_a_tunnel_that_was_fetched_for_nothing_is_closed() -> None:
    async def fetches(x: Exchange) -> None:
        response = await x.fetch(x.request.copy())
        assert response.tunnel is not None
        response.close()
        x.request.upgrade = ""
        x.request.target = "/ok"

    async with house() as here:
        here.acting().request = fetches
        async with here.kit.wire() as wire:
            await wire.send(ASK)
            assert (await wire.reply()).status == 200
