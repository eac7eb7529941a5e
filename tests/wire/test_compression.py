"""Coded answers on the wire: whole, in time, and gone with the client that they were for."""

from __future__ import annotations

import asyncio
import gzip
import random
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from statistics import median

import brotli
import pytest
import zstandard

from plugins.compress import Compress
from proxy.body import Body
from proxy.headers import Headers
from proxy.message import Response
from proxy.testing import GatewayKit, running
from proxy.testing.client import Wire, request_bytes
from proxy.testing.upstream import Conversation

LINE = b'{"id": 4711, "name": "a footbridge", "tags": ["wood", "narrow"]}\n'
SLACK = 0.005  # seconds by which an event may be later than without compression

DECODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}
CODINGS = list(DECODE)


def json(body: bytes | Body, headers: dict[str, str] | None = None, status: int = 200) -> Response:
    return Response(status, Headers({"Content-Type": "application/json", **(headers or {})}), body)


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@asynccontextmanager
async def gateway(**options: object) -> AsyncIterator[GatewayKit]:
    async with running(plugins=[(Compress, options)]) as kit:
        yield kit


@pytest.mark.parametrize("coding", CODINGS)
async def test_what_arrives_is_what_was_sent(coding: str) -> None:
    random_ = random.Random(coding)
    async with gateway() as kit:
        for size in (500, 5000, 65536, 300_000):
            data = (LINE * 5000)[:size]
            chunked = Body.of(pieces(data, random_.randint(100, 30_000)))
            kit.upstream.reply(json(data), json(chunked), json(Body.of(pieces(data, 20_000), len(data))))
            for _ in range(3):
                reply = await kit.get("/", {"Accept-Encoding": coding})
                assert reply.headers["content-encoding"] == coding
                assert DECODE[coding](reply.body) == data
                assert len(reply.body) < len(data)


async def test_one_connection_carries_coded_and_plain_answers() -> None:
    async with gateway() as kit, kit.wire() as wire:
        for size, accept in ((400, "gzip"), (40_000, "gzip"), (40_000, "identity"), (100_000, "br"), (600, "gzip")):
            data = (LINE * 2000)[:size]
            kit.upstream.reply(json(data))
            await wire.send(request_bytes("GET", "/", {"Accept-Encoding": accept}))
            reply = await wire.reply()
            coding = reply.headers.get("content-encoding")
            assert (DECODE[coding](reply.body) if coding else reply.body) == data
            assert (coding is None) is (size == 400 or accept == "identity")


async def test_head_304_and_206() -> None:
    async with gateway() as kit:
        kit.upstream.reply(json(LINE * 100, {"ETag": '"a"', "Accept-Ranges": "bytes"}))
        head = await kit.request("HEAD", "/", {"Accept-Encoding": "gzip"})
        assert (head.headers["etag"], head.headers["content-encoding"]) == ('W/"a"', "gzip")
        assert not head.headers.any_of(frozenset({"content-length", "accept-ranges"}))
        kit.upstream.reply(Response(304, {"ETag": '"a"'}))
        same = await kit.get("/", {"Accept-Encoding": "gzip", "If-None-Match": 'W/"a"'})
        assert (same.status, same.headers["etag"], same.headers["vary"]) == (304, 'W/"a"', "Accept-Encoding")
        assert kit.upstream.seen[-1].headers["if-none-match"] == 'W/"a", "a"'
        kit.upstream.reply(json(LINE * 50, {"Content-Range": "bytes 0-3199/6400", "ETag": '"a"'}, 206))
        part = await kit.get("/", {"Accept-Encoding": "gzip", "Range": "bytes=0-3199"})
        assert (part.body, part.headers["etag"]) == (LINE * 50, '"a"')


class Feed:
    """An answer that goes on when the test says so."""

    def __init__(self, kind: str) -> None:
        self._head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        self.said: asyncio.Queue[bytes] = asyncio.Queue()
        self.left = asyncio.Event()

    async def __call__(self, conversation: Conversation) -> None:
        await conversation.send(self._head)
        watch = asyncio.create_task(conversation.left())
        while not watch.done():
            said = asyncio.create_task(self.said.get())
            await asyncio.wait({said, watch}, return_when=asyncio.FIRST_COMPLETED)
            if said.done():
                await conversation.send(b"%x\r\n%b\r\n" % (len(said.result()), said.result()))
            else:
                said.cancel()
        self.left.set()


