"""Bodies on their way: at once, spliced, pumped at the sink's pace; and what ends a pump."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from proxy import flow
from proxy.body import EMPTY, Body
from proxy.errors import GatewayError, PluginFailed, UpstreamReset
from proxy.headers import Headers
from proxy.stream import Stream


class Taker:
    """A sink with a diary, whose room the test decides on."""

    def __init__(self) -> None:
        self.diary: list[object] = []
        self.full = False
        self.room: asyncio.Future[None] | None = None
        self.over = asyncio.Event()

    def body_data(self, data: bytes) -> None:
        self.diary.append(data)

    def body_end(self, trailers: Headers | None) -> None:
        self.diary.append(("end", trailers))
        self.over.set()

    def body_failed(self, error: GatewayError) -> None:
        self.diary.append(error)
        self.over.set()

    def drained(self) -> Awaitable[None]:
        self.diary.append("waits")
        self.room = asyncio.get_running_loop().create_future()
        return self.room

    async def told(self) -> None:
        async with asyncio.timeout(5):
            await self.over.wait()


class Peer:
    """A source that keeps a diary."""

    def __init__(self) -> None:
        self.diary: list[str] = []

    def pause(self) -> None:
        self.diary.append("pause")

    def resume(self) -> None:
        self.diary.append("resume")

    def wanted(self) -> None:
        self.diary.append("wanted")

    def abandon(self) -> None:
        self.diary.append("abandon")


def no_task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    work.close()
    raise AssertionError("nothing here has to wait")


async def parts(*given: bytes) -> AsyncIterator[bytes]:
    for part in given:
        yield part


def filtered(change: Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]) -> Body:
    return Body.of(parts(b"one", b"two")).through(change)


@pytest.mark.parametrize(("body", "pieces"), [(EMPTY, []), (Body(b"small"), [b"small"])])
def test_a_body_in_memory_is_sent_at_once(body: Body, pieces: list[bytes]) -> None:
    sink = Taker()
    assert flow.send(body, sink, no_task) is None
    assert sink.diary == [*pieces, ("end", None)]


def test_trailers_of_a_body_in_memory_are_sent() -> None:
    body, sink = Body(b"small"), Taker()
    body.trailers = Headers([("Digest", "x")])
    flow.send(body, sink, no_task)
    assert sink.diary == [b"small", ("end", body.trailers)]


class Narrow(Taker):
    """One that is full from a number of pieces on."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self._takes = takes

    def body_data(self, data: bytes) -> None:
        super().body_data(bytes(data))
        self.full = len(self.diary) >= self._takes


