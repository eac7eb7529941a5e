"""Bytes through a gateway after a 101: what goes where and when, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.unit.frontend.stage import Holding, Stage, get, staged, until
from tests.unit.tunnels import ASK, LARGE, SWITCHED, Peer, arrives, gone, narrow, switched
from tests.wire.client import Client
from tests.wire.origin import Script, Wire


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as one:
        yield one


# ---- there and back ----


async def test_bytes_go_both_ways_and_both_heads_say_what_they_must(stage: Stage) -> None:
    peer = Peer()
    async with Client(stage.port) as client:
        head = await switched(stage, client, peer, "Connection: upgrade", "Upgrade: h2c, chat", "HTTP2-Settings: AAMA")
        assert b"\r\nConnection: Upgrade" in head
        assert b"\r\nUpgrade: chat" in head
        assert b"\r\nX-Own: 1" in head
        request = stage.origin.record.requests[-1]
        assert request.values("upgrade") == ["chat"]
        assert request.values("connection") == ["Upgrade"]
        assert request.values("http2-settings") == []
        await client.send([b"hello"])
        await until(lambda: peer.got == b"hello")
        await peer.say(b"GET / HTTP/1.1\r\n\r\n")
        await arrives(client, b"GET / HTTP/1.1\r\n\r\n")
        assert stage.pool.open == 1
        assert stage.pool.idle == 0
    await gone(stage, peer)
    assert stage.count(101) == 1


async def test_open_tunnels_are_counted(stage: Stage) -> None:
    assert stage.figure_of("passerelle_tunnels_active") == 0
    peers = Peer(), Peer()
    async with Client(stage.port) as one:
        await switched(stage, one, peers[0])
        async with Client(stage.port) as other:
            await switched(stage, other, peers[1])
            assert stage.figure_of("passerelle_tunnels_active") == 2
        await until(lambda: stage.figure_of("passerelle_tunnels_active") == 1)
    await gone(stage, peers[0])
    assert stage.figure_of("passerelle_tunnels_active") == 0


async def closes(wire: Wire) -> bool:
    return False


async def breaks(wire: Wire) -> bool:
    await wire.send(b"HTTP/1.1 101")
    wire.abort()
    return False


@pytest.mark.parametrize(
    ("method", "fails", "body", "asked"),
    [
        ("GET", closes, b"", 3),  # idempotent: as often as `attempts` says
        ("GET", breaks, b"", 3),
        ("POST", closes, b"", 1),  # it may have been processed
        ("POST", breaks, b"", 1),
        ("PUT", closes, b"x", 3),  # its body is in memory
    ],
)
async def test_an_upgrade_is_tried_again_by_the_usual_rules_alone(
    method: str, fails: Script, body: bytes, asked: int
) -> None:
    async with staged(upstream="retry: {attempts: 2}") as stage, Client(stage.port) as client:
        stage.script("/t", fails)
        length = f"Content-Length: {len(body)}"
        await client.send([get("/t", *ASK, length, method=method) + body])
        assert (await client.answer()).status == 502
        tries = [request for request in stage.origin.record.requests if request.line.endswith("/t")]
        assert len(tries) == asked
        assert all(one.values("upgrade") == ["chat"] for one in tries)


async def test_a_further_try_of_an_upgrade_can_open_the_tunnel() -> None:
    peer = Peer()

    async def once(wire: Wire) -> bool:
        here.script("/t", peer)
        return False

    async with staged(upstream="retry: {attempts: 1}") as here, Client(here.port) as client:
        here.script("/t", once)
        await client.send([get("/t", *ASK)])
        await client.head()
        assert client.data.startswith(b"HTTP/1.1 101 ")
        await client.send([b"hello"])
        await until(lambda: peer.got == b"hello")
        assert here.count(101) == 0
    await gone(here, peer)
    assert here.count(101) == 1


async def test_bytes_that_come_with_the_heads_belong_to_the_tunnel(stage: Stage) -> None:
    peer = Peer(first=b"upstream first")
    async with Client(stage.port) as client:
        await switched(stage, client, peer, behind=b"client first")
        await arrives(client, b"upstream first")
        await until(lambda: peer.got == b"client first")


async def test_nothing_of_the_client_passes_before_the_101(stage: Stage) -> None:
    holding = Holding(SWITCHED % b"chat")
    stage.script("/t", holding)
    async with Client(stage.port) as client:
        await client.send([get("/t", *ASK) + b"too", b" early"])
        await until(lambda: holding.asked)
        await until(lambda: stage.ends[0]._buffer[stage.ends[0]._at :] == b"too early")
        assert stage.wires[0].unfinished == b""
        holding.let_go()
        await client.head()
        await until(lambda: stage.wires[0].unfinished == b"too early")


async def test_a_body_goes_before_the_tunnel(stage: Stage) -> None:
    peer = Peer()
    stage.script("/t", peer)
    async with Client(stage.port) as client:
        await client.send([get("/t", *ASK, "Content-Length: 4", method="POST"), b"bodytunnel"])
        await client.head()
        await until(lambda: peer.got == b"tunnel")
        assert stage.origin.record.requests[-1].body == b"body"


async def test_a_connection_in_a_tunnel_is_never_pooled_and_counts_in_the_pool() -> None:
    async with staged(upstream="pool: {max_connections: 1}") as stage:
        peer = Peer()
        async with Client(stage.port) as client, Client(stage.port) as other:
            await switched(stage, client, peer)
            await other.send([get("/ok")])
            await until(lambda: stage.pool.queued)
            client._writer.transport.abort()
            assert (await other.answer()).body == b"ok"
        assert len(stage.origin.record.wires) == 2


# ---- what is no tunnel ----


@pytest.mark.parametrize("status", [b"403 Forbidden", b"200 OK", b"426 Upgrade Required"])
async def test_any_other_answer_is_an_answer_and_the_connection_goes_on(status: bytes, stage: Stage) -> None:
    async def refuse(wire: Wire) -> bool:
        await wire.send(b"HTTP/1.1 %b\r\nUpgrade: chat\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno" % status)
        return True

    stage.script("/t", refuse)
    async with Client(stage.port) as client:
        await client.send([get("/t", *ASK) + get("/fixed")])
        answer = await client.answer()
        assert (answer.status, answer.body) == (int(status[:3]), b"no")
        assert (await client.answer()).body == b"fixed"
        await client.send([get("/t", *ASK)])
        assert (await client.answer()).body == b"no"
    assert len(stage.wires) == 1


@pytest.mark.parametrize(
    ("fields", "version"),
    [(("Upgrade: chat",), "1.1"), (ASK, "1.0"), (("Connection: Upgrade", "Upgrade: h2c"), "1.1")],
    ids=["not-named", "http-1.0", "h2c"],
)
async def test_what_is_no_upgrade_is_an_ordinary_request(fields: tuple[str, ...], version: str, stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/ok", *fields, version=version)])
        assert (await client.answer()).status == 200
    request = stage.origin.record.requests[-1]
    assert request.values("upgrade") == []
    assert request.values("connection") == []


@pytest.mark.parametrize(
    "answer",
    [
        SWITCHED % b"other",
        SWITCHED % b"chat, other",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        (SWITCHED % b"chat").replace(b"HTTP/1.1", b"HTTP/1.0"),
        SWITCHED % b"h2c",
    ],
    ids=["another", "one-too-many", "none", "http-1.0", "h2c"],
)
async def test_a_101_that_does_not_fit_is_a_bad_gateway(answer: bytes, stage: Stage) -> None:
    async def spoil(wire: Wire) -> bool:
        await wire.send(answer)
        return await wire.more()

    stage.script("/t", spoil)
    async with Client(stage.port) as client:
        await client.send([get("/t", "Connection: Upgrade", "Upgrade: chat, h2c") + get("/fixed")])
        reply = await client.answer()
        assert reply.status == 502
        assert b"upgrade_failed" in reply.body
        assert "http_upgrade_failed" in reply.values("proxy-status")[0]
        assert (await client.answer()).body == b"fixed"
    assert stage.pool.open == 0


async def test_a_101_before_the_request_is_whole_is_a_bad_gateway(stage: Stage) -> None:
    async def early(wire: Wire) -> bool:
        raise AssertionError("the request is never whole")

    stage.script("/t", early)
    async with Client(stage.port) as client:
        await client.send([get("/t", *ASK, "Content-Length: 400", method="POST"), b"half"])
        await until(lambda: stage.wires and stage.wires[0].unfinished)
        await stage.wires[0].send(SWITCHED % b"chat")
        assert (await client.answer()).status == 502


async def test_a_101_in_front_of_a_reset_is_a_bad_gateway(stage: Stage) -> None:
    holding = Holding()
    stage.script("/t", holding)
    async with Client(stage.port) as client:
        await client.send([get("/t", *ASK)])
        await until(lambda: holding.asked)
        (connection,) = stage.gateway.runtime.connector._opened
        assert connection.transport is not None
        connection.transport.abort()  # what is left in the socket is still read before the end is told
        connection.data_received(SWITCHED % b"chat")
        assert (await client.answer()).status == 502
        holding.let_go()
    await until(lambda: not stage.gateway.engine.active and not stage.pool.open)


# ---- the pace ----


async def test_who_takes_nothing_is_waited_for_and_little_is_held(stage: Stage) -> None:
    peer = Peer(reads=False)
    async with Client(stage.port) as client:
        await switched(stage, client, peer)
        client.stop_reading()
        narrow(stage, peer)
        saying = asyncio.create_task(peer.say(b"x" * LARGE))
        side = stage.ends[0]._tunnel._client
        await until(lambda: side.full)
        assert side._transport.get_write_buffer_size() < 64 * 1024 + 256 * 1024 + 16 * 1024
        assert not saying.done()
        client.read_on()
        await arrives(client, b"x" * LARGE)
        await saying
        assert not side.full
        peer.go_on.set()


async def test_an_upstream_that_takes_nothing_stops_the_client(stage: Stage) -> None:
    peer = Peer(reads=False)
    async with Client(stage.port) as client:
        await switched(stage, client, peer)
        narrow(stage, peer)
        sending = asyncio.create_task(client.send([b"y" * LARGE]))
        side = stage.ends[0]._tunnel._upstream
        await until(lambda: side.full)
        assert not sending.done()
        peer.go_on.set()
        await until(lambda: len(peer.got) == LARGE)
        await sending


async def test_a_client_that_takes_nothing_for_too_long_is_cut(stage: Stage) -> None:
    peer = Peer()
    async with Client(stage.port) as client:
        await switched(stage, client, peer)
        client.stop_reading()
        narrow(stage, peer)
        saying = asyncio.create_task(peer.say(b"x" * LARGE))
        side = stage.ends[0]._tunnel._client
        await until(lambda: side.full)
        stage.pass_time(59)
        assert stage.gateway.engine.active
        stage.pass_time(2)
        await gone(stage, peer)
        await saying


async def test_a_silent_tunnel_lives_as_long_as_it_may() -> None:
    async with staged(upstream="timeouts: {tunnel_idle: 10m}") as stage:
        peer = Peer()
        async with Client(stage.port) as client:
            await switched(stage, client, peer)
            stage.pass_time(590)
            await client.send([b"."])
            await until(lambda: peer.got == b".")
            stage.pass_time(590)
            await peer.say(b":")
            await arrives(client, b":")
            stage.pass_time(599)
            assert stage.gateway.engine.active
            stage.pass_time(2)
            assert await client.closed() == b""
            await gone(stage, peer)


async def test_a_limit_on_the_whole_answer_is_none_on_a_tunnel() -> None:
    async with staged(upstream="timeouts: {total: 5s}") as stage:
        peer = Peer()
        async with Client(stage.port) as client:
            await switched(stage, client, peer)
            stage.pass_time(60)
            await peer.say(b"still here")
            await arrives(client, b"still here")


# ---- the end ----


async def test_what_an_upstream_said_last_arrives(stage: Stage) -> None:
    peer = Peer()
    async with Client(stage.port) as client:
        await switched(stage, client, peer)
        assert peer.wire is not None
        await peer.say(b"z" * 300_000)
        peer.wire.close()
        data = await client.closed()
        assert data == b"z" * 300_000
        assert client.ended
        await gone(stage, peer)


async def test_what_a_client_said_last_arrives(stage: Stage) -> None:
    peer = Peer()
    async with Client(stage.port) as client:
        await switched(stage, client, peer)
        await client.send([b"w" * 300_000])
        client._writer.write_eof()
        await client.closed()
        await gone(stage, peer)
    assert len(peer.got) == 300_000


@pytest.mark.parametrize("side", ["client", "upstream"])
async def test_a_reset_ends_the_other_side_at_once(side: str, stage: Stage) -> None:
    peer = Peer()
    async with Client(stage.port) as client:
        await switched(stage, client, peer)
        assert peer.wire is not None
        if side == "client":
            client._writer.transport.abort()
        else:
            peer.wire.abort()
            await client.closed()
        await gone(stage, peer)
    assert stage.count(101) == 1


async def test_an_upstream_that_has_gone_before_the_client_is_told(stage: Stage) -> None:
    async def brief(wire: Wire) -> bool:
        await wire.send(SWITCHED % b"chat" + b"bye")
        return False

    stage.script("/t", brief)
    async with Client(stage.port) as client:
        await client.send([get("/t", *ASK)])
        data = await client.closed()
        assert data.endswith(b"\r\n\r\nbye")
    await until(lambda: not stage.gateway.engine.active)
