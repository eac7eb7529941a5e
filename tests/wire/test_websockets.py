"""WebSockets between real libraries on both ends: what they agree on and say to each other is none of ours."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from aiohttp import ClientSession, WSCloseCode, WSMsgType, web
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.unit.frontend.stage import Stage, staged, until

Handler = Callable[[ServerConnection], Awaitable[None]]
MIB = 1 << 20
MANY = 1000


async def echo(ws: ServerConnection) -> None:
    """Say everything back; how it ends is kept by the caller's own means."""
    async for message in ws:
        await ws.send(message)


class Ends:
    """A gateway between the two libraries."""

    def __init__(self, stage: Stage, server: Server) -> None:
        self.stage = stage
        self.server = server

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.stage.port}/ws"

    def connect(self, **options: Any) -> connect:
        return connect(self.url, proxy=None, max_size=None, **options)


@asynccontextmanager
async def between(handler: Handler = echo, *, top: str = "", upstream: str = "", **options: Any) -> AsyncIterator[Ends]:
    async with serve(handler, "127.0.0.1", 0, max_size=None, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with staged(top=top, upstream=upstream, targets=f"http://127.0.0.1:{port}") as stage:
            yield Ends(stage, server)
            await until(lambda: not stage.gateway.engine.active and not stage.pool.open)


# ---- the library `websockets` ----


async def test_messages_of_every_kind() -> None:
    async with between() as ends, ends.connect() as ws:
        for message in ("text", b"bytes", "", "é" * 40000, b"x" * 70000):
            await ws.send(message)
            assert await ws.recv() == message


async def test_subprotocols_are_agreed_on_by_the_ends() -> None:
    spoken = [Subprotocol("v2"), Subprotocol("v1")]
    async with between(subprotocols=[Subprotocol("v1")]) as ends, ends.connect(subprotocols=spoken) as ws:
        assert ws.subprotocol == "v1"


@pytest.mark.parametrize("deflate", ["deflate", None])
async def test_compression_is_agreed_on_by_the_ends(deflate: str | None) -> None:
    async with between(compression="deflate") as ends, ends.connect(compression=deflate) as ws:
        assert ws.response is not None
        assert ("permessage-deflate" in ws.response.headers.get("Sec-WebSocket-Extensions", "")) == bool(deflate)
        await ws.send("a" * 100_000)
        assert await ws.recv() == "a" * 100_000


async def test_a_message_in_fragments() -> None:
    async def fragments(ws: ServerConnection) -> None:
        parts = [part async for part in ws.recv_streaming()]
        await ws.send([part.upper() for part in parts])

    async with between(fragments) as ends, ends.connect() as ws:
        await ws.send(["one ", "two ", "three"])
        assert [part async for part in ws.recv_streaming() if part] == ["ONE ", "TWO ", "THREE"]


async def test_a_message_of_16_mib_there_and_back() -> None:
    message = bytes(range(256)) * (16 * MIB // 256)
    async with between(compression=None) as ends, ends.connect(compression=None) as ws:
        await ws.send(message)
        assert await ws.recv() == message


async def test_pings_pass_both_ways() -> None:
    ponged = asyncio.Event()

    async def pings(ws: ServerConnection) -> None:
        await (await ws.ping(b"down"))
        ponged.set()
        await ws.wait_closed()

    async with between(pings) as ends, ends.connect() as ws:
        await asyncio.wait_for(await ws.ping(b"up"), 5)
        await asyncio.wait_for(ponged.wait(), 5)


@pytest.mark.parametrize("code", [1000, 1001, 4321])
async def test_a_clients_close_code_and_reason(code: int) -> None:
    ended: asyncio.Future[ConnectionClosed] = asyncio.get_running_loop().create_future()

    async def listens(ws: ServerConnection) -> None:
        try:
            await ws.recv()
        except ConnectionClosed as error:
            ended.set_result(error)

    async with between(listens) as ends:
        async with ends.connect() as ws:
            await ws.close(code, "enough")
        error = await asyncio.wait_for(ended, 5)
        assert error.rcvd is not None
        assert (error.rcvd.code, error.rcvd.reason) == (code, "enough")
        await until(lambda: ends.stage.count(101) == 1)


@pytest.mark.parametrize("code", [1000, 1011, 4321])
async def test_a_servers_close_code_and_reason(code: int) -> None:
    async def closes(ws: ServerConnection) -> None:
        await ws.close(code, "enough")

    async with between(closes) as ends, ends.connect() as ws:
        with pytest.raises(ConnectionClosed) as told:
            await ws.recv()
        assert told.value.rcvd is not None
        assert (told.value.rcvd.code, told.value.rcvd.reason) == (code, "enough")


async def test_a_refusal_is_an_answer() -> None:
    def refuse(ws: ServerConnection, request: Request) -> Response:
        return ws.respond(HTTPStatus.FORBIDDEN, "not you\n")

    async with between(process_request=refuse) as ends:
        with pytest.raises(InvalidStatus) as told:
            async with ends.connect():
                pytest.fail("it was refused")
        assert told.value.response.status_code == 403
        assert told.value.response.body == b"not you\n"


async def test_the_gateway_goes_away_and_both_ends_are_told() -> None:
    ended: asyncio.Future[ConnectionClosed] = asyncio.get_running_loop().create_future()

    async def listens(ws: ServerConnection) -> None:
        try:
            await ws.recv()
        except ConnectionClosed as error:
            ended.set_result(error)

    async with between(listens) as ends, ends.connect() as ws:
        draining = asyncio.create_task(ends.stage.gateway.drain())
        with pytest.raises(ConnectionClosed) as told:
            await ws.recv()
        for error in (told.value, await asyncio.wait_for(ended, 5)):
            assert error.rcvd is not None
            assert error.rcvd.code == 1001
        await draining


async def test_a_message_under_way_is_whole_before_the_close_frame() -> None:
    message = b"m" * (8 * MIB)

    async def streams(ws: ServerConnection) -> None:
        await ws.send(message)
        await ws.wait_closed()

    async with between(streams, compression=None) as ends, ends.connect(compression=None, max_queue=1) as ws:
        await until(lambda: ends.stage.ends and ends.stage.ends[0]._tunnel is not None)
        draining = asyncio.create_task(ends.stage.gateway.drain())
        assert await ws.recv() == message
        with pytest.raises(ConnectionClosed) as told:
            await ws.recv()
        assert told.value.rcvd is not None
        assert told.value.rcvd.code == 1001
        await draining


async def test_a_server_that_dies_ends_its_clients() -> None:
    async def dies(ws: ServerConnection) -> None:
        await ws.recv()
        ws.transport.abort()

    async with between(dies) as ends, ends.connect() as ws:
        await ws.send("die")
        with pytest.raises(ConnectionClosedError) as told:
            await ws.recv()
        assert told.value.rcvd is None


async def test_a_client_that_dies_ends_its_server() -> None:
    ended = asyncio.Event()

    async def listens(ws: ServerConnection) -> None:
        await ws.wait_closed()
        ended.set()

    async with between(listens) as ends, ends.connect() as ws:
        ws.transport.abort()
        await asyncio.wait_for(ended.wait(), 5)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for both ends of the gateway, and the two ends themselves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
async def test_a_thousand_at_once() -> None:
    pool = f"pool: {{max_connections: {MANY}}}"
    async with between(upstream=pool, compression=None) as ends, AsyncExitStack() as stack:

        async def one(index: int) -> ClientConnection:
            ws = await stack.enter_async_context(ends.connect(compression=None, open_timeout=30))
            await ws.send(f"{index}")
            return ws

        sockets: list[ClientConnection] = []
        for first in range(0, MANY, 100):
            sockets += await asyncio.gather(*(one(first + index) for index in range(100)))
        assert ends.stage.gateway.engine.active == MANY
        assert ends.stage.pool.open == MANY
        assert [await ws.recv() for ws in sockets] == [f"{index}" for index in range(MANY)]
        for ws in sockets:
            ws.transport.abort()


# ---- aiohttp ----


@asynccontextmanager
async def aiohttp_between(
    handler: Callable[[web.WebSocketResponse], Awaitable[None]], **options: Any
) -> AsyncIterator[tuple[Stage, str]]:
    async def serves(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(max_msg_size=0, **options)
        await ws.prepare(request)
        await handler(ws)
        return ws

    app = web.Application()
    app.router.add_get("/ws", serves)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with staged(targets=f"http://127.0.0.1:{port}") as stage:
            yield stage, f"http://127.0.0.1:{stage.port}/ws"
    finally:
        await runner.cleanup()


async def aiohttp_echo(ws: web.WebSocketResponse) -> None:
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
        else:
            await ws.send_bytes(message.data)


@pytest.mark.parametrize("compress", [0, 15])
async def test_aiohttp_on_both_ends(compress: int) -> None:
    codes: list[int | None] = []

    async def echoes(ws: web.WebSocketResponse) -> None:
        await aiohttp_echo(ws)
        codes.append(ws.close_code)

    async with (
        aiohttp_between(echoes, protocols=("chat",)) as (_, url),
        ClientSession() as session,
        session.ws_connect(url, protocols=("chat",), compress=compress, max_msg_size=0) as ws,
    ):
        assert (ws.protocol, ws.compress) == ("chat", compress)
        for size in (0, 125, 126, 65536, 16 * MIB):
            await ws.send_bytes(b"x" * size)
            assert await ws.receive_bytes() == b"x" * size
        await ws.send_str("text")
        assert await ws.receive_str() == "text"
        await ws.ping()
        assert await ws.close(code=WSCloseCode.GOING_AWAY)
        await until(lambda: codes == [1001])


async def test_aiohttp_servers_close_code() -> None:
    async def closes(ws: web.WebSocketResponse) -> None:
        await ws.close(code=4002, message=b"no")

    async with aiohttp_between(closes) as (_, url), ClientSession() as session, session.ws_connect(url) as ws:
        message = await ws.receive()
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 4002, "no")


async def test_aiohttp_is_told_that_the_gateway_goes_away() -> None:
    async with (
        aiohttp_between(aiohttp_echo) as (stage, url),
        ClientSession() as session,
        session.ws_connect(url) as ws,
    ):
        draining = asyncio.create_task(stage.gateway.drain())
        message = await ws.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)
        await draining
