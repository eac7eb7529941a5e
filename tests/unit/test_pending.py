"""Exchanges that wait: who may leave when, and what is refused or passed on meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.errors import BadRequest, ClientLeft, UpstreamReset
from proxy.exchange import Exchange, Phase
from proxy.message import Response
from proxy.stream import Stream
from tests.unit.stage import Acting, Gate, Stage


async def waiting(hook: str) -> tuple[Stage, Acting, Gate, Exchange]:
    gate = Gate()
    plugin = Acting(**{hook: gate})
    stage = Stage(plugin)
    x = stage.begin()
    if hook == "on_response":
        stage.upstream.tries[0].answer()
    await asyncio.wait_for(gate.reached.wait(), 5)
    return stage, plugin, gate, x


# ---- leaving ----


@pytest.mark.parametrize("hook", ["on_request", "on_attempt", "on_response"])
async def test_a_client_that_leaves_ends_a_hook_that_waits(hook: str) -> None:
    stage, plugin, gate, x = await waiting(hook)
    x.left()
    assert x.phase is not Phase.DONE
    await stage.rest()
    assert gate.cancelled
    assert plugin.completed == [x]
    assert stage.client.delivered == []
    assert stage.engine.active == 0
    assert stage.counted() == {("test", "499"): 1}
    assert stage.events == []
    assert all(attempt.cancelled for attempt in stage.upstream.tries)


async def test_a_client_that_leaves_before_the_hook_began_to_wait() -> None:
    begun: list[bool] = []

    async def hook(exchange: Exchange) -> None:
        begun.append(True)

    plugin = Acting(on_request=hook)
    stage = Stage(plugin)
    x = stage.begin()
    x.left()
    await stage.rest()
    assert begun == []
    assert plugin.completed == [x]
    assert stage.engine.active == 0


async def test_a_client_that_leaves_while_a_future_is_waited_for() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    plugin = Acting(on_request=lambda x: future)
    stage = Stage(plugin)
    x = stage.begin()
    await asyncio.sleep(0)
    x.left()
    await stage.rest()
    assert future.cancelled()
    assert plugin.completed == [x]


async def test_a_client_that_leaves_while_the_upstream_works() -> None:
    plugin = Acting()
    stage = Stage(plugin)
    x = stage.begin()
    x.left()
    assert x.phase is Phase.DONE
    assert stage.upstream.tries[0].cancelled
    assert plugin.completed == [x]
    assert stage.tasks == []
    x.left()
    x.delivered()
    assert plugin.completed == [x]
    assert stage.counted() == {("test", "499"): 1}


async def test_a_client_that_leaves_in_the_middle_of_the_answer() -> None:
    stage = Stage(Acting())
    x = stage.begin()
    stage.upstream.tries[0].answer().feed(b"half")
    x.left()
    assert stage.upstream.tries[0].cancelled
    assert stage.counted() == {("test", "499"): 1}
    assert isinstance(x.error, ClientLeft)


async def test_what_the_ends_say_after_the_end_is_not_heard() -> None:
    stage = Stage()
    x = stage.begin()
    x.left()
    late = Stream(stage.upstream.tries[0], None)
    x.informed(Response(103))
    x.answered(Response(200, {}, late))
    x.failed(UpstreamReset("late"))
    assert stage.client.delivered == []
    assert stage.client.informs == []
    assert late.ended
    assert stage.engine.active == 0


@pytest.mark.parametrize(
    "gives", [None, Response.text(200, "too late"), ValueError("clean-up"), ClientLeft("gone"), "nonsense"]
)
async def test_a_hook_that_keeps_its_cancellation_to_itself_does_not_go_on(gives: object) -> None:
    reached = asyncio.Event()

    async def stubborn(exchange: Exchange) -> Any:
        reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if isinstance(gives, Exception):
                raise gives from None
            return gives

    plugin = Acting(on_request=stubborn)
    stage = Stage(plugin)
    x = stage.begin()
    await asyncio.wait_for(reached.wait(), 5)
    x.left()
    await stage.rest()
    assert stage.upstream.tries == []
    assert stage.client.delivered == []
    assert plugin.completed == [x]
    assert stage.counted() == {("test", "499"): 1}
    assert [event.type for event in stage.events] == ["plugin.error"] * isinstance(gives, ValueError)


async def test_a_deadline_of_a_hooks_own_is_no_leaving() -> None:
    async def hook(exchange: Exchange) -> Response | None:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return Response.text(504, "slow")
        return None

    stage = Stage(Acting(on_request=hook))
    stage.begin()
    await stage.rest()
    assert [response.status for response in stage.client.delivered] == [504]


# ---- interim answers, refusals ----


async def test_interim_answers_pass_while_the_upstream_works() -> None:
    stage = Stage()
    x = stage.begin()
    x.informed(Response(103))
    stage.upstream.tries[0].answer()
    x.informed(Response(103))
    assert stage.client.informs == [103]


async def test_no_route_is_a_404_through_the_common_chain() -> None:
    plugin = Acting(on_response=lambda x: Response.text(404, f"nothing at {x.request.path}"))
    stage = Stage(plugin)
    x = stage.begin("/b")
    assert x.route == ""
    assert await stage.client.delivered[0].body.read(100) == b"nothing at /b"
    x.delivered()
    assert stage.counted() == {("", "404"): 1}


async def test_a_refused_request_is_answered_through_the_common_chain_without_a_hook_on_the_way_in() -> None:
    seen: list[str] = []
    stage = Stage(Acting(on_request=lambda x: seen.append("in"), on_response=lambda x: seen.append("out")))
    x = stage.exchange()
    stage.engine.refuse(x, BadRequest("malformed"))
    assert seen == ["out"]
    assert stage.client.delivered[0].status == 400
    x.delivered()
    assert stage.counted() == {("", "400"): 1}


async def test_a_target_that_no_route_can_read_is_refused_through_the_common_chain() -> None:
    seen: list[str] = []
    stage = Stage(Acting(on_request=lambda x: seen.append("in"), on_response=lambda x: seen.append("out")))
    x = stage.begin("/a/../../b")
    assert (seen, x.route) == (["out"], "")
    assert stage.client.delivered[0].status == 400


async def test_what_nobody_listens_to_is_not_told_but_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(exchange: Exchange) -> None:
        raise ValueError("only for the log")

    stage = Stage(Acting(on_request=fail))
    stage.leave_bus()
    stage.begin()
    assert stage.events == []
    assert "only for the log" in caplog.text
    assert stage.client.delivered[0].status == 500


async def test_an_exchange_that_has_not_begun_has_no_driver() -> None:
    with pytest.raises(RuntimeError, match="has not begun"):
        Stage().exchange().left()
