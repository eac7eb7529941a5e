"""What came in a turn of the loop in which others sent too is worked on at its end, and neither twice nor never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest
import pytest_asyncio

from proxy.errors import UpstreamReset
from tests.unit.frontend.stage import Holding, Stage, get, staged, until
from tests.wire.client import Client

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest_asyncio.fixture
async def crowded() -> AsyncIterator[Stage]:
    """A gateway whose last turn had many to serve."""
    async with staged() as stage:
        stage.gateway.runtime.flusher.crowd = True
        yield stage


@asynccontextmanager
async def asking(stage: Stage, holding: Holding) -> AsyncIterator[tuple[Client, Any]]:
    """A client that waits for an answer of the upstream, and the connection to that; then many to serve."""
    stage.script("/held", holding)
    async with Client(stage.port) as client:
        await client.send([get("/held")])
        await until(lambda: holding.asked)
        (connection,) = stage.gateway.runtime.connector._opened
        stage.gateway.runtime.flusher.crowd = True
        yield client, connection


@pytest_asyncio.fixture
async def asked(crowded: Stage) -> AsyncIterator[tuple[Stage, Client, Any]]:
    """One whose upstream was asked by one client and says nothing; with the connection to it."""
    holding = Holding()
    async with asking(crowded, holding) as (client, connection):
        yield crowded, client, connection
        holding.let_go()


async def test_requests_begin_at_the_end_of_the_turn(crowded: Stage) -> None:
    async with Client(crowded.port) as one, Client(crowded.port) as other:
        await until(lambda: len(crowded.ends) == 2)
        for end in crowded.ends:
            end.data_received(get("/fixed"))
        assert crowded.count(200, "fixed") == 0
        assert [(await client.answer()).body for client in (one, other)] == [b"fixed", b"fixed"]
        assert crowded.count(200, "fixed") == 2


async def test_a_head_that_comes_in_two_pieces_of_a_turn_begins_once(crowded: Stage) -> None:
    async with Client(crowded.port) as client:
        await until(lambda: crowded.ends)
        whole = get("/fixed")
        crowded.ends[0].data_received(whole[:20])
        crowded.ends[0].data_received(whole[20:])
        assert (await client.answer()).body == b"fixed"
        await asyncio.sleep(0)
        assert crowded.count(200, "fixed") == 1


async def test_a_connection_that_is_drained_answers_what_came_before(crowded: Stage) -> None:
    async with Client(crowded.port) as client:
        await until(lambda: crowded.ends)
        crowded.ends[0].data_received(get("/fixed"))
        crowded.ends[0].close()
        assert (await client.answer()).body == b"fixed"


async def test_a_connection_that_is_drained_and_sent_nothing_but_an_empty_line_ends(crowded: Stage) -> None:
    async with Client(crowded.port) as client:
        await until(lambda: crowded.ends)
        crowded.ends[0].data_received(b"\r\n")
        crowded.listener.drain()
        await client.closed()


_WHOSE: ContextVar[str] = ContextVar("_WHOSE", default="nobody's")


async def test_what_a_task_has_set_for_itself_is_not_seen_by_the_requests_of_its_turn(
    crowded: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, seen = crowded.gateway.engine.begin, list[str]()

    def watched(exchange: Any) -> None:
        seen.append(_WHOSE.get())
        begin(exchange)

    monkeypatch.setattr(crowded.gateway.engine, "begin", watched)
    async with Client(crowded.port) as client:
        await until(lambda: crowded.ends)
        _WHOSE.set("a task's")
        crowded.ends[0].data_received(get("/fixed"))
        assert (await client.answer()).body == b"fixed"
        assert seen == ["nobody's"]


async def test_a_client_that_closes_its_side_in_that_turn_is_answered_what_can_be_at_once(crowded: Stage) -> None:
    async with Client(crowded.port) as client:
        await until(lambda: crowded.ends)
        (end,) = crowded.ends
        end.data_received(get("/fixed"))
        end.eof_received()
        assert (await client.answer()).body == b"fixed"


async def test_a_client_that_is_gone_by_then_asks_nothing(crowded: Stage) -> None:
    async with Client(crowded.port):
        await until(lambda: crowded.ends)
        (end,) = crowded.ends
        end.data_received(get("/fixed"))
        end.abort()
        end.connection_lost(None)
        await until(lambda: not crowded.ends)
        await asyncio.sleep(0)
        assert (crowded.count(200, "fixed"), crowded.gateway.engine.active) == (0, 0)


async def test_an_answer_in_two_pieces_of_a_turn_is_one(asked: tuple[Stage, Client, Any]) -> None:
    _, client, connection = asked
    connection.data_received(OK[:20])
    connection.data_received(OK[20:])
    assert (await client.answer()).body == b"ok"


async def test_a_body_behind_a_head_that_is_put_right_is_left_alone() -> None:
    holding, body = Holding(), b"of a body:\nx: \x01\n\nas it came"
    async with staged(upstream="strict: false") as stage, asking(stage, holding) as (client, connection):
        connection.data_received(b"HTTP/1.1 200 OK\nContent-Length: %d\n\n" % len(body) + body[:4])
        connection.data_received(body[4:])
        holding.let_go()
        assert (await client.answer()).body == body


async def test_an_answer_counts_before_what_befalls_its_connection_afterwards(
    asked: tuple[Stage, Client, Any],
) -> None:
    stage, client, connection = asked
    connection.data_received(OK)
    connection.fail(UpstreamReset("writing failed"))
    answer = await client.answer()
    assert (answer.status, answer.body) == (200, b"ok")
    assert stage.figure_of("passerelle_upstream_failures_total") == 0


async def test_what_befalls_a_connection_behind_an_answer_does_not_befall_the_next_try_on_it() -> None:
    holding = Holding()
    retries = "retry: {attempts: 1, backoff: false, on: [503]}"
    async with staged(upstream=retries) as stage, asking(stage, holding) as (client, connection):
        connection.data_received(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        connection.fail(UpstreamReset("writing failed"))
        holding.let_go(2)
        answer = await client.answer()
        assert (answer.status, stage.pool.created, connection.uses) == (200, 1, 2)


async def test_an_answer_that_breaks_off_in_the_turn_in_which_it_came_is_a_bad_gateway(
    asked: tuple[Stage, Client, Any],
) -> None:
    _, client, connection = asked
    connection.data_received(OK[:20])
    connection.fail(UpstreamReset("writing failed"))
    assert (await client.answer()).status == 502


async def test_an_answer_to_a_client_that_is_gone_by_then_goes_nowhere(asked: tuple[Stage, Client, Any]) -> None:
    stage, _, connection = asked
    connection.data_received(OK)
    stage.ends[0].abort()
    stage.ends[0].connection_lost(None)
    await until(lambda: not stage.pool.open)
    assert (stage.gateway.engine.active, stage.count(200)) == (0, 0)


async def test_what_nobody_asked_for_ends_its_connection_at_once(asked: tuple[Stage, Client, Any]) -> None:
    stage, client, connection = asked
    connection.data_received(OK)
    assert (await client.answer()).body == b"ok"
    stage.gateway.runtime.flusher.crowd = True
    connection.data_received(OK)
    assert stage.pool.open == 0


class _Odd(BaseException):
    """What no library should raise."""


@pytest.mark.parametrize("kind", [RuntimeError, asyncio.CancelledError, SystemExit, _Odd])
async def test_work_that_fails_ends_its_own_connection_alone(
    crowded: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    begin = crowded.gateway.engine.begin

    def breaks(exchange: Any) -> None:
        if exchange.request.path == "/broken":
            raise kind("a defect of ours")
        begin(exchange)

    monkeypatch.setattr(crowded.gateway.engine, "begin", breaks)
    async with Client(crowded.port) as one:
        await until(lambda: crowded.ends)
        (first,) = crowded.ends
        async with Client(crowded.port) as other:
            await until(lambda: len(crowded.ends) == 2)
            first.data_received(get("/broken"))
            next(end for end in crowded.ends if end is not first).data_received(get("/fixed"))
            assert (await other.answer()).body == b"fixed"
            await one.closed()
            assert "a defect of ours" in caplog.text
