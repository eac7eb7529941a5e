"""Tunnels when the gateway stops: WebSockets are told, between two frames; others are cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from proxy.websocket import GOING_AWAY, close_frame
from tests.unit.frontend.stage import Holding, Stage, get, staged, until
from tests.unit.tunnels import SOCKET, SWITCHED, Peer, arrives, switched
from tests.wire.client import Client


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as one:
        yield one


def masked(payload: bytes, opcode: int = 1) -> bytes:
    return bytes((128 | opcode, 128 | len(payload))) + bytes(4) + payload


async def test_a_websocket_is_told_that_the_gateway_goes_away(stage: Stage) -> None:
    peer = Peer(b"websocket", first=b"\x81\x02")  # the beginning of a frame
    async with Client(stage.port) as client:
        await switched(stage, client, peer, *SOCKET)
        await arrives(client, b"\x81\x02")
        await client.send([masked(b"hi")])
        await until(lambda: peer.got == masked(b"hi"))
        draining = asyncio.create_task(stage.gateway.drain())
        await until(lambda: len(peer.got) > 8)
        told = peer.got[8:]
        key = told[2:6]
        assert told[:2] == b"\x88\x82"
        assert bytes(a ^ b for a, b in zip(told[6:], key, strict=False)) == GOING_AWAY.to_bytes(2, "big")
        await peer.say(b"ok\x81\x01x")
        await arrives(client, b"ok" + close_frame(GOING_AWAY))
        await client.send([masked(b"lost") + masked(b"\x03\xe9", 8)])
        await peer.say(b"\x88\x02\x03\xe9")
        assert await client.closed() == b""
        await draining
    assert peer.got[8:] == told
    assert client.ended


async def test_a_websocket_whose_ends_do_not_answer_is_cut_after_some_seconds(stage: Stage) -> None:
    peer = Peer(b"WebSocket")
    async with Client(stage.port) as client:
        await switched(stage, client, peer, *SOCKET)
        draining = asyncio.create_task(stage.gateway.drain())
        await arrives(client, close_frame(GOING_AWAY))
        stage.pass_time(4.8)
        assert not draining.done()
        stage.pass_time(0.4)
        await client.closed()
        await draining


async def test_a_websocket_that_is_closing_gets_no_second_close_frame(stage: Stage) -> None:
    peer = Peer(b"websocket")
    async with Client(stage.port) as client:
        await switched(stage, client, peer, *SOCKET)
        await client.send([masked(b"\x03\xe8", 8)])
        await until(lambda: peer.got)
        draining = asyncio.create_task(stage.gateway.drain())
        await until(lambda: stage.listener.draining)
        await peer.say(b"\x88\x02\x03\xe8")
        assert await client.closed() == b"\x88\x02\x03\xe8"
        await draining
    assert peer.got == masked(b"\x03\xe8", 8)


async def test_another_tunnel_goes_on_until_it_is_cut() -> None:
    async with staged(top="drain: {timeout: 200ms}") as stage:
        peer = Peer()
        async with Client(stage.port) as client:
            await switched(stage, client, peer)
            draining = asyncio.create_task(stage.gateway.drain())
            await until(lambda: stage.listener.draining)
            await peer.say(b"still here")
            await arrives(client, b"still here")
            await client.closed()
            await draining


async def test_a_switch_during_the_drain_is_told_too(stage: Stage) -> None:
    holding = Holding(SWITCHED % b"websocket")
    stage.script("/t", holding)
    async with Client(stage.port) as client:
        await client.send([get("/t", *SOCKET)])
        await until(lambda: holding.asked)
        draining = asyncio.create_task(stage.gateway.drain())
        await until(lambda: stage.listener.draining)
        holding.let_go()
        await client.head()
        client.data = client.data.partition(b"\r\n\r\n")[2]
        await arrives(client, close_frame(GOING_AWAY))
        stage.pass_time(5.2)
        await client.closed()
        await draining
