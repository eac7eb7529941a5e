"""Many clients at once, and what an answer costs that waits for nothing."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

import pytest

from proxy.exchange import Exchange
from proxy.frontend.http1 import Connection
from proxy.message import Response
from proxy.plugin import Plugin, PluginConfig
from proxy.server.run import raise_file_limit
from proxy.testing import GatewayKit, running
from proxy.testing.client import request_bytes

CLIENTS = 1000

# As it is by default, but patient: all of this shares one thread, which other work may slow down by a lot.
PATIENT = """
upstreams:
  app:
    targets: ["${UPSTREAM}"]
    timeouts: {connect: 50s, first_byte: 50s}
    pool: {queue_timeout: 50s}
plugins: %s
routes: [{name: all, upstream: app}]
"""


class Waits(Plugin[PluginConfig]):
    """Waits in every hook."""

    async def on_request(self, exchange: Exchange) -> None:
        await asyncio.sleep(0)

    async def on_response(self, exchange: Exchange) -> None:
        await asyncio.sleep(0)


class Plain(Plugin[PluginConfig]):
    """Answers at once."""

    def on_request(self, exchange: Exchange) -> Response | None:
        return Response.text(200, "mine") if exchange.request.path == "/mine" else None

    def on_response(self, exchange: Exchange) -> None:
        """Looks on."""


async def ask(kit: GatewayKit, number: int) -> bytes:
    async with kit.wire() as wire:
        for _ in range(2):
            await wire.send(request_bytes("POST", f"/{number}", body=b"%d" % number))
            reply = await wire.reply()
            assert reply.status == 200
        return reply.body


@pytest.mark.parametrize("plugins", [(), (Waits,)], ids=["bare", "waits"])
async def test_a_thousand_clients_are_all_answered_and_nothing_is_left(
    plugins: tuple[type[Waits], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.testing.client.PATIENCE", 50)
    raise_file_limit()
    before = len(asyncio.all_tasks())
    async with running(PATIENT % ("[waits]" if plugins else "[]"), plugins=plugins) as kit:
        async with asyncio.timeout(50):
            replies = await asyncio.gather(*(ask(kit, number) for number in range(CLIENTS)))
        assert replies == [b"ok"] * CLIENTS
        await kit.settled()
        assert sorted(int(seen.body) for seen in kit.upstream.seen) == sorted([*range(CLIENTS)] * 2)
        assert kit.counted("all", 200) == 2 * CLIENTS
        assert kit.upstream.accepted <= 100
        assert kit.gateway.runtime._tasks == set()
    assert len(asyncio.all_tasks()) == before


class Memory(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 40000)})
        self.written = b""
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True


async def test_what_waits_for_nothing_is_answered_before_data_received_returns_and_without_a_task() -> None:
    async with running(plugins=[Plain, Plain]) as kit:
        listener = kit.gateway.doors.listeners[0]
        connection = cast("Connection", listener.server())
        transport = Memory()
        connection.connection_made(transport)
        before = asyncio.all_tasks()
        connection.data_received(b"GET /mine HTTP/1.1\r\nHost: example.test\r\n\r\n" * 3)
        assert listener.flusher is not None
        listener.flusher.flush()  # what the loop does at the end of this very turn
        assert transport.written.count(b"HTTP/1.1 200 OK\r\n") == 3
        assert transport.written.endswith(b"\r\n\r\nmine")
        assert asyncio.all_tasks() == before
        assert kit.gateway.runtime._tasks == set()
        assert kit.counted("all", 200) == 3
        connection.connection_lost(None)


async def test_a_forward_on_a_warm_connection_takes_no_task() -> None:
    async with running(plugins=[Plain]) as kit:
        assert (await kit.get("/warm")).status == 200
        made: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_task_factory(cast("Any", partial(_note, made)))
        try:
            listener = kit.gateway.doors.listeners[0]
            connection = cast("Connection", listener.server())
            transport = Memory()
            connection.connection_made(transport)
            connection.data_received(b"GET /forwarded HTTP/1.1\r\nHost: example.test\r\n\r\n")
            async with asyncio.timeout(5):
                while b"\r\n\r\nok" not in transport.written:
                    await asyncio.sleep(0)
        finally:
            loop.set_task_factory(None)
        assert made == []
        assert [seen.target for seen in kit.upstream.seen] == ["/warm", "/forwarded"]
        connection.connection_lost(None)


def _note(made: list[str], loop: asyncio.AbstractEventLoop, work: object, **more: object) -> asyncio.Task[object]:
    made.append(repr(work))
    return asyncio.Task(work, loop=loop, **more)  # type: ignore[arg-type]  # as the loop itself has it
