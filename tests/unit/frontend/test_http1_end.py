"""How a connection of a client ends: by a drain in the middle of a head, by its closing its side, by its silence."""

from __future__ import annotations

import asyncio

from tests.unit.frontend.stage import Holding, Stage, get, until
from tests.wire.client import Client


async def test_a_head_that_has_begun_is_still_served_by_a_drain(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/fixed")])
        await client.answer()
        await client.send([b"GET /fixed HT"])
        await until(lambda: stage.ends[0]._heading)
        draining = asyncio.ensure_future(stage.gateway.drain())
        await until(lambda: stage.listener.draining)
        await client.send([get("/fixed").removeprefix(b"GET /fixed HT")])
        answer = await client.answer()
        assert (answer.body, answer.values("connection")) == (b"fixed", ["close"])
        assert await client.closed() == b""
    await draining


async def test_a_client_that_closes_its_side_ends_what_is_under_way_before_its_buffer_is_empty(stage: Stage) -> None:
    """What it does not take would else keep an endless answer alive, unseen by every deadline."""
    holding = Holding()
    stage.script("/held", holding)
    async with Client(stage.port) as client:
        await client.send([get("/held")])
        await until(lambda: holding.asked)
        (end,) = stage.ends
        end.eof_received()
        assert stage.gateway.engine.active == 0
        assert end._watch.deadline < float("inf")
    holding.let_go()


async def test_an_answer_made_in_the_turn_in_which_the_client_closes_its_side_arrives(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/fixed")])
        await client.answer()
        (end,) = stage.ends
        end.data_received(get("/fixed"))
        transport = end.transport
        end.eof_received()
        transport._inner.close()  # as a loop does when this returns, past what is still held
        assert (await client.answer()).body == b"fixed"
        assert await client.closed() == b""


async def test_an_upload_that_goes_on_behind_its_answer_has_the_time_of_a_body(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/upload", "Content-Length: 1000", method="POST") + b"x" * 500])
        await until(lambda: stage.wires and b"\r\n\r\n" in stage.wires[0].received)
        await stage.wires[0].send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        assert (await client.answer()).status == 403
        assert stage.listener.limits.body_gap < stage.listener.limits.idle
        stage.pass_time(stage.listener.limits.body_gap - 0.5)
        assert not stage.ends[0]._closing
        stage.pass_time(0.7)
        assert await client.closed() == b""


async def test_behind_an_answer_a_connection_has_its_idle_time_and_no_less(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/fixed")])
        await client.answer()
        stage.pass_time(stage.listener.limits.idle - 0.5)
        assert not stage.ends[0]._closing
        stage.pass_time(0.7)
        assert await client.closed() == b""


async def test_an_upload_that_nobody_has_read_is_thrown_away_behind_its_answer(stage: Stage) -> None:
    size = 250_000
    async with Client(stage.port) as client:
        await client.send([get("/fixed", f"Content-Length: {size}", method="POST")])
        assert (await client.answer()).body == b"fixed"
        await client.send([b"x" * size, get("/fixed")])
        assert (await client.answer()).body == b"fixed"
