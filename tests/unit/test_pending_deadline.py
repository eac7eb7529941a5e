"""Hooks that still wait when the exchange's time is over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy import pending
from proxy.errors import DeadlinePassed
from proxy.exchange import Exchange
from proxy.message import Response
from proxy.waiting import Later
from tests.unit.stage import Acting, Gate, Stage


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hook has beyond the deadline is a moment."""
    monkeypatch.setattr(pending, "_SLACK", 0.02)


async def begun(plugin: Acting, *, by: float) -> tuple[Stage, Exchange]:
    """An exchange whose time ends so many seconds after its start, begun and, where it came so far, answered."""
    stage = Stage(plugin)
    x = stage.exchange()
    x.deadline = stage.engine.clock.monotonic() + by
    stage.engine.begin(x)
    if stage.upstream.tries:
        stage.upstream.tries[0].answer()
    return stage, x


@pytest.mark.parametrize("hook", ["on_request", "on_attempt", "on_response"])
async def test_it_is_cancelled_and_the_client_is_told(hook: str, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    plugin = Acting(**{hook: gate})
    stage, x = await begun(plugin, by=0)
    await stage.rest()
    assert gate.cancelled
    assert [answer.status for answer in stage.client.delivered] == [504]
    assert isinstance(x.error, DeadlinePassed)
    assert "plugin p0 still waited" in caplog.text
    x.delivered()
    assert plugin.completed == [x]
    assert stage.engine.active == 0


async def test_what_resumes_by_itself_is_not_waited_for_longer() -> None:
    later: Later[Response | None] = Later()
    stage, _ = await begun(Acting(on_request=lambda x: later), by=0)
    await stage.rest()
    assert later.dropped
    assert [answer.status for answer in stage.client.delivered] == [504]


async def test_what_it_gives_although_it_was_cancelled_goes_nowhere() -> None:
    given = Response.text(200, "too late")

    async def stubborn(exchange: Exchange) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return given

    stage, _ = await begun(Acting(on_request=stubborn), by=0)
    await stage.rest()
    assert [answer.status for answer in stage.client.delivered] == [504]
    assert stage.upstream.tries == []


async def test_a_hook_that_comes_in_time_is_let_go_on() -> None:
    gate = Gate(lambda x: Response.text(418, "tea"))
    stage, _ = await begun(Acting(on_request=gate), by=1000)
    gate.open.set()
    await stage.rest()
    assert [answer.status for answer in stage.client.delivered] == [418]


async def test_a_client_that_leaves_before_has_left() -> None:
    gate = Gate()
    plugin = Acting(on_request=gate)
    stage, x = await begun(plugin, by=1000)
    await asyncio.wait_for(gate.reached.wait(), 5)
    x.left()
    await stage.rest()
    assert stage.client.delivered == []
    assert stage.counted() == {("test", "499"): 1}
