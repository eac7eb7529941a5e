"""The pool: bounded, reused, fair to those who wait, and emptied in time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from tests.unit.frontend.stage import Holding, Stage, fetch, get, staged, until
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


async def test_those_who_wait_are_served_in_order() -> None:
    async with staged(upstream="pool: {max_connections: 2}") as stage, AsyncExitStack() as stack:
        holding, clients = Holding(), []
        for number in range(6):
            stage.script(f"/{number}", holding)
            client = await stack.enter_async_context(Client(stage.port))
            clients.append(client)
            await client.send([get(f"/{number}")])
            await until(partial(_has_come, stage, holding, number + 1))
        assert (stage.pool.open, stage.pool.queued, stage.pool.waited, holding.asked) == (2, 4, 4, 2)
        await until(lambda: holding.asked == 2)
        for asked in range(3, 7):
            holding.let_go()
            await until(partial(_was_asked, holding, asked))
        holding.let_go(2)
        for client in clients:
            assert (await client.answer()).status == 200
        assert holding.lines == [f"GET /{number}" for number in range(6)]
        assert (stage.pool.created, stage.pool.queued) == (2, 0)


async def test_waiting_has_an_end() -> None:
    async with staged(upstream="pool: {max_connections: 1}, timeouts: {connect: 3s}") as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as busy, Client(stage.port) as waiting:
            await busy.send([get("/held")])
            await until(lambda: holding.asked)
            await waiting.send([get("/")])
            await until(lambda: stage.pool.queued)
            stage.pass_time(2.9)
            assert stage.pool.queued == 1
            stage.pass_time(0.2)
            answer = await waiting.answer()
            assert (answer.status, answer.values("retry-after")) == (503, ["1"])
            assert "connection_limit_reached" in answer.values("proxy-status")[0]
            holding.let_go()
            assert (await busy.answer()).status == 200
        assert (await fetch(stage, get("/"))).status == 200
        assert (stage.pool.open, stage.pool.created) == (1, 1)


async def test_the_queue_has_an_end() -> None:
    async with staged(upstream="pool: {max_connections: 1}") as stage:
        stage.pool.limits.max_queue = 1
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as busy, Client(stage.port) as waiting:
            await busy.send([get("/held")])
            await until(lambda: holding.asked)
            await waiting.send([get("/")])
            await until(lambda: stage.pool.queued)
            answer = await fetch(stage, get("/"))
            assert (answer.status, answer.values("retry-after")) == (503, ["1"])
            holding.let_go()
            assert (await waiting.answer()).status == 200


async def test_who_leaves_the_queue_is_not_served() -> None:
    async with staged(upstream="pool: {max_connections: 1}") as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as busy:
            await busy.send([get("/held")])
            await until(lambda: holding.asked)
            async with Client(stage.port) as gone:
                await gone.send([get("/gone")])
                await until(lambda: stage.pool.queued)
            await until(lambda: not stage.pool.queued)
            holding.let_go()
            assert (await busy.answer()).status == 200
        assert (await fetch(stage, get("/"))).status == 200
        assert stage.pool.created == 1
        assert [message.line for message in stage.origin.record.requests] == ["GET /held", "GET /"]
        assert stage.count(499) == 1


async def test_who_waits_is_served_when_a_connection_dies() -> None:
    async with staged(upstream="pool: {max_connections: 1}") as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as busy, Client(stage.port) as waiting:
            await busy.send([get("/held")])
            await until(lambda: holding.asked)
            await waiting.send([get("/")])
            await until(lambda: stage.pool.queued)
            stage.wires[0].abort()
            assert (await busy.answer()).status == 502
            assert (await waiting.answer()).status == 200
        holding.let_go()


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


async def test_those_who_wait_for_another_target_are_served_too() -> None:
    two = "http://127.0.0.1:{port}, http://localhost:{port}"
    async with staged(upstream="pool: {max_connections: 1}", targets=two) as stage, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(stage.port)) for _ in range(8)]
        for client in clients:
            await client.send([get("/")])
        for client in clients:
            assert (await client.answer()).status == 200
    assert stage.pool.queued == 0


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


async def test_closing_refuses_those_who_wait() -> None:
    async with staged(upstream="pool: {max_connections: 1}") as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as busy, Client(stage.port) as waiting:
            await busy.send([get("/held")])
            await until(lambda: holding.asked)
            await waiting.send([get("/")])
            await until(lambda: stage.pool.queued)
            stage.pool.close()
            assert (await waiting.answer()).status == 503
            holding.let_go()
            assert (await busy.answer()).status == 200


def _has_come(stage: Stage, holding: Holding, count: int) -> bool:
    return holding.asked + stage.pool.queued == count


def _was_asked(holding: Holding, count: int) -> bool:
    return holding.asked == count
