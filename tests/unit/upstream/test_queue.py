"""Waiting for a connection: in order, with an end, and without being overtaken for long."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

from tests.unit.frontend.stage import Holding, Stage, fetch, get, staged, until
from tests.wire.client import Client


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
    async with staged(upstream="pool: {max_connections: 1, queue_timeout: 3s}") as stage:
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
    async with staged(upstream="pool: {max_connections: 1, queue: 1}") as stage:
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


async def test_those_who_wait_for_another_target_are_served_too() -> None:
    two = "http://127.0.0.1:{port}, http://localhost:{port}"
    async with staged(upstream="pool: {max_connections: 1}", targets=two) as stage, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(stage.port)) for _ in range(8)]
        for client in clients:
            await client.send([get("/")])
        for client in clients:
            assert (await client.answer()).status == 200
    assert stage.pool.queued == 0


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


async def test_who_left_the_queue_takes_no_place_in_it() -> None:
    async with staged(upstream="pool: {max_connections: 1, queue: 2}") as stage, AsyncExitStack() as stack:
        stage.script("/held", holding := Holding())
        busy, first, patient = [await stack.enter_async_context(Client(stage.port)) for _ in range(3)]
        await busy.send([get("/held")])
        await until(lambda: holding.asked)
        await first.send([get("/first")])
        await until(lambda: stage.pool.queued == 1)
        for _ in range(5):  # each behind the first, so that none of them is at the head of the queue
            async with Client(stage.port) as gone:
                await gone.send([get("/gone")])
                await until(lambda: stage.pool.queued == 2)
            await until(lambda: stage.pool.queued == 1)
        await patient.send([get("/patient")])
        await until(lambda: stage.pool.queued == 2)
        holding.let_go()
        assert [(await client.answer()).status for client in (busy, first, patient)] == [200, 200, 200]
        lines = [message.line for message in stage.origin.record.requests]
        assert lines == ["GET /held", "GET /first", "GET /patient"]


async def test_a_queue_of_none_refuses_at_once() -> None:
    async with staged(upstream="pool: {max_connections: 1, queue: 0}") as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as busy:
            await busy.send([get("/held")])
            await until(lambda: holding.asked)
            assert (await fetch(stage, get("/"))).status == 503
            holding.let_go()
            assert (await busy.answer()).status == 200
        assert stage.figure("errors_total", kind="pool_exhausted") == 1


async def test_nobody_is_overtaken_for_long() -> None:
    """Two targets, room for one connection: its own waiters come first, but by no more than a tenth of a second."""
    two = "http://127.0.0.1:{port}, http://localhost:{port}"
    async with staged(upstream="pool: {max_connections: 1}", targets=two) as stage, AsyncExitStack() as stack:
        holding, clients = Holding(), []
        for number, seconds in enumerate((0, 0, 0.05, 0.1, 0)):  # odd ones go to the other target
            stage.script(f"/{number}", holding)
            stage.clock.advance(seconds)
            client = await stack.enter_async_context(Client(stage.port))
            clients.append(client)
            await client.send([get(f"/{number}")])
            await until(partial(_has_come, stage, holding, number + 1))
        for asked in range(2, 6):
            holding.let_go()
            await until(partial(_was_asked, holding, asked))
        holding.let_go()
        for client in clients:
            assert (await client.answer()).status == 200
        # 2 overtakes 1, since it came 50 ms later and finds its connection open; 4 came 150 ms later and does not
        assert holding.lines == ["GET /0", "GET /2", "GET /1", "GET /3", "GET /4"]


async def test_a_busy_upstream_of_several_targets_keeps_its_connections() -> None:
    two = "http://127.0.0.1:{port}, http://localhost:{port}"
    async with staged(upstream="pool: {max_connections: 4}", targets=two) as stage, AsyncExitStack() as stack:
        stage.script("/held", holding := Holding())
        clients = [await stack.enter_async_context(Client(stage.port)) for _ in range(40)]
        for client in clients:
            await client.send([get("/held")])
        await until(lambda: stage.pool.queued == 36)
        holding.let_go(40)
        for client in clients:
            assert (await client.answer()).status == 200
        assert (stage.pool.waited, stage.pool.created <= 8) == (36, True), "in strict order it would have been some 30"


def _has_come(stage: Stage, holding: Holding, count: int) -> bool:
    return holding.asked + stage.pool.queued == count


def _was_asked(holding: Holding, count: int) -> bool:
    return holding.asked == count
