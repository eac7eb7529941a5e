"""Streams: pulled, spliced to a sink or let go of, in every order of events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.body import Body
from proxy.errors import ClientLeft, GatewayError, UpstreamReset
from proxy.headers import Headers
from proxy.stream import HIGH_WATER, Stream

TRAILERS = Headers([("Digest", "x")])


class Peer:
    """A source that keeps a diary and knows whether it may read."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.reading = True

    def pause(self) -> None:
        self.diary.append("pause")
        self.reading = False

    def resume(self) -> None:
        self.diary.append("resume")
        self.reading = True

    def wanted(self) -> None:
        self.diary.append("wanted")

    def abandon(self) -> None:
        self.diary.append("abandon")


class Taker:
    """A sink that keeps what it got; `then` runs on every piece, as a connection's write does."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.data: list[bytes] = []
        self.ends: list[object] = []
        self.then = then

    def body_data(self, data: bytes) -> None:
        self.data.append(data)
        self.then()

    def body_end(self, trailers: Headers | None) -> None:
        self.ends.append(trailers)

    def body_failed(self, error: GatewayError) -> None:
        self.ends.append(error)


def stream(size: int | None = None) -> tuple[Stream, Peer]:
    peer = Peer()
    return Stream(peer, size), peer


async def collect(body: Body) -> list[bytes]:
    return [part async for part in body]


# ---- a stream that is pulled ----


async def test_pulling_what_was_fed_before() -> None:
    body, peer = stream(6)
    body.feed(b"abc")
    body.feed(b"def")
    body.finish(TRAILERS)
    assert await body.read(6) == b"abcdef"
    assert body.trailers is TRAILERS
    assert body.spliceable is False
    assert peer.diary == ["wanted"]


async def test_pulling_ahead_of_the_feed() -> None:
    body, _ = stream()
    task = asyncio.create_task(collect(body))
    for part in (b"abc", b"def"):
        await asyncio.sleep(0)
        body.feed(part)
    await asyncio.sleep(0)
    assert not task.done()
    body.finish()
    assert await task == [b"abc", b"def"]
    assert body.ended


async def test_what_was_fed_before_a_failure_can_still_be_pulled() -> None:
    body, _ = stream()
    body.feed(b"abc")
    body.fail(UpstreamReset("gone"))
    parts = aiter(body)
    assert await anext(parts) == b"abc"
    with pytest.raises(UpstreamReset, match="gone"):
        await anext(parts)


async def test_a_failure_wakes_the_reader() -> None:
    body, _ = stream()
    task = asyncio.create_task(collect(body))
    await asyncio.sleep(0)
    body.fail(UpstreamReset("gone"))
    with pytest.raises(UpstreamReset):
        await task


async def test_only_the_first_ending_counts() -> None:
    body, _ = stream()
    body.finish(TRAILERS)
    body.fail(UpstreamReset("late"))
    assert await collect(body) == []
    failed, _ = stream()
    failed.fail(UpstreamReset("gone"))
    failed.finish(TRAILERS)
    with pytest.raises(UpstreamReset):
        await collect(failed)
    assert failed.trailers is None


async def test_a_slow_reader_pauses_the_source_and_reading_on_resumes_it() -> None:
    body, peer = stream()
    half = bytes(HIGH_WATER // 2)
    body.feed(half)
    assert peer.diary == []
    body.feed(half)
    body.feed(b"one read more")
    assert peer.diary == ["pause"]
    parts = aiter(body)
    await anext(parts)
    assert peer.diary == ["pause", "wanted"]
    await anext(parts)
    assert peer.diary == ["pause", "wanted", "resume"]


async def test_a_reader_that_is_cancelled_may_be_followed_by_a_close() -> None:
    body, peer = stream()
    task = asyncio.create_task(collect(body))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    body.feed(b"late")
    body.close()
    assert peer.diary == ["wanted", "abandon"]


# ---- a stream that is spliced ----


def test_splicing_before_anything_came() -> None:
    body, peer = stream(3)
    sink = Taker()
    body.attach(sink)
    assert not body.spliceable
    body.feed(b"abc")
    body.finish(TRAILERS)
    assert (sink.data, sink.ends) == ([b"abc"], [TRAILERS])
    assert peer.diary == []


def test_splicing_what_is_held_and_what_follows() -> None:
    body, _ = stream()
    sink = Taker()
    body.feed(b"abc")
    body.attach(sink)
    body.feed(b"def")
    body.fail(UpstreamReset("gone"))
    assert sink.data == [b"abc", b"def"]
    assert [str(error) for error in sink.ends] == ["gone"]


@pytest.mark.parametrize("failure", [None, UpstreamReset("gone")])
def test_splicing_a_body_that_has_ended(failure: GatewayError | None) -> None:
    body, _ = stream()
    body.feed(b"abc")
    if failure is None:
        body.finish(TRAILERS)
    else:
        body.fail(failure)
    sink = Taker()
    body.attach(sink)
    assert (sink.data, sink.ends) == ([b"abc"], [failure or TRAILERS])


def test_splicing_resumes_a_paused_source() -> None:
    body, peer = stream()
    body.feed(bytes(HIGH_WATER))
    body.attach(Taker())
    assert peer.diary == ["pause", "resume"]


def test_a_sink_that_fills_while_it_takes_what_is_held_keeps_the_source_paused() -> None:
    body, peer = stream()
    body.feed(bytes(HIGH_WATER))
    body.attach(Taker(then=body.pause))
    assert not peer.reading
    body.resume()
    assert peer.reading


def test_a_sink_that_fails_the_stream_while_it_takes_what_is_held_is_told_once() -> None:
    body, _ = stream()
    gone = UpstreamReset("gone")
    body.feed(b"abc")
    sink = Taker(then=lambda: body.fail(gone))
    body.attach(sink)
    assert sink.ends == [gone]


def test_a_sink_that_closes_the_stream_while_it_takes_what_is_held_hears_no_more() -> None:
    body, peer = stream()
    body.feed(b"abc")
    body.feed(b"def")
    sink = Taker(then=body.close)
    body.attach(sink)
    body.feed(b"ghi")
    assert (sink.data, sink.ends) == ([b"abc"], [])
    assert peer.diary == ["abandon"]


def test_pausing_reaches_the_source_until_the_end() -> None:
    body, peer = stream()
    body.attach(Taker())
    body.pause()
    body.resume()
    body.finish()
    body.pause()
    body.resume()
    assert peer.diary == ["pause", "resume"]


async def test_a_body_goes_one_way_only() -> None:
    body, _ = stream()
    body.attach(Taker())
    with pytest.raises(RuntimeError, match="other side"):
        aiter(body)


# ---- closing ----


async def test_closing_abandons_the_source_once() -> None:
    body, peer = stream()
    body.feed(b"abc")
    body.close()
    body.close()
    body.feed(b"late")
    assert peer.diary == ["abandon"]
    with pytest.raises(ClientLeft):
        await collect(body)


def test_closing_a_spliced_body_tells_the_sink_nothing_more() -> None:
    body, peer = stream()
    sink = Taker()
    body.attach(sink)
    body.close()
    body.feed(b"late")
    body.finish()
    assert (sink.data, sink.ends, peer.diary) == ([], [], ["abandon"])


def test_splicing_a_closed_body_fails() -> None:
    body, _ = stream()
    body.feed(b"abc")
    body.close()
    sink = Taker()
    body.attach(sink)
    assert sink.data == []
    assert isinstance(sink.ends[0], ClientLeft)


async def test_a_whole_body_that_is_closed_unread_is_not_taken_for_an_empty_one() -> None:
    body, peer = stream()
    body.feed(b"abc")
    body.feed(b"def")
    body.finish()
    parts = aiter(body)
    assert await anext(parts) == b"abc"
    body.close()
    with pytest.raises(ClientLeft):
        await anext(parts)
    assert peer.diary == ["wanted"]


async def test_a_body_that_was_read_to_its_end_may_be_closed() -> None:
    body, peer = stream()
    body.feed(b"abc")
    body.finish()
    await collect(body)
    body.close()
    assert await collect(body) == []
    assert peer.diary == ["wanted"]


@pytest.mark.parametrize("ending", ["finish", "fail", "close"])
def test_the_end_is_told_once(ending: str) -> None:
    body, _ = stream()
    calls: list[str] = []
    body.on_end(lambda: calls.append("before"))
    endings = {"finish": body.finish, "fail": lambda: body.fail(UpstreamReset("gone")), "close": body.close}
    endings[ending]()
    for again in endings.values():
        again()
    assert calls == ["before"]
    body.on_end(lambda: calls.append("after"))
    assert calls == ["before", "after"]


# ---- any order at all ----

STEPS = st.lists(st.sampled_from(["feed", "finish", "fail", "attach", "pause", "resume", "close"]), max_size=12)


@settings(deadline=None)
@given(STEPS)
def test_no_order_of_events_loses_or_repeats_anything(steps: list[str]) -> None:
    body, peer = stream()
    sink = Taker()
    expected: list[bytes] = []
    ended = closed = attached = False
    for number, step in enumerate(steps):
        if step == "feed" and not ended:
            body.feed(b"%d" % number)
            expected += [] if closed else [b"%d" % number]
        elif step == "finish":
            body.finish()
            ended = True
        elif step == "fail":
            body.fail(UpstreamReset("gone"))
            ended = True
        elif step == "attach" and not attached:
            if closed:
                expected.clear()
            body.attach(sink)
            attached = True
        elif step == "close":
            if not attached:
                expected.clear()
            body.close()
            ended = closed = True
        elif step in ("pause", "resume") and attached:
            getattr(body, step)()
    assert sink.data == (expected if attached else [])
    assert len(sink.ends) <= 1
    assert peer.diary.count("abandon") <= 1
    assert body.ended == ended
