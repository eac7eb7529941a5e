"""Bodies that flow: what comes out is what went in, at once where somebody waits, and off the loop where it is much."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from collections.abc import AsyncIterator, Callable

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.compress.coders import Coder
from plugins.compress.filters import BlankLine, EndsEvent, Threads, coding, line_end
from plugins.compress.turns import Turns
from proxy.body import Body

DECODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


ENDINGS: dict[str, EndsEvent | None] = {"known": None, "unknown": None, "lines": line_end}


class Feed:
    """A body whose pieces come when the test says so."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = False

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while (data := await self.queue.get()) is not None:
                yield data
        finally:
            self.closed = True

    def through(self, name: str, ends_event: EndsEvent | None, size: int | None = None) -> AsyncIterator[bytes]:
        return aiter(Body.of(self.pieces()).through(coding(Coder(name, 1), size, Turns(), Threads(), ends_event)))


def decoder(name: str) -> Callable[[bytes], bytes]:
    """What has come out so far can be decoded so far."""
    if name == "br":
        return brotli.Decompressor().process  # type: ignore[no-any-return]  # brotli has no types
    if name == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress
    return zlib.decompressobj(31 if name == "gzip" else 15).decompress


@pytest.mark.parametrize("name", DECODE)
async def test_an_event_goes_out_before_the_next_comes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugins.compress.filters._EVENT_PAUSE", 1000.0)  # it is its end that sends it, and no timer
    feed, decode = Feed(), decoder(name)
    made = feed.through(name, BlankLine())
    for n in range(5):
        event = b"data: %d\n\n" % n
        feed.queue.put_nowait(event)
        got = b""
        while got != event:  # pieces of the head, then of the event; nothing more is fed meanwhile
            got += decode(await asyncio.wait_for(anext(made), 5))
    feed.queue.put_nowait(None)
    assert [decode(part) async for part in made][-1:] in ([], [b""])


@pytest.mark.parametrize("name", DECODE)
@pytest.mark.parametrize("ends_event", [None, line_end])
async def test_what_nobody_ends_goes_out_when_the_upstream_pauses(name: str, ends_event: EndsEvent | None) -> None:
    feed, decode = Feed(), decoder(name)
    made = feed.through(name, ends_event)
    feed.queue.put_nowait(b"half a li")
    got = b""
    while got != b"half a li":
        got += decode(await asyncio.wait_for(anext(made), 5))
    feed.queue.put_nowait(None)
    assert b"".join([decode(part) async for part in made]) == b""


async def test_a_known_length_is_not_flushed() -> None:
    feed = Feed()
    made = feed.through("gzip", None, 1000)
    for part in (b"a" * 500, b"b" * 500, None):
        feed.queue.put_nowait(part)
    parts = [part async for part in made]
    assert gzip.decompress(b"".join(parts)) == b"a" * 500 + b"b" * 500
    assert len(b"".join(parts)) == len(Coder("gzip", 1).whole(b"a" * 500 + b"b" * 500))


async def test_who_leaves_stops_the_source_at_once() -> None:
    feed = Feed()
    made = feed.through("gzip", None)
    feed.queue.put_nowait(b"begun")

    async def read() -> None:
        async for _ in made:
            first.set()

    before = asyncio.all_tasks()
    first = asyncio.Event()
    reader = asyncio.create_task(read())
    await first.wait()
    reader.cancel()
    await asyncio.wait({reader})
    assert reader.cancelled()
    await made.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert feed.closed
    assert asyncio.all_tasks() == before


async def test_a_failing_source_fails_the_body() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await Body.of(broken()).through(coding(Coder("gzip", 5), None, Turns(), Threads(), None)).read(10**6)


