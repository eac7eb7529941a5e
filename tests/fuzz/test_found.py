"""What fuzzing found and the corpus cannot say, because time or segments make it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.fuzz.memory import MemoryClient, Stage, staged
from tests.fuzz.requests_play import Sent, play


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    """A gateway in memory."""
    async with staged() as one:
        yield one


async def test_half_an_empty_line_starts_no_head(stage: Stage) -> None:
    """It started the clock of a head that never came: a 408 after ten seconds of idleness."""
    await play(stage, Sent((b"\r", b"\n")))


async def test_empty_lines_are_ignored_however_they_are_split(stage: Stage) -> None:
    """In one segment two of them were refused, in two segments they were not."""
    request = b"GET /a HTTP/1.1\r\nHost: example.test\r\n\r\n"
    for pieces in ((b"\r\n\r\n" + request,), (b"\r\n", b"\r\n", request), (b"\r\n\r", b"\n" + request)):
        await play(stage, Sent(pieces))


async def test_many_empty_lines_cost_one_pass(stage: Stage) -> None:
    client = MemoryClient(stage)
    client.transport.feed(b"\r\n" * 500_000)  # a copy for each of them would take minutes
    await stage.settle()
    assert client.data == b""
    client.transport.reset()


async def exchange(stage: Stage, *, expect: str, continues: bool) -> int:
    """A request whose body comes behind its head; gives how many connections are idle afterwards."""
    stage.fresh()
    await stage.settle()
    client = MemoryClient(stage)
    client.transport.feed(f"POST /a HTTP/1.1\r\nHost: example.test\r\n{expect}Content-Length: 2\r\n\r\n".encode())
    await stage.settle()
    if continues:
        stage.wires[0].transport.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
        await stage.settle()
        assert client.data == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.transport.feed(b"ok")
    await stage.settle()
    assert b"HTTP/1.1 200 OK\r\n" in client.data
    assert client.data.endswith(stage.wires[0].requests[0][0].encode())
    client.transport.reset()
    await stage.settle()
    return stage.pool.idle


async def test_an_answer_without_the_continue_that_was_expected_ends_the_connection(stage: Stage) -> None:
    """Such an upstream may take the body, sent all the same, for its next request."""
    assert await exchange(stage, expect="Expect: 100-continue\r\n", continues=False) == 0
    assert await exchange(stage, expect="Expect: 100-continue\r\n", continues=True) == 1
    assert await exchange(stage, expect="", continues=False) == 1
