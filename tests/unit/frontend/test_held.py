"""Requests that wait since events cannot be kept as fast as they come."""

from __future__ import annotations

import asyncio

from tests.unit.frontend.stage import Holding, Stage, get, staged, until
from tests.wire.client import Client


def press(stage: Stage) -> None:
    stage.gateway.runtime.events.brake.press("a test")


def ease(stage: Stage) -> None:
    stage.gateway.runtime.events.brake.ease("a test", empty=True)


async def test_new_requests_wait_on_old_and_new_connections(stage: Stage) -> None:
    async with Client(stage.port) as old, Client(stage.port) as new:
        await old.send([get("/fixed")])
        assert (await old.answer()).body == b"fixed"
        press(stage)
        await old.send([get("/fixed") * 3])
        await new.send([get("/fixed")])
        await until(lambda: len(stage.listener.waiting) == 2)
        assert stage.count(200, "fixed") == 1
        assert all(end._stopped for end in stage.ends), "nothing more is read"
        ease(stage)
        assert [(await old.answer()).body for _ in range(3)] == [b"fixed"] * 3
        assert (await new.answer()).body == b"fixed"
        assert not stage.listener.waiting


async def test_after_a_second_they_wait_no_more(stage: Stage) -> None:
    async with Client(stage.port) as client:
        press(stage)
        await client.send([get("/fixed")])
        await until(lambda: stage.listener.waiting)
        stage.clock.advance(1.0)
        stage.gateway.runtime.events.advance()
        assert (await client.answer()).body == b"fixed"
        lines = stage.gateway.metrics.exposition()[0].decode()
        assert "passerelle_events_held_requests_seconds 1.0" in lines


async def test_what_is_under_way_goes_on(stage: Stage) -> None:
    holding = Holding()
    stage.script("/held", holding)
    body = b"x" * 300_000
    async with Client(stage.port) as answered, Client(stage.port) as uploading:
        await answered.send([get("/held") + get("/fixed")])
        await until(lambda: holding.asked)
        await uploading.send([get("/sink", f"Content-Length: {len(body)}", method="POST") + body[:1000]])
        await until(lambda: any(end.upload.reader is not None for end in stage.ends))
        press(stage)
        holding.let_go()
        assert (await answered.answer()).body == b"held"
        await uploading.send([body[1000:] + get("/fixed")])
        assert (await uploading.answer()).body == b"ok"
        await until(lambda: len(stage.listener.waiting) == 2)
        assert stage.count(200, "fixed") == 0
        ease(stage)
        assert (await answered.answer()).body == b"fixed"
        assert (await uploading.answer()).body == b"fixed"


async def test_a_pipeline_is_held_where_it_presses() -> None:
    async with staged(plugins="events") as other, Client(other.port) as client:
        other.gateway.runtime.events.subscribe("request.completed", lambda _: press(other))
        await client.send([get("/fixed") * 5])
        for count in range(1, 6):
            assert (await client.answer()).body == b"fixed"
            assert other.count(200, "fixed") == count
            ease(other)


async def test_who_leaves_while_it_waits_is_forgotten(stage: Stage) -> None:
    async with Client(stage.port) as client:
        press(stage)
        await client.send([get("/fixed")])
        await until(lambda: stage.listener.waiting)
    ease(stage)
    await until(lambda: not stage.ends)
    await asyncio.sleep(0)
    assert not stage.listener.waiting


async def test_who_is_let_go_and_presses_again_is_not_forgotten() -> None:
    async with staged(plugins="events") as other, Client(other.port) as client:
        other.gateway.runtime.events.subscribe("request.completed", lambda _: press(other))
        for _ in range(3):
            await client.send([get("/fixed")])
            await until(lambda: other.listener.waiting or other.count(200, "fixed"))
            ease(other)
            assert (await client.answer()).body == b"fixed"


async def test_a_request_that_waits_is_answered_before_a_drain_ends_its_connection(stage: Stage) -> None:
    async with Client(stage.port) as client:
        press(stage)
        await client.send([get("/fixed")])
        await until(lambda: stage.listener.waiting)
        stage.listener.drain()
        ease(stage)
        answer = await client.answer()
        assert (answer.body, answer.values("connection")) == (b"fixed", ["close"])


async def test_the_time_for_a_head_does_not_run_while_it_waits(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/fixed")[:10]])
        await until(lambda: any(end._heading for end in stage.ends))
        press(stage)
        await client.send([get("/fixed")[10:]])
        await until(lambda: stage.listener.waiting)
        stage.clock.advance(3600)
        stage.gateway.runtime.wheel.advance()
        ease(stage)
        assert (await client.answer()).body == b"fixed"
        await until(lambda: all(end._watch.deadline < float("inf") for end in stage.ends))
