"""The admin API of several processes, over real channels; the workers' ends are in this process."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest

from proxy.body import Body
from proxy.message import Response
from proxy.plugin import AdminRequest
from proxy.server.admin_routes import AdminRoutes
from proxy.server.channel import Channel
from proxy.server.crew import Crew, Member
from proxy.server.flows import Flows
from proxy.server.orders import Question, Reply
from proxy.server.relay import Relay

Handler = Callable[[AdminRequest], Awaitable[Response]]


class Workers:
    """Members with an answering end each."""

    def __init__(self) -> None:
        self.serving: list[Member] = []
        self.ends: list[Channel] = []

    async def add(self, handler: Handler) -> Member:
        """One more worker, which answers everything by this handler."""
        ours, theirs = socket.socketpair()
        index = len(self.serving)
        channel, end = await Channel.over(ours, f"worker {index}"), await Channel.over(theirs, "supervisor")
        routes = AdminRoutes()
        routes.route("GET", "thing", handler)
        routes.route("POST", "thing", handler)
        streams = Flows(end)

        async def ask(question: Question) -> Reply:
            found = routes.find(question.method, question.path)
            assert found is not None
            request = AdminRequest(question.method, question.path, dict(question.query), found[1], question.body)
            return await streams.answer(await found[0].handler(request))

        end.on("ask", ask)
        channel.listen()
        end.listen()
        member = Member(index, cast("Any", None), channel, ours, 0.0)
        self.serving.append(member)
        self.ends.append(end)
        return member

    async def close(self) -> None:
        """End them all."""
        for member, end in zip(self.serving, self.ends, strict=True):
            await member.channel.close()
            await end.close()


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    made = Workers()
    yield made
    await made.close()


async def own(_: AdminRequest) -> Response:
    return Response.json(200, {"own": True})


def relay(workers: Workers) -> Relay:
    made = Relay(cast("Crew", workers))
    made.own.route("GET", "mine", own)
    for member in workers.serving:
        made.welcome(member)
    return made


async def ask(made: Relay, path: str, method: str = "GET") -> Response:
    found = made.find(method, f"/api/v1/{path}")
    assert found is not None
    return await found[0].handler(AdminRequest(method, f"/api/v1/{path}", {}, {}, b""))


def says(value: Any, status: int = 200) -> Handler:
    async def handler(_: AdminRequest) -> Response:
        return Response.json(status, value)

    return handler


def content(response: Response) -> Any:
    return json.loads(response.body.data or b"")


async def test_figures_are_summed(workers: Workers) -> None:
    await workers.add(says({"connections": 2, "name": "x"}))
    await workers.add(says({"connections": 3, "name": "x"}))
    assert content(await ask(relay(workers), "thing")) == {"connections": 5, "name": "x"}


async def test_what_is_changed_is_changed_everywhere(workers: Workers) -> None:
    asked: list[int] = []

    def counts(number: int) -> Handler:
        async def handler(_: AdminRequest) -> Response:
            asked.append(number)
            return Response.json(200, {"done": True})

        return handler

    for number in (1, 2, 3):
        await workers.add(counts(number))
    assert content(await ask(relay(workers), "thing", "POST")) == {"done": True}
    assert sorted(asked) == [1, 2, 3]


async def test_one_that_refuses_is_the_answer(workers: Workers) -> None:
    await workers.add(says({"done": True}))
    await workers.add(says({"title": "Conflict"}, 409))
    response = await ask(relay(workers), "thing", "POST")
    assert (response.status, content(response)) == (409, {"title": "Conflict"})


async def test_the_supervisors_own_routes(workers: Workers) -> None:
    await workers.add(says({}))
    assert content(await ask(relay(workers), "mine")) == {"own": True}


async def test_without_a_worker_it_says_so(workers: Workers) -> None:
    response = await ask(relay(workers), "thing")
    assert response.status == 503
    assert response.headers["content-type"] == "application/problem+json"


async def test_one_that_died_is_left_out(workers: Workers) -> None:
    await workers.add(says({"connections": 2}))
    await workers.add(says({"connections": 3}))
    made = relay(workers)
    await workers.ends[0].close()
    assert content(await ask(made, "thing")) == {"connections": 3}


def streams(
    *pieces: bytes,
    gate: asyncio.Event | None = None,
    over: asyncio.Event | None = None,
    kind: str = "text/event-stream",
) -> Handler:
    async def flow() -> AsyncIterator[bytes]:
        try:
            for piece in pieces:
                yield piece
            if gate is not None:
                await gate.wait()
        finally:
            if over is not None:
                over.set()

    async def handler(_: AdminRequest) -> Response:
        return Response(200, {"content-type": kind}, Body.of(flow()))

    return handler


def counted(asked: list[AdminRequest], handler: Handler) -> Handler:
    async def counts(request: AdminRequest) -> Response:
        asked.append(request)
        return await handler(request)

    return counts


async def follow(workers: Workers, made: Relay, handler: Handler) -> Member:
    """A worker that comes later."""
    member = await workers.add(handler)
    made.welcome(member)
    return member


async def test_streams_are_joined(workers: Workers) -> None:
    await workers.add(streams(b"a1", b"a2"))
    await workers.add(streams(b"b1"))
    response = await ask(relay(workers), "thing")
    assert response.headers["content-type"] == "text/event-stream"
    assert sorted([piece async for piece in response.body]) == [b"a1", b"a2", b"b1"]


async def test_a_stream_that_nobody_reads_any_more_ends_at_the_worker(workers: Workers) -> None:
    gate, over = asyncio.Event(), asyncio.Event()
    await workers.add(streams(b"a1", gate=gate, over=over))
    response = await ask(relay(workers), "thing")
    pieces = aiter(response.body)
    assert await anext(pieces) == b"a1"
    await pieces.aclose()  # type: ignore[attr-defined]  # what iterates over a generated body is a generator
    async with asyncio.timeout(5):
        await over.wait()


async def test_a_stream_goes_on_without_a_worker_that_died(workers: Workers) -> None:
    await workers.add(streams(b"a1", gate=asyncio.Event(), kind="text/plain"))
    await workers.add(streams(b"b1", kind="text/plain"))
    made = relay(workers)
    response = await ask(made, "thing")
    pieces = aiter(response.body)
    assert {await anext(pieces), await anext(pieces)} == {b"a1", b"b1"}
    made.forget(workers.serving[0])
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


async def test_events_go_on_with_the_successor_of_the_last_one_that_died(workers: Workers) -> None:
    dead = await workers.add(streams(b"a1", gate=asyncio.Event()))
    made = relay(workers)
    response = await ask(made, "thing")
    pieces = aiter(response.body)
    assert await anext(pieces) == b"a1"
    made.forget(dead)
    next_piece = asyncio.ensure_future(anext(pieces))
    await made.join(await follow(workers, made, streams(b"b1")), ())
    assert await next_piece == b"b1"
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)  # this one has said all that there is


async def test_a_part_that_was_begun_with_the_worker_itself_is_not_asked_for_again(workers: Workers) -> None:
    dead = await workers.add(streams(gate=asyncio.Event()))
    made = relay(workers)
    response = await ask(made, "thing")
    made.forget(dead)
    asked: list[AdminRequest] = []
    late = await follow(workers, made, counted(asked, streams(b"b1")))
    flows = made.open()
    reply = await late.channel.ask("ask", flows[0].question)
    await made.join(late, [(flows[0], reply)])
    assert [piece async for piece in response.body] == [b"b1"]
    assert len(asked) == 1


async def test_who_comes_up_while_a_stream_begins_has_a_part_in_it_too(workers: Workers) -> None:
    begun, going = asyncio.Event(), asyncio.Event()

    async def slow(request: AdminRequest) -> Response:
        begun.set()
        await going.wait()
        return await streams(b"a1")(request)

    await workers.add(slow)
    made = relay(workers)
    asking = asyncio.ensure_future(ask(made, "thing"))
    await begun.wait()
    late = await follow(workers, made, streams(b"b1"))
    await made.join(late, ())  # there is no stream yet that it could join
    going.set()
    pieces = aiter((await asking).body)
    assert sorted([await anext(pieces), await anext(pieces)]) == [b"a1", b"b1"]


async def test_a_worker_has_one_part_however_often_it_is_asked(workers: Workers) -> None:
    over = asyncio.Event()
    member = await workers.add(streams(b"a1", gate=asyncio.Event(), over=over))
    made = relay(workers)
    response = await ask(made, "thing")
    pieces = aiter(response.body)
    assert await anext(pieces) == b"a1"
    flow = made.open()[0]
    first = flow.parts[member]
    await made.join(member, [(flow, await member.channel.ask("ask", flow.question))])
    assert flow.parts == {member: first}
    await pieces.aclose()  # type: ignore[attr-defined]  # what iterates over a generated body is a generator
    async with asyncio.timeout(5):
        await over.wait()


async def test_events_end_with_the_server(workers: Workers) -> None:
    dead = await workers.add(streams(b"a1", gate=asyncio.Event()))
    made = relay(workers)
    pieces = aiter((await ask(made, "thing")).body)
    assert await anext(pieces) == b"a1"
    made.forget(dead)
    made.close()
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)
    assert made.open() == []


async def test_a_slow_reader_loses_pieces_and_is_told(workers: Workers) -> None:
    count = 2000
    await workers.add(streams(*(b"x" for _ in range(count))))
    made = relay(workers)
    response = await ask(made, "thing")
    pieces = aiter(response.body)
    first = await anext(pieces)
    while any(flow.parts for flow in made._flows):  # until the worker's part has ended, unread
        await asyncio.sleep(0)
    rest = [piece async for piece in pieces]
    assert first == b"x"
    assert len(rest) < count
    assert any(b"pieces were lost" in piece for piece in rest)
