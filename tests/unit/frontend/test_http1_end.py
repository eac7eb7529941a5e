"""How a client's connection ends: by a drain in the middle of a head, by the client's closing its side."""

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
