from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from proxy.body import Body
from proxy.errors import ClientLeft, UpstreamReset
from proxy.headers import Headers
from proxy.kept import Allowance
from proxy.shared import Shared
from proxy.stream import HIGH_WATER, Stream

PART = bytes(HIGH_WATER // 2)


class Source:
    """Feeds a stream by hand."""

    def __init__(self) -> None:
        self.paused = self.gone = False
        self.stream = Stream(self, None)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def wanted(self) -> None:
        """Nobody waits for it."""

    def abandon(self) -> None:
        self.gone = True


class Taker:
    """A sink that can be full."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.data = b""
        self.trailers: Headers | None = None
        self.end: object = None
        stream.attach(self)

    def body_data(self, data: bytes) -> None:
        self.data += data

    def body_end(self, trailers: Headers | None) -> None:
        self.end, self.trailers = True, trailers

    def body_failed(self, error: Exception) -> None:
        self.end = error


def spawned(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work)


def shared(limit: int = 10**6, budget: Allowance | None = None) -> tuple[Source, Shared, list[bytes | None]]:
    source, told = Source(), list[bytes | None]()
    made = Shared(source.stream, limit, budget or Allowance(10**7), spawned, told.append)
    return source, made, told


async def test_everybody_gets_all_of_it_whenever_he_comes() -> None:
    source, body, told = shared()
    first = Taker(body.reader())
    body.start()
    source.stream.feed(b"a")
    second = Taker(body.reader())
    source.stream.feed(b"b")
    source.stream.finish()
    third = Taker(body.reader())
    assert [one.data for one in (first, second, third)] == [b"ab"] * 3
    assert first.end is second.end is third.end is True
    assert told == [b"ab"]


async def test_a_slow_taker_holds_up_nobody_while_all_is_kept() -> None:
    source, body, _ = shared()
    slow, quick = Taker(body.reader()), Taker(body.reader())
    body.start()
    slow.stream.pause()
    for _ in range(4):
        source.stream.feed(PART)
    assert (len(slow.data), len(quick.data), source.paused) == (0, 4 * len(PART), False)
    source.stream.finish()
    assert (slow.end, quick.end) == (None, True)
    slow.stream.resume()
    assert (len(slow.data), slow.end) == (4 * len(PART), True)


async def test_beyond_the_limit_the_slowest_is_the_pace() -> None:
    source, body, told = shared(limit=len(PART))
    slow, quick = Taker(body.reader()), Taker(body.reader())
    body.start()
    slow.stream.pause()
    source.stream.feed(PART)
    source.stream.feed(PART)
    assert told == [None]
    paused = [source.paused]
    with pytest.raises(ValueError, match="beginning"):
        body.reader()
    slow.stream.resume()
    assert [*paused, source.paused] == [True, False]
    assert len(slow.data) == len(quick.data) == 2 * len(PART)
    source.stream.finish(Headers({"A": "1"}))
    assert slow.trailers == quick.trailers == Headers({"A": "1"})
    assert told == [None]


async def test_beyond_the_limit_it_ends_with_its_last_taker() -> None:
    source, body, _ = shared(limit=1)
    one, other = Taker(body.reader()), Taker(body.reader())
    body.start()
    source.stream.feed(PART)
    one.stream.close()
    gone = [source.gone]
    other.stream.close()
    assert [*gone, source.gone] == [False, True]
    assert body.ended


async def test_while_all_is_kept_it_outlives_its_takers() -> None:
    source, body, told = shared()
    only = Taker(body.reader())
    body.start()
    source.stream.feed(b"a")
    only.stream.close()
    source.stream.feed(b"b")
    source.stream.finish()
    assert told == [b"ab"]
    assert not source.gone


async def test_all_bodies_together_have_a_budget() -> None:
    budget = Allowance(10)
    (one, body, told), (other, second, refused) = shared(budget=budget), shared(budget=budget)
    takers = Taker(body.reader()), Taker(second.reader())
    body.start()
    second.start()
    one.stream.feed(b"12345678")
    other.stream.feed(b"12345678")
    assert (told, refused, budget.used) == ([], [None], 8)
    one.stream.finish()
    other.stream.finish()
    assert (told, refused, budget.used) == ([b"12345678"], [None], 0)
    assert {taker.data for taker in takers} == {b"12345678"}


async def test_a_failure_is_everybodys() -> None:
    source, body, told = shared()
    taker = Taker(body.reader())
    body.start()
    error = UpstreamReset("gone")
    source.stream.fail(error)
    assert taker.end is error
    assert told == [None]


async def test_trailers_are_passed_on_and_nothing_is_kept() -> None:
    source, body, told = shared()
    taker = Taker(body.reader())
    body.start()
    source.stream.finish(Headers({"A": "1"}))
    assert taker.trailers == Headers({"A": "1"})
    assert told == [None]


async def test_a_body_that_code_makes_is_pulled() -> None:
    async def made() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    told: list[bytes | None] = []
    body = Shared(Body.of(made()), 100, Allowance(100), spawned, told.append)
    reader = body.reader()
    body.start()
    assert await reader.read(100) == b"ab"
    await asyncio.sleep(0)
    assert told == [b"ab"]


async def test_it_can_be_given_up() -> None:
    source, body, told = shared()
    taker = Taker(body.reader())
    body.start()
    body.abandon()
    assert source.gone
    assert isinstance(taker.end, ClientLeft)
    assert told == [None]
    body.abandon()
