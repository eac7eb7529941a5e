"""Bodies: in memory, fed by a source and pulled, made by code."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from proxy.body import EMPTY, Body
from proxy.errors import BodyTooLarge, UpstreamReset
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


def stream(size: int | None = None) -> tuple[Stream, Peer]:
    peer = Peer()
    return Stream(peer, size), peer


async def collect(body: Body) -> list[bytes]:
    return [part async for part in body]


async def upper(parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for part in parts:
        yield part.upper()


# ---- in memory ----


async def test_a_body_in_memory() -> None:
    body = Body(b"hello")
    assert (body.data, body.size, body.trailers) == (b"hello", 5, None)
    assert await collect(body) == [b"hello"]
    assert await body.read(5) == b"hello"
    body.close()
    assert await body.read(5) == b"hello"


async def test_the_empty_body_yields_nothing() -> None:
    assert EMPTY.size == 0
    assert await collect(EMPTY) == []
    assert await EMPTY.read(0) == b""


async def test_a_body_in_memory_has_ended() -> None:
    calls: list[int] = []
    Body(b"a").on_end(lambda: calls.append(1))
    assert calls == [1]


async def test_reading_over_the_limit_is_refused_by_the_size_alone() -> None:
    with pytest.raises(BodyTooLarge, match="5 bytes, over the limit of 4"):
        await Body(b"hello").read(4)
    body, peer = stream(5)
    with pytest.raises(BodyTooLarge):
        await body.read(4)
    assert peer.diary == []


async def test_reading_over_the_limit_is_refused_by_count() -> None:
    body, _ = stream()
    body.feed(b"abc")
    body.feed(b"de")
    body.finish()
    with pytest.raises(BodyTooLarge, match="limit of 4"):
        await body.read(4)


# ---- bodies made by code ----


class Maker:
    """An asynchronous iterable that tells when its clean-up ran."""

    def __init__(self, *parts: bytes, fails: bool = False) -> None:
        self.parts = parts
        self.fails = fails
        self.cleaned = 0

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        try:
            for part in self.parts:
                yield part
            if self.fails:
                raise UpstreamReset("gone")
        finally:
            self.cleaned += 1


async def test_a_generated_body() -> None:
    maker = Maker(b"abc", b"", b"def")
    body = Body.of(maker, 6)
    calls: list[int] = []
    body.on_end(lambda: calls.append(1))
    assert (body.data, body.size) == (None, 6)
    assert calls == []
    assert await collect(body) == [b"abc", b"def"]
    assert (maker.cleaned, calls) == (1, [1])
    body.on_end(lambda: calls.append(2))
    assert calls == [1, 2]


async def test_a_generated_body_that_fails_cleans_up() -> None:
    maker = Maker(b"abc", fails=True)
    with pytest.raises(UpstreamReset):
        await Body.of(maker).read(10)
    assert maker.cleaned == 1


async def test_a_generated_body_left_half_way_cleans_up_at_once() -> None:
    maker = Maker(b"abc", b"def")
    parts = aiter(Body.of(maker))
    assert await anext(parts) == b"abc"
    assert isinstance(parts, AsyncGenerator)
    await parts.aclose()
    assert maker.cleaned == 1


async def test_a_generated_body_closed_unread_never_runs() -> None:
    maker = Maker(b"abc")
    body = Body.of(maker)
    calls: list[int] = []
    body.on_end(lambda: calls.append(1))
    body.close()
    body.close()
    assert (maker.cleaned, calls) == (0, [1])


# ---- through ----


async def test_a_filter_changes_the_bytes_and_passes_the_trailers() -> None:
    inner, peer = stream(6)
    body = inner.through(upper)
    assert (body.data, body.size) == (None, None)
    assert peer.diary == []
    inner.feed(b"abc")
    inner.finish(TRAILERS)
    assert await body.read(6) == b"ABC"
    assert body.trailers is TRAILERS
    assert not inner.spliceable


async def test_filters_stack_and_know_what_they_rest_on() -> None:
    async def twice(parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for part in parts:
            yield part + part

    inner = Body(b"ab")
    body = inner.through(upper).through(twice)
    assert body.rests_on(inner)
    assert body.rests_on(body)
    assert not body.rests_on(EMPTY)
    assert not inner.rests_on(body)
    assert await body.read(4) == b"ABAB"


async def test_a_filter_never_holds_more_than_its_reader_takes() -> None:
    inner, peer = stream()
    parts = aiter(inner.through(upper))
    for _ in range(4):
        inner.feed(bytes(HIGH_WATER // 2))
    assert not peer.reading
    await anext(parts)
    assert not peer.reading
    await anext(parts)
    await anext(parts)
    await anext(parts)
    assert peer.reading


async def test_a_filter_that_raises_closes_what_it_rests_on() -> None:
    async def broken(parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for part in parts:
            raise ValueError(part)
        yield b""

    inner, peer = stream()
    inner.feed(b"abc")
    with pytest.raises(ValueError, match="abc"):
        await collect(inner.through(broken))
    assert peer.diary == ["wanted", "abandon"]


async def test_a_failure_passes_through_a_filter() -> None:
    inner, _ = stream()
    inner.feed(b"abc")
    inner.fail(UpstreamReset("gone"))
    with pytest.raises(UpstreamReset):
        await collect(inner.through(upper))


async def test_a_filter_left_half_way_lets_go_at_once() -> None:
    inner, peer = stream()
    inner.feed(b"abc")
    parts = aiter(inner.through(upper))
    assert await anext(parts) == b"ABC"
    assert isinstance(parts, AsyncGenerator)
    await parts.aclose()
    assert peer.diary == ["wanted", "abandon"]


def test_closing_a_filtered_body_unread_closes_the_inner_one() -> None:
    inner, peer = stream()
    body = inner.through(upper)
    calls: list[int] = []
    body.on_end(lambda: calls.append(1))
    body.close()
    assert (peer.diary, calls) == (["abandon"], [1])