async def begun(kit: GatewayKit, feed: Feed, accept: str) -> tuple[Wire, Callable[[bytes], bytes]]:
    """A client that has the head of an answer, and what decodes its body as it comes."""
    kit.upstream.reply(feed)
    wire = kit.wire()
    await wire.__aenter__()
    await wire.send(request_bytes("GET", "/", {"Accept-Encoding": accept}))
    await wire.until(b"\r\n\r\n")
    wire.data = wire.data.partition(b"\r\n\r\n")[2]
    decoders: dict[str, Callable[[bytes], bytes]] = {
        "gzip": zlib.decompressobj(31).decompress,
        "br": brotli.Decompressor().process,
        "zstd": zstandard.ZstdDecompressor().decompressobj().decompress,
        "identity": bytes,
    }
    return wire, decoders[accept]


async def received(wire: Wire, decode: Callable[[bytes], bytes], wanted: bytes) -> None:
    """Read on until the decoded content is `wanted`; nothing more is fed meanwhile."""
    got = b""
    while got != wanted:
        await wire.until(b"\r\n")
        size, _, wire.data = wire.data.partition(b"\r\n")
        while len(wire.data) < int(size, 16) + 2:
            assert await wire._more()
        got += decode(wire.data[: int(size, 16)])
        wire.data = wire.data[int(size, 16) + 2 :]


async def times(kit: GatewayKit, kind: str, accept: str, event: bytes) -> list[float]:
    """Seconds from each event's being sent to its being decoded."""
    feed, taken = Feed(kind), []
    wire, decode = await begun(kit, feed, accept)
    for _ in range(30):
        start = time.perf_counter()
        feed.said.put_nowait(event)
        async with asyncio.timeout(5):
            await received(wire, decode, event)
        taken.append(time.perf_counter() - start)
    wire.leave()
    await feed.left.wait()
    return taken


@pytest.mark.parametrize(
    ("kind", "event"), [("text/event-stream", b"data: " + LINE + b"\n"), ("application/x-ndjson", LINE)]
)
@pytest.mark.parametrize("accept", ["gzip", "br", "zstd"])
async def test_no_event_waits(kind: str, event: bytes, accept: str) -> None:
    async with gateway() as kit:
        plain = await times(kit, kind, "identity", event)
        coded = await times(kit, kind, accept, event)
    assert median(coded) < median(plain) + SLACK


async def test_a_client_that_leaves_ends_it_all_at_once() -> None:
    async with gateway() as kit:
        for kind in ("text/event-stream", "text/html"):
            feed = Feed(kind)
            wire, decode = await begun(kit, feed, "gzip")
            feed.said.put_nowait(b"begun\n\n")
            await received(wire, decode, b"begun\n\n")
            wire.leave()
            async with asyncio.timeout(5):
                await feed.left.wait()
                await kit.settled()


async def test_the_loop_is_never_held_for_long() -> None:
    """Judged by the time that the loop's thread itself works between two of its turns."""
    held: list[float] = []

    async def watch() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            held.append(time.thread_time() - before)

    async with gateway(levels={"gzip": 9}) as kit:
        data = b"".join(b'{"id": %d, "hash": "%x"}\n' % (n, hash((n, "x"))) for n in range(60_000))
        kit.upstream.reply(json(Body.of(pieces(data, 250_000), len(data))))
        async with kit.wire() as wire:
            await wire.send(request_bytes("GET", "/", {"Accept-Encoding": "gzip"}))
            watcher = asyncio.create_task(watch())
            reply = await wire.reply()
            watcher.cancel()
        assert gzip.decompress(reply.body) == data
    held.sort()
    assert held[int(len(held) * 0.99)] < 0.002
    assert held[-1] < 0.01  # the time to code all this is a hundred times that


async def test_uploads_are_decoded_for_who_stands_behind() -> None:
    async with gateway(requests="decode", decode={"size": "1MiB"}) as kit:
        data = LINE * 3000
        fields = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        reply = await kit.request("POST", "/", fields, gzip.compress(data))
        assert reply.status == 200
        seen = kit.upstream.seen[-1]
        assert seen.body == data
        assert "content-encoding" not in seen.headers
        assert (await kit.request("POST", "/", fields, b"text" * 100)).status == 400
        assert (await kit.request("POST", "/", fields, gzip.compress(bytes(2_000_000)))).status == 413


async def test_a_bomb_is_cut_before_it_grows() -> None:
    async with gateway(decode={"size": "1MiB"}) as kit:
        bomb = gzip.compress(bytes(50_000_000), 9)
        kit.upstream.reply(json(bomb, {"Content-Encoding": "gzip"}))
        async with kit.wire() as wire:
            await wire.send(request_bytes("GET", "/", {"Accept-Encoding": "identity"}))
            assert len(await wire.closed()) < 1_100_000
