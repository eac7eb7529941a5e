"""The figures of a pool: what stands open, who waits, and why connections ended."""

from __future__ import annotations

import pytest

from tests.unit.frontend.stage import Holding, Stage, fetch, get, plays, staged, until
from tests.wire.client import Client


async def test_the_metrics_of_a_pool() -> None:
    async with staged(upstream="pool: {max_connections: 1}") as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as busy, Client(stage.port) as waiting:
            await busy.send([get("/held")])
            await until(lambda: holding.asked)
            await waiting.send([get("/")])
            await until(lambda: stage.pool.queued)
            states = {state: stage.figure("connections", state=state) for state in ("open", "idle", "busy", "queued")}
            assert states == {"open": 1, "idle": 0, "busy": 1, "queued": 1}
            stage.clock.advance(0.25)
            holding.let_go()
            assert ((await busy.answer()).status, (await waiting.answer()).status) == (200, 200)
        await fetch(stage, get("/"))
        assert stage.figure("queue_seconds_sum") == 0.25
        assert (stage.figure("queued_total"), stage.figure("queue_seconds_count")) == (1, 1)
        assert (stage.figure("connections_created_total"), stage.figure("connections_reused_total")) == (1, 1)
        stage.script("/dies", plays(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", then="close"))
        async with Client(stage.port) as client:
            await client.send([get("/dies")])
            await client.closed()
        assert stage.figure("errors_total", kind="incomplete_response") == 1
        assert stage.figure("connections_closed_total", reason="upstream") == 1


@pytest.mark.parametrize(
    ("answer", "then", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "keep", "not_reusable"),
        (b"nonsense\r\n\r\n", "keep", "failed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "close", "upstream"),
    ],
)
async def test_why_a_connection_was_closed(answer: bytes, then: str, reason: str, stage: Stage) -> None:
    stage.script("/", plays(answer, then=then))
    await fetch(stage, get("/"))
    await until(lambda: stage.pool.open == 0)
    assert stage.figure("connections_closed_total", reason=reason) == 1


async def test_unasked_bytes_close_an_idle_connection(stage: Stage) -> None:
    await fetch(stage, get("/"))
    await stage.wires[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    await until(lambda: stage.pool.open == 0)
    assert stage.figure("connections_closed_total", reason="unasked") == 1
    assert (await fetch(stage, get("/"))).body == b"ok"
