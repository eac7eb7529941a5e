"""Hooks that give a Later: the exchange is resumed by it, and no task is made."""

from __future__ import annotations

import asyncio

import pytest

from proxy.exchange import Exchange, Phase
from proxy.message import Response
from proxy.waiting import Later
from tests.unit.stage import Acting, Stage


def begun(hook: str, later: Later[Response | None]) -> tuple[Stage, Acting, Exchange]:
    plugin = Acting(**{hook: lambda x: later})
    stage = Stage(plugin)
    x = stage.begin()
    if hook == "on_response":
        stage.upstream.tries[0].answer()
    return stage, plugin, x


async def test_it_goes_on_at_once_and_without_a_task() -> None:
    later: Later[Response | None] = Later()
    before = asyncio.all_tasks()
    stage, _, x = begun("on_response", later)
    assert stage.client.delivered == []
    assert asyncio.all_tasks() == before
    later.give(None)
    assert [answer.status for answer in stage.client.delivered] == [200]
    assert x.task is None


async def test_what_it_gives_is_the_hooks_answer() -> None:
    later: Later[Response | None] = Later()
    stage, _, _ = begun("on_request", later)
    later.give(Response.text(418, "tea"))
    assert [answer.status for answer in stage.client.delivered] == [418]
    assert stage.upstream.tries == []


async def test_what_it_fails_by_is_the_hooks_failure() -> None:
    later: Later[Response | None] = Later()
    stage, _, _ = begun("on_response", later)
    later.fail(ValueError("oh"))
    assert [answer.status for answer in stage.client.delivered] == [500]
    assert [event.type for event in stage.events] == ["plugin.error"]


@pytest.mark.parametrize("hook", ["on_request", "on_attempt", "on_response"])
async def test_a_client_that_leaves_ends_it(hook: str) -> None:
    later: Later[Response | None] = Later()
    stage, plugin, x = begun(hook, later)
    x.left()
    assert later.dropped
    assert x.phase is Phase.DONE
    assert plugin.completed == [x]
    assert stage.engine.active == 0
    later.give(None)
    assert stage.client.delivered == []
    assert plugin.completed == [x]
    assert stage.counted() == {("test", "499"): 1}


async def test_a_detached_exchange_waits_on() -> None:
    later: Later[Response | None] = Later()
    stage, plugin, x = begun("on_response", later)
    x.detach()
    x.left()
    assert not later.dropped
    later.give(None)
    stage.upstream.tries[0].end()
    await stage.rest()
    assert plugin.completed == [x]


async def test_one_after_another_and_behind_a_hook_that_is_a_coroutine() -> None:
    first: Later[None] = Later()
    second: Later[None] = Later()
    reached = asyncio.Event()

    async def waits(exchange: Exchange) -> None:
        reached.set()

    stage = Stage(Acting(on_response=lambda x: second), Acting(on_response=waits), Acting(on_response=lambda x: first))
    x = stage.begin()
    stage.upstream.tries[0].answer()
    first.give(None)
    await asyncio.wait_for(reached.wait(), 5)
    await asyncio.sleep(0)
    second.give(None)
    await stage.rest()
    assert [answer.status for answer in stage.client.delivered] == [200]
    assert x.task is None


async def test_a_client_that_leaves_one_behind_a_coroutine() -> None:
    later: Later[None] = Later()
    reached = asyncio.Event()

    async def waits(exchange: Exchange) -> None:
        reached.set()

    plugin = Acting(on_response=lambda x: later)
    stage = Stage(plugin, Acting(on_response=waits))
    x = stage.begin()
    stage.upstream.tries[0].answer()
    await asyncio.wait_for(reached.wait(), 5)
    await asyncio.sleep(0)
    x.left()
    await stage.rest()
    assert later.dropped
    assert plugin.completed == [x]
    assert stage.engine.active == 0
