"""What an intermediary owes both sides beyond framing: counted hops, early answers, events as they come."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.unit.frontend.stage import Stage, get, staged, until
from tests.wire.client import Client
from tests.wire.origin import Wire

PIECE = b"u" * 65536
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large"


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as one:
        yield one


# ---- hops (RFC 9110 sections 7.6.2 and 7.6.3) ----


async def test_the_last_hop_of_options_is_here(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/a", "Max-Forwards: 0", method="OPTIONS") + get("/fixed")])
        reply = await client.answer("OPTIONS")
        assert (reply.status, reply.body) == (200, b"")
        assert "GET" in reply.values("allow")[0]
        assert (await client.answer()).body == b"fixed"
    assert stage.origin.record.requests == []


@pytest.mark.parametrize(
    ("method", "said", "passed"),
    [
        ("OPTIONS", "1", "0"),
        ("OPTIONS", "10", "9"),
        ("GET", "0", "0"),
        ("OPTIONS", "many", "many"),
        ("OPTIONS", "-1", "-1"),
        ("OPTIONS", "9" * 400, "9" * 400),
    ],
)
async def test_hops_are_counted_for_options(method: str, said: str, passed: str, stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/a", f"Max-Forwards: {said}", method=method)])
        assert (await client.answer(method)).status == 200
    assert stage.origin.record.requests[0].values("max-forwards") == [passed]


@pytest.mark.parametrize("target", ["*", "http://example.test"])
async def test_options_of_the_whole_server(target: str, stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get(target, method="OPTIONS")])
        assert (await client.answer("OPTIONS")).status == 200
    assert stage.origin.record.requests[0].line == "OPTIONS *"


async def test_a_request_that_comes_round_again_is_a_loop() -> None:
    async with staged() as stage:
        async with Client(stage.port) as client:
            await client.send([get("/a")])
            await client.answer()
            via = stage.origin.record.requests[0].values("via")[0]
            await client.send([get("/a", f"Via: 1.1 other, {via}")])
            assert (await client.answer()).status == 508
        assert len(stage.origin.record.requests) == 1


# ---- early answers ----


async def test_an_upstream_that_refuses_a_large_upload_and_resets_is_heard() -> None:
    """The 413 arrives with the reset right behind it, while the gateway is still writing."""
    async with staged() as stage:
        for _ in range(20):
            seen = len(stage.origin.record.wires)
            async with Client(stage.port) as client:
                await client.send([get("/upload", f"Content-Length: {64 * len(PIECE)}", method="POST")])
                await until(lambda seen=seen: len(stage.wires) > seen and b"\r\n\r\n" in stage.wires[-1].received)  # type: ignore[misc]
                sending = asyncio.create_task(client.send([PIECE] * 64))
                wire = stage.wires[-1]
                wire._writer.write(TOO_LARGE)
                wire.abort()
                reply = await client.answer()
                assert (reply.status, reply.body) == (413, b"too large")
                await client.closed()
                await sending
        await until(lambda: not stage.pool.open)


async def test_a_large_upload_with_an_early_answer_closes_the_connection(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/upload", f"Content-Length: {64 * len(PIECE)}", method="POST") + PIECE])
        await until(lambda: stage.wires and b"\r\n\r\n" in stage.wires[0].received)
        await stage.wires[0].send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        reply = await client.answer()
        assert (reply.status, reply.values("connection")) == (403, ["close"])


# ---- streams ----


async def test_events_are_passed_on_one_by_one(stage: Stage) -> None:
    heard = asyncio.Queue[int]()

    async def events(wire: Wire) -> bool:
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            event = b"data: %d\n\n" % number
            await wire.send(b"%x\r\n%b\r\n" % (len(event), event))
            assert await asyncio.wait_for(heard.get(), 5) == number
        await wire.send(b"0\r\n\r\n")
        return True

    stage.script("/events", events)
    async with Client(stage.port) as client:
        await client.send([get("/events", "Accept: text/event-stream")])
        for number in range(5):
            while b"data: %d\n\n" % number not in client.data:
                await asyncio.wait_for(client._more(), 5)
            assert b"data: %d" % (number + 1) not in client.data
            heard.put_nowait(number)
        assert (await client.answer()).body.count(b"data:") == 5


async def test_a_body_that_ends_by_closing_reaches_both_kinds_of_clients(stage: Stage) -> None:
    async def old(wire: Wire) -> bool:
        await wire.send(b"HTTP/1.0 200 OK\r\n\r\none")
        await wire.send(b"two")
        return False

    stage.script("/old", old)
    for version in ("1.1", "1.0"):
        async with Client(stage.port) as client:
            await client.send([get("/old", version=version)])
            reply = await client.answer()
            assert (reply.status, reply.body) == (200, b"onetwo")
            assert reply.values("transfer-encoding") == (["chunked"] if version == "1.1" else [])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(TOO_LARGE, "not_reusable"), (TOO_LARGE[:-4], ""), (TOO_LARGE + bytes(200_000), "not_reusable")],
    ids=["whole", "half", "and-more"],
)
@pytest.mark.parametrize("crowd", [False, True], ids=["alone", "among-others"])
async def test_an_answer_in_front_of_a_reset_is_read_although_writing_failed_first(
    answer: bytes, reason: str, crowd: bool
) -> None:
    """More of the upload is written, and fails, before the loop gets to read what the upstream said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        loop = asyncio.get_running_loop()
        async with staged(targets=f"http://127.0.0.1:{server.getsockname()[1]}") as stage, Client(stage.port) as client:
            await client.send([get("/upload", f"Content-Length: {64 * len(PIECE)}", method="POST")])
            raw, _ = await loop.sock_accept(server)
            raw.setblocking(False)
            await loop.sock_recv(raw, 65536)
            await client.send([PIECE])
            await until(lambda: stage.ends[0].upload._exchange.bytes_in == len(PIECE))
            assert raw.send(answer) >= len(TOO_LARGE) - 4
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()
            stage.gateway.runtime.flusher.crowd = crowd
            for _ in range(4):
                stage.ends[0].data_received(PIECE)
            if answer.startswith(TOO_LARGE):
                reply = await client.answer()
                assert (reply.status, reply.body) == (413, b"too large")
            else:
                await client.closed()
                assert client.data.startswith((b"HTTP/1.1 413", b"HTTP/1.1 502"))
            await until(lambda: not stage.pool.open)
            if reason:
                await until(lambda: stage.figure("connections_closed_total", reason=reason) == 1)
