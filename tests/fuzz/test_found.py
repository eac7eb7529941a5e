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