async def test_large_blocks_are_coded_in_threads_and_small_ones_are_not() -> None:
    seen: list[bool] = []

    class Noting(Coder):
        def stream(self, size: int | None) -> object:  # type: ignore[override]  # as much of it as is used
            inner = super().stream(size)

            class Encoder:
                flush, finish = inner.flush, inner.finish

                def encode(self, data: bytes) -> bytes:
                    seen.append(threading.current_thread() is threading.main_thread())
                    return inner.encode(data)

            return Encoder()

    coder = Noting("gzip", 5)
    threads = Threads()
    for size in (coder.piece, coder.piece + 1, 200_000):
        data = bytes(size)
        made = await Body(data).through(coding(coder, size, Turns(), threads, None)).read(10**6)
        assert gzip.decompress(made) == data
    assert seen == [
        True,
        False,
        False,
        False,
        False,
        True,
    ]  # the last body in blocks, of which the last is small
    threads.release()


async def test_threads_are_there_again_after_a_release() -> None:
    threads = Threads()
    assert await threads.run(b"a".upper) == b"A"
    threads.release()
    assert await threads.run(b"b".upper) == b"B"  # an exchange that outlives a reload
    threads.release()


class Slow(Coder):
    """Each piece takes half a millisecond of a clock of its own."""

    now = 0.0

    def stream(self, size: int | None) -> object:  # type: ignore[override]  # as much of it as is used
        inner, coder = super().stream(size), self

        class Encoder:
            flush, finish = inner.flush, inner.finish

            def encode(self, data: bytes) -> bytes:
                coder.now += 0.0005
                return inner.encode(data)

        return Encoder()


@pytest.mark.parametrize("streams", [1, 8])
async def test_others_get_their_turn_between_small_pieces(streams: int) -> None:
    coder = Slow("gzip", 5)
    turns, gaps = Turns(lambda: coder.now), [0.0]

    async def watch() -> None:
        while True:
            before = coder.now
            await asyncio.sleep(0)
            gaps.append(coder.now - before)

    async def pieces(name: int) -> AsyncIterator[bytes]:
        for number in range(40):
            yield b"%4d%4d" % (name, number) * 1024

    async def read(name: int) -> None:
        body = Body.of(pieces(name)).through(coding(coder, 40 * 8192, turns, Threads(), None))
        assert gzip.decompress(await body.read(10**6)) == b"".join([piece async for piece in pieces(name)])

    watcher = asyncio.create_task(watch())
    await asyncio.wait_for(asyncio.gather(*map(read, range(streams))), 50)
    watcher.cancel()
    assert sum(gaps) == pytest.approx(streams * 40 * 0.0005)
    assert max(gaps) < 0.002


@pytest.mark.parametrize(
    ("pieces", "ends"),
    [
        ([b"data: a\n\n"], [True]),
        ([b"data: a\n", b"\n"], [False, True]),
        ([b"data: a\r\n\r\n"], [True]),
        ([b"data: a\r\n", b"\r", b"\n"], [False, False, True]),
        ([b"data: a\r", b"\r"], [False, True]),
        ([b"data: a\n", b"data: b\n", b"\ndata"], [False, False, True]),
        ([b"a\n\nb", b"c"], [True, False]),
    ],
)
def test_where_an_event_ends(pieces: list[bytes], ends: list[bool]) -> None:
    ends_event = BlankLine()
    assert [ends_event(piece) for piece in pieces] == ends


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=200), st.sampled_from([b"\n\n", b"data: x\n", bytes(70_000)])), max_size=12),
    st.sampled_from(list(DECODE)),
    st.sampled_from(["known", "unknown", "events", "lines"]),
)
async def test_any_bytes_in_any_pieces_come_out_as_they_went_in(parts: list[bytes], name: str, kind: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    whole = b"".join(parts)
    size = len(whole) if kind == "known" else None
    ends_event = BlankLine() if kind == "events" else ENDINGS[kind]
    threads = Threads()
    made = await Body.of(pieces()).through(coding(Coder(name, 1), size, Turns(), threads, ends_event)).read(10**7)
    threads.release()
    assert DECODE[name](made) == whole