def large() -> Body:
    body = Body(bytes(range(256)) * (flow.PIECE * 5 // 512))  # two pieces and a half
    body.trailers = Headers([("Digest", "x")])
    return body


def test_a_large_body_in_memory_is_sent_in_pieces_while_they_are_taken() -> None:
    body, sink = large(), Taker()
    assert flow.send(body, sink, no_task) is None
    *pieces, end = sink.diary
    assert [len(bytes(piece)) for piece in pieces if isinstance(piece, memoryview)] == [
        flow.PIECE,
        flow.PIECE,
        flow.PIECE // 2,
    ]
    assert b"".join(pieces) == body.data  # type: ignore[arg-type]  # all but the last are pieces
    assert end == ("end", body.trailers)


async def test_of_a_large_body_in_memory_no_more_than_a_piece_waits_for_a_slow_reader() -> None:
    body, sink = large(), Narrow(1)
    pump = flow.send(body, sink, asyncio.create_task)
    assert pump is not None
    assert [len(piece) for piece in sink.diary if isinstance(piece, bytes)] == [flow.PIECE]
    while sink.room is None:
        await asyncio.sleep(0)
    assert (
        len(sink.diary) == 3
    )  # it waits behind the second, for the first was written before there was anybody to wait
    sink._takes = 100
    sink.room.set_result(None)
    await pump
    assert b"".join(piece for piece in sink.diary if isinstance(piece, bytes)) == body.data
    assert sink.diary[-1] == ("end", body.trailers)


def test_a_stream_that_nobody_pulls_is_spliced() -> None:
    stream, sink = Stream(Peer(), None), Taker()
    stream.feed(b"one")
    assert flow.splices(stream)
    assert flow.send(stream, sink, no_task) is None
    assert not flow.splices(stream)
    stream.feed(b"two")
    stream.finish()
    assert sink.diary == [b"one", b"two", ("end", None)]


def test_what_is_made_is_not_spliced() -> None:
    assert not flow.splices(Body.of(parts()))
    assert not flow.splices(EMPTY)


async def test_a_made_body_is_pumped_and_empty_pieces_are_left_out() -> None:
    sink = Taker()
    pump = flow.send(Body.of(parts(b"one", b"", b"two")), sink, asyncio.create_task)
    assert pump is not None
    await pump
    assert sink.diary == [b"one", b"two", ("end", None)]


async def test_a_pump_waits_for_room() -> None:
    sink = Taker()
    sink.full = True
    pump = flow.send(Body.of(parts(b"one", b"two")), sink, asyncio.create_task)
    assert pump is not None
    while sink.room is None:
        await asyncio.sleep(0)
    assert sink.diary == [b"one", "waits"]
    sink.full = False
    sink.room.set_result(None)
    await pump
    assert sink.diary == [b"one", "waits", b"two", ("end", None)]


async def test_an_error_of_the_source_is_passed_on_as_it_is() -> None:
    stream, sink = Stream(Peer(), None), Taker()
    error = UpstreamReset("gone")

    async def same(given: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for part in given:
            yield part

    flow.send(stream.through(same), sink, asyncio.create_task)
    stream.feed(b"one")
    stream.fail(error)
    await sink.told()
    assert sink.diary == [b"one", error]


@pytest.mark.parametrize("kind", [KeyError, SystemExit])
async def test_a_filter_that_raises_fails_the_body_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    sink = Taker()

    async def breaks(given: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        yield await anext(given)
        raise kind("colour")

    flow.send(filtered(breaks), sink, asyncio.create_task)
    await sink.told()
    assert sink.diary[0] == b"one"
    assert isinstance(sink.diary[1], PluginFailed)
    assert kind.__name__ in sink.diary[1].detail
    assert "colour" not in sink.diary[1].detail
    assert f"{kind.__name__}: " in caplog.text
    assert "colour" in caplog.text


async def test_a_filter_that_is_cancelled_from_inside_fails_the_body() -> None:
    sink = Taker()

    async def cancels(given: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        yield await anext(given)
        other = asyncio.create_task(asyncio.sleep(60))
        other.cancel()
        await other

    pump = flow.send(filtered(cancels), sink, asyncio.create_task)
    assert pump is not None
    await pump
    assert sink.diary[0] == b"one"
    assert isinstance(sink.diary[1], PluginFailed)


async def test_a_pump_that_is_cancelled_tells_nobody_and_cleans_up() -> None:
    sink, cleaned = Taker(), []

    async def waits(given: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            yield await anext(given)
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    pump = flow.send(filtered(waits), sink, asyncio.create_task)
    assert pump is not None
    while not sink.diary:
        await asyncio.sleep(0)
    pump.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pump
    assert sink.diary == [b"one"]
    assert cleaned == [True]


async def test_room_is_waited_for_by_one_who_asks_while_there_is_none() -> None:
    room = flow.Room()
    await asyncio.wait_for(room.drained(), 1)
    room.full = True
    waiting = asyncio.ensure_future(room.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    room.make_room()
    await asyncio.wait_for(waiting, 1)
    assert not room.full
    room.make_room()


# ---- a filter that waits for something of its own while its source fails ----


class Stuck:
    """A filter that waits, for good, for something that is not its source."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self.cancelled = False

    async def __call__(self, given: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for part in given:
            yield part
            self.waits.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise


@pytest.mark.parametrize("depth", [1, 3])
async def test_a_filter_that_waits_for_something_else_is_cancelled_when_its_source_fails(
    depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "PARTING", 0.01)
    stuck, taker, stream = Stuck(), Taker(), Stream(Peer(), None)
    body = stream.through(stuck)
    for _ in range(depth - 1):
        body = body.through(passing)
    pump = flow.send(body, taker, asyncio.get_running_loop().create_task)
    assert pump is not None
    stream.feed(b"one")
    await asyncio.wait_for(stuck.waits.wait(), 5)
    error = UpstreamReset("gone")
    stream.fail(error)
    await taker.told()
    await asyncio.wait_for(pump, 5)
    assert taker.diary == [b"one", error]
    assert stuck.cancelled


async def passing(given: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for part in given:
        yield part


async def test_what_came_before_the_failure_goes_as_slowly_as_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "PARTING", 0.2)
    taker, stream = Taker(), Stream(Peer(), None)
    pump = flow.send(stream.through(passing), taker, asyncio.get_running_loop().create_task)
    assert pump is not None
    taker.full = True
    stream.feed(b"one")
    stream.feed(b"two")
    error = UpstreamReset("gone")
    stream.fail(error)
    async with asyncio.timeout(5):
        while "waits" not in taker.diary:
            await asyncio.sleep(0)
    looks = asyncio.get_running_loop().time() + 0.3
    while asyncio.get_running_loop().time() < looks:
        await asyncio.sleep(0)
    assert not pump.done()
    taker.full = False
    assert taker.room is not None
    taker.room.set_result(None)
    await taker.told()
    assert taker.diary == [b"one", "waits", b"two", error]
