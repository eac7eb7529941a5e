"""The pool: bounded, reused, fair to those who wait, and emptied in time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.unit.frontend.stage import Holding, Stage, fetch, get, plays, staged, until
from tests.wire.client import Client


async def burst(stage: Stage, count: int) -> None:
    """So many connections at once, idle afterwards."""
    holding = Holding()
    stage.script("/burst", holding)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(stage.port)) for _ in range(count)]
        for client in clients:
            await client.send([get("/burst")])
        await until(lambda: holding.asked == count)
        holding.let_go(count)
        for client in clients:
            assert (await client.answer()).status == 200
    assert stage.pool.open == stage.pool.idle >= count


async def test_the_one_used_last_is_used_again(stage: Stage) -> None:
    await burst(stage, 3)
    for _ in range(4):
        await fetch(stage, get("/"))
    assert sorted(len(wire.requests) for wire in stage.wires) == [1, 1, 5]
    assert (stage.pool.created, stage.pool.reused) == (3, 4)


async def test_idle_connections_time_out() -> None:
    async with staged(upstream="pool: {idle_timeout: 30s}") as stage:
        await burst(stage, 3)
        stage.pass_time(20)
        await fetch(stage, get("/"))
        stage.pass_time(10.2)
        await until(lambda: stage.pool.open == 1)
        stage.pass_time(20)
        await until(lambda: stage.pool.open == 0)
        for wire in stage.wires:
            await asyncio.wait_for(wire.gone.wait(), 5)


async def test_a_burst_keeps_its_connections_for_five_seconds() -> None:
    async with staged(upstream="pool: {max_idle: 2}") as stage:
        await burst(stage, 6)
        stage.pass_time(4.9)
        assert stage.pool.idle == 6
        stage.pass_time(0.3)
        assert (stage.pool.idle, stage.pool.open) == (2, 2)
        stage.pass_time(20)
        assert stage.pool.idle == 2


async def test_what_was_used_meanwhile_is_trimmed_later() -> None:
    async with staged(upstream="pool: {max_idle: 1}") as stage:
        await burst(stage, 3)
        stage.pass_time(3)
        await fetch(stage, get("/"))
        stage.pass_time(2.2)
        assert stage.pool.idle == 1
        await burst(stage, 3)
        stage.pass_time(2.5)
        await burst(stage, 2)
        stage.pass_time(2.7)
        assert stage.pool.idle == 2
        stage.pass_time(2.5)
        assert stage.pool.idle == 1


async def test_a_client_that_leaves_while_its_connection_is_made_leaves_it_to_others(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/gone")])
        await until(lambda: stage.pool.open)
        await asyncio.sleep(0)
    await until(lambda: stage.gateway.engine.active == 0)
    await until(lambda: stage.pool.idle or not stage.pool.open)
    assert (await fetch(stage, get("/"))).status == 200
    assert stage.pool.open == 1


async def test_room_is_made_for_another_target() -> None:
    """Both connections are idle at one target; a request for the other must not wait for them."""
    two = "http://127.0.0.1:{port}, http://localhost:{port}"
    async with staged(upstream="pool: {max_connections: 1}", targets=two) as stage:
        for _ in range(6):
            assert (await fetch(stage, get("/"))).status == 200
        assert (stage.pool.open, stage.pool.waited) == (1, 0)


async def test_closing_ends_what_is_idle_and_lets_the_rest_finish(stage: Stage) -> None:
    stage.script("/held", holding := Holding())
    await burst(stage, 2)
    async with Client(stage.port) as client:
        await client.send([get("/held")])
        await until(lambda: holding.asked)
        stage.pool.close()
        assert stage.pool.open == 1
        holding.let_go()
        assert (await client.answer()).body == b"held"
    await until(lambda: stage.pool.open == 0)
    for wire in stage.wires:
        await asyncio.wait_for(wire.gone.wait(), 5)


async def test_closing_lets_a_connection_that_is_being_made_serve_its_exchange(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/")])
        await until(lambda: stage.pool.open)
        assert stage.pool.created == 0
        stage.pool.close()
        assert (await client.answer()).status == 200
    await until(lambda: stage.pool.open == 0)


async def test_what_is_old_is_not_used_again() -> None:
    """Neither when it is taken nor when it comes back; the lifetime is up to a tenth less than written."""
    async with staged(upstream="pool: {lifetime: 10s, idle_timeout: 1h}") as stage:
        for seconds, created in ((0, 1), (8.9, 1), (1.1, 2)):
            stage.clock.advance(seconds)  # the wheel does not turn, so that nothing but the taking can notice
            assert (await fetch(stage, get("/"))).status == 200
            assert stage.pool.created == created
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as client:
            await client.send([get("/held")])
            await until(lambda: holding.asked)
            stage.clock.advance(10.1)
            holding.let_go()
            assert (await client.answer()).body == b"held"
        assert (stage.pool.open, stage.figure("connections_closed_total", reason="lifetime")) == (0, 2)


async def test_an_idle_one_is_closed_when_it_is_old() -> None:
    async with staged(upstream="pool: {lifetime: 10s, idle_timeout: 1h}") as stage:
        await burst(stage, 8)
        stage.pass_time(8.9)
        assert stage.pool.open == 8
        left = set()
        for _ in range(12):
            stage.pass_time(0.1)
            left.add(stage.pool.open)
        assert stage.pool.open == 0
        assert len(left) > 2, "they all ended at the same time"


async def test_a_connection_for_each_request() -> None:
    async with staged(upstream="pool: {max_requests: 1}") as stage:
        for _ in range(3):
            assert (await fetch(stage, get("/"))).status == 200
        assert (stage.pool.created, stage.pool.reused, stage.pool.open) == (3, 0, 0)
        assert stage.figure("connections_closed_total", reason="max_requests") == 3


async def test_an_answer_that_ends_with_its_connection_leaves_none_behind(stage: Stage) -> None:
    stage.script("/until", plays(b"HTTP/1.1 200 OK\r\n\r\nall of it", then="close"))
    for number in range(1, 4):
        assert (await fetch(stage, get("/until"))).body == b"all of it"
        await until(lambda: stage.pool.open == 0)
        assert (stage.pool.idle, stage.pool.created, stage.pool.reused) == (0, number, 0)


async def dies_as_it_answers(stage: Stage) -> None:
    """The only connection breaks in the very turn in which its answer came, and is taken."""
    (connection,) = stage.pool._all
    stage.gateway.runtime.flusher.crowd = True  # what comes is taken at the end of the turn
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert connection.transport is not None
    connection.transport.abort()


@pytest.mark.parametrize("queued", [True, False])
async def test_a_connection_that_dies_as_it_answers_serves_no_other(queued: bool) -> None:
    async with staged(upstream="pool: {max_connections: 1}") as stage, Client(stage.port) as other:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as client:
            await client.send([get("/held")])
            await until(lambda: holding.asked)
            if queued:
                await other.send([get("/", method="POST")])  # which is not sent twice
                await until(lambda: stage.pool.queued)
            await dies_as_it_answers(stage)
            assert (await client.answer()).body == b"ok"
        if not queued:
            await until(lambda: stage.pool.open == 0)
            assert stage.pool.idle == 0
            await other.send([get("/", method="POST")])
        assert (await other.answer()).status == 200
        assert (stage.pool.open, stage.pool.idle, stage.pool.created) == (1, 1, 2)
        holding.let_go()
