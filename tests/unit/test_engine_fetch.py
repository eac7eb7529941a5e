"""What goes on without a client: answers that are drained for nobody, and what plugins fetch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from math import inf
from typing import Any

import pytest

from proxy.errors import ClientLeft, UpstreamReset
from proxy.exchange import Exchange, Phase
from proxy.message import Request, Response
from proxy.waiting import Later
from tests.unit.stage import Acting, Gate, Hook, Stage


async def test_a_detached_answer_flows_on_although_its_client_has_left() -> None:
    plugin = Acting(on_response=lambda x: x.detach())
    stage = Stage(plugin)
    x = stage.begin()
    stream = stage.upstream.tries[0].answer()
    x.left()
    assert x.phase is Phase.DELIVER
    assert not stage.upstream.tries[0].cancelled
    stream.feed(b"rest")
    stage.upstream.tries[0].end()
    x.delivered(ClientLeft("the client left"))
    assert plugin.completed == [x]
    assert stage.counted() == {("test", "499"): 1}


async def kept(parts: AsyncIterator[bytes], into: list[bytes]) -> AsyncIterator[bytes]:
    async for part in parts:
        into.append(part)
        yield part


def filling(into: list[bytes]) -> Hook:
    """What a cache does: keep what passes."""

    def hook(exchange: Exchange) -> Response:
        answer = exchange.response
        assert answer is not None
        return Response(answer.status, answer.headers, answer.body.through(lambda parts: kept(parts, into)))

    return hook


@pytest.mark.parametrize("left_at", ["on_request", "upstream", "on_response"])
async def test_a_detached_answer_is_drained_also_when_its_client_left_before_it_began(left_at: str) -> None:
    into: list[bytes] = []
    gate = Gate()

    def detach(exchange: Exchange) -> Awaitable[Any] | None:
        exchange.detach()
        return gate(exchange) if left_at == "on_request" else None

    slow = {"on_response": gate} if left_at == "on_response" else {}
    plugin = Acting(on_request=detach, on_response=filling(into))
    stage = Stage(plugin, Acting(**slow))
    x = stage.begin()
    if left_at == "on_request":
        await asyncio.wait_for(gate.reached.wait(), 5)
        x.left()
        gate.open.set()
        await stage.rest()
    if left_at == "upstream":
        x.left()
    attempt = stage.upstream.tries[0]
    stream = attempt.answer()
    if left_at == "on_response":
        await asyncio.wait_for(gate.reached.wait(), 5)
        x.left()
        gate.open.set()
    stream.feed(b"one")
    x.informed(Response(103))
    await asyncio.sleep(0)
    stream.feed(b"two")
    attempt.end()
    await stage.rest()
    assert into == [b"one", b"two"]
    assert not attempt.cancelled
    assert plugin.completed == [x]
    assert stage.client.delivered == []
    assert stage.counted() == {("test", "499"): 1}


async def test_interim_answers_of_a_detached_exchange_are_told_to_nobody() -> None:
    stage = Stage(Acting(on_request=lambda x: x.detach()))
    x = stage.begin()
    x.left()
    x.informed(Response(103))
    stage.upstream.tries[0].answer()
    stage.upstream.tries[0].end()
    assert stage.client.informs == []
    assert stage.engine.active == 0


async def test_a_detached_answer_that_breaks_off_ends_the_exchange() -> None:
    stage = Stage(Acting(on_request=lambda x: x.detach()))
    x = stage.begin()
    x.left()
    stream = stage.upstream.tries[0].answer()
    x.attempt = None
    stream.fail(UpstreamReset("gone"))
    assert x.phase is Phase.DONE
    assert stage.engine.active == 0


# ---- fetch ----


def fetching(then: Callable[[Response], Awaitable[Any]]) -> Hook:
    async def hook(exchange: Exchange) -> Any:
        if exchange.parent is not None:
            return None
        return await then(await exchange.fetch(Request("GET", "/a/other")))

    return hook


async def whole(response: Response) -> Response:
    return Response(200, {}, b"got " + await response.body.read(1000))


@pytest.mark.parametrize("hook", ["on_request", "on_response"])
async def test_what_is_fetched_passes_the_plugins_further_in_alone(hook: str) -> None:
    outer, asking, inner = Acting(), Acting(**{hook: fetching(whole)}), Acting()
    stage = Stage(outer, asking, inner)
    x = stage.begin()
    if hook == "on_response":
        stage.upstream.tries[0].answer()
        stage.upstream.tries[0].end()
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[-1]
    child = attempt.exchange
    assert (child.parent, child.request.target, child.route) == (x, "/a/other", "test")
    attempt.answer().feed(b"it")
    attempt.end()
    await stage.rest()
    assert stage.client.delivered[0].body.data == b"got it"
    x.delivered()
    assert inner.completed == [child, x]
    assert asking.completed == outer.completed == [x]
    assert stage.engine.active == 0
    assert stage.counted() == {("test", "200"): 1}


@pytest.mark.parametrize("hook", ["on_request", "on_attempt", "on_response"])
@pytest.mark.parametrize("others", [lambda: None, Later], ids=["at once", "later"])
async def test_the_place_of_a_fetch_is_that_of_the_hook_that_asks(hook: str, others: Callable[..., Any]) -> None:
    """A hook that does not wait has the awaitable made where it stands, whatever the hooks around it do."""
    asked: list[Awaitable[Response]] = []
    places: list[int] = []

    def ask(x: Exchange) -> None:
        if x.parent is None:
            places.append(x.place)
            asked.append(x.fetch(Request("GET", "/a/other")))

    def around(x: Exchange) -> Any:
        waits = others()
        if waits is not None:
            waits.give(None)
        return waits

    plugins = Acting(**{hook: around}), Acting(**{hook: ask}), Acting(**{hook: around}), Acting(**{hook: ask})
    stage = Stage(*plugins)
    stage.begin()
    if hook == "on_response":
        stage.upstream.tries[0].answer()
    assert sorted(places) == [1, 3]
    fetched = [asyncio.ensure_future(one) for one in asked]
    await asyncio.sleep(0)
    for attempt in stage.upstream.tries[-2:]:
        attempt.answer()
        attempt.end()
    for one in fetched:
        await (await one).body.read(10)
    assert [len(plugin.completed) for plugin in plugins] == [0, 0, 1, 1]


async def test_a_hook_at_the_end_fetches_from_its_own_place() -> None:
    class Asking(Acting):
        def on_complete(self, exchange: Exchange) -> None:
            super().on_complete(exchange)
            if exchange.parent is None:
                asked.append(exchange.fetch(Request("GET", "/a/other")))

    asked: list[Awaitable[Response]] = []
    outer, asking, inner = Acting(), Asking(), Acting()
    stage = Stage(outer, asking, inner)
    x = stage.begin()
    stage.upstream.tries[0].answer()
    stage.upstream.tries[0].end()
    x.delivered()
    fetched = asyncio.ensure_future(asked[0])
    await asyncio.sleep(0)
    stage.upstream.tries[1].answer()
    stage.upstream.tries[1].end()
    await (await fetched).body.read(10)
    assert [len(plugin.completed) for plugin in (outer, asking, inner)] == [1, 1, 2]


async def test_what_is_fetched_ends_when_it_is_closed() -> None:
    async def close(response: Response) -> None:
        response.close()

    inner = Acting()
    stage = Stage(Acting(on_request=fetching(close)), inner)
    x = stage.begin()
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[0]
    attempt.answer()
    await stage.rest()
    assert attempt.cancelled
    assert inner.completed == [attempt.exchange]
    assert len(stage.upstream.tries) == 2
    x.left()
    assert stage.engine.active == 0


async def test_what_is_fetched_and_left_unread_ends_with_the_upstreams_last_byte() -> None:
    async def keep(response: Response) -> None:
        return None

    stage = Stage(Acting(on_request=fetching(keep)))
    x = stage.begin()
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[0]
    attempt.answer().feed(b"never read")
    await stage.rest()
    assert stage.engine.active == 2
    attempt.end()
    assert stage.engine.active == 1
    x.left()
    assert stage.engine.active == 0


async def test_an_error_is_an_answer_to_who_fetches() -> None:
    stage = Stage(Acting(on_request=fetching(whole)))
    stage.begin()
    await asyncio.sleep(0)
    stage.upstream.tries[0].exchange.failed(UpstreamReset("gone"))
    await stage.rest()
    assert b"upstream_reset" in (stage.client.delivered[0].body.data or b"")


async def test_interim_answers_are_not_for_who_fetches() -> None:
    stage = Stage(Acting(on_request=fetching(whole)))
    stage.begin()
    await asyncio.sleep(0)
    stage.upstream.tries[0].exchange.informed(Response(103))
    assert stage.client.informs == []
    stage.upstream.tries[0].answer()
    stage.upstream.tries[0].end()
    await stage.rest()
    assert stage.client.delivered[0].body.data == b"got "


@pytest.mark.parametrize("answered", [False, True])
async def test_a_client_that_leaves_ends_what_is_fetched_for_it(answered: bool) -> None:
    inner = Acting()
    stage = Stage(Acting(on_request=fetching(whole)), inner)
    x = stage.begin()
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[0]
    if answered:
        attempt.answer()
    x.left()
    await stage.rest()
    assert attempt.cancelled
    assert inner.completed == [attempt.exchange, x]
    assert stage.engine.active == 0
    assert stage.counted() == {("test", "499"): 1}


async def test_an_answer_for_who_has_stopped_fetching_is_let_go() -> None:
    gate = Gate()
    stage = Stage(Acting(on_request=fetching(whole)), Acting(on_response=gate))
    x = stage.begin()
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[0]
    attempt.answer()
    await asyncio.wait_for(gate.reached.wait(), 5)
    x.left()
    await stage.rest()
    assert attempt.cancelled
    assert gate.cancelled
    assert stage.engine.active == 0


async def test_what_is_fetched_in_the_background_outlives_its_exchange() -> None:
    background: list[asyncio.Task[Response]] = []
    diary: list[bytes] = []

    async def revalidate(fetched: Awaitable[Response]) -> Response:
        response = await fetched
        diary.append(await response.body.read(100))
        return response

    def hook(exchange: Exchange) -> Response | None:
        if exchange.parent is None:
            fetched = exchange.fetch(Request("GET", "/a/fresh"))
            background.append(asyncio.create_task(revalidate(fetched)))
        return Response.text(200, "stale")

    inner = Acting()
    stage = Stage(Acting(on_request=hook), inner)
    x = stage.begin()
    x.delivered()
    assert x.phase is Phase.DONE
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[0]
    attempt.answer().feed(b"fresh")
    attempt.end()
    await asyncio.wait_for(background[0], 5)
    assert diary == [b"fresh"]
    assert inner.completed == [x, attempt.exchange]
    assert stage.engine.active == 0


async def test_a_hook_that_fetches_and_raises_is_a_500() -> None:
    async def fail(response: Response) -> None:
        response.close()
        raise ValueError("not what was expected")

    stage = Stage(Acting(on_request=fetching(fail)))
    x = stage.begin()
    await asyncio.sleep(0)
    stage.upstream.tries[0].answer()
    await stage.rest()
    assert stage.client.delivered[0].status == 500
    x.delivered()
    assert stage.engine.active == 0


async def test_what_is_fetched_ends_with_the_exchange_it_is_for() -> None:
    """Afterwards, for a revalidation, there is no deadline but that of the route, and here it has none."""
    stage = Stage(Acting())
    x = stage.begin()
    x.deadline = 1234.5
    tasks = [asyncio.ensure_future(x.fetch(Request("GET", "/a/")))]
    await asyncio.sleep(0)
    stage.upstream.tries[0].answer()
    stage.upstream.tries[0].end()
    x.delivered()
    tasks.append(asyncio.ensure_future(x.fetch(Request("GET", "/a/"))))
    await asyncio.sleep(0)
    assert [attempt.exchange.deadline for attempt in stage.upstream.tries[1:]] == [1234.5, inf]
    for attempt in stage.upstream.tries[1:]:
        attempt.answer()
        attempt.end()
    assert [(await task).status for task in tasks] == [200, 200]
