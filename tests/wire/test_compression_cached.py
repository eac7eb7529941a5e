"""What the cache keeps is coded: a hit costs no compression, and the upstream's own validator still finds it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from plugins.cache.plugin import HttpCache
from plugins.compress import Compress
from proxy.body import Body
from proxy.clock import ManualClock
from proxy.headers import Headers
from proxy.message import Response
from proxy.testing import GatewayKit, running

DATA = b'{"id": 4711, "name": "a footbridge"}\n' * 500
GZIP = {"Accept-Encoding": "gzip"}


@asynccontextmanager
async def gateway() -> AsyncIterator[GatewayKit]:
    async with running(plugins=[HttpCache, Compress], clock=ManualClock()) as kit:
        yield kit


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The levels of zlib's compressors, as they are made, and of what it compresses in one go."""
    levels: list[int] = []
    compressobj: Callable[..., Any] = zlib.compressobj
    compress: Callable[..., bytes] = zlib.compress

    def counted(level: int, *more: Any) -> Any:
        levels.append(level)
        return compressobj(level, *more)

    def counted_too(data: bytes, level: int, *more: Any) -> bytes:
        levels.append(level)
        return compress(data, level, *more)

    monkeypatch.setattr(zlib, "compressobj", counted)
    monkeypatch.setattr(zlib, "compress", counted_too)
    return levels


def answer(flows: bool = False) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(DATA), 5000):
            yield DATA[at : at + 5000]

    fields = {"Content-Type": "application/json", "Cache-Control": "max-age=60", "ETag": '"abc"'}
    return Response(200, Headers(fields), Body.of(pieces()) if flows else Body(DATA))


@pytest.mark.parametrize("flows", [False, True])
async def test_a_hit_costs_no_compression(made: list[int], flows: bool) -> None:
    async with gateway() as kit:
        kit.upstream.reply(answer(flows))
        for _ in range(4):
            reply = await kit.get("/", GZIP)
            assert gzip.decompress(reply.body) == DATA
            assert reply.headers["etag"] == 'W/"abc"'
        assert len(kit.upstream.seen) == 1
        assert len(made) == 1


async def test_each_coding_is_kept_for_itself() -> None:
    async with gateway() as kit:
        kit.upstream.reply(answer(), answer())
        seen = [await kit.get("/", {"Accept-Encoding": coding}) for coding in ("gzip", "br", "gzip;q=0.1", "br, x")]
        assert [reply.headers["content-encoding"] for reply in seen] == ["gzip", "br", "gzip", "br"]
        assert len(kit.upstream.seen) == 2


async def test_what_is_kept_is_asked_for_by_the_upstreams_own_tag(made: list[int]) -> None:
    async with gateway() as kit:
        kit.upstream.reply(answer())
        await kit.get("/", GZIP)
        kit.advance(61)
        kit.upstream.reply(Response(304, {"ETag": '"abc"', "Cache-Control": "max-age=60"}))
        reply = await kit.get("/", GZIP)
        assert kit.upstream.seen[-1].headers["if-none-match"] == 'W/"abc", "abc"'
        assert (reply.status, reply.headers["etag"]) == (200, 'W/"abc"')
        assert gzip.decompress(reply.body) == DATA
        again = await kit.get("/", {**GZIP, "If-None-Match": 'W/"abc"'})
        assert (again.status, again.headers["etag"]) == (304, 'W/"abc"')
        assert again.headers.getall("vary") == ["Accept-Encoding"]
        assert len(kit.upstream.seen) == 2
        assert len(made) == 1


async def test_what_is_kept_without_a_coding_is_coded_for_who_takes_one(made: list[int]) -> None:
    async with gateway() as kit:
        kit.upstream.reply(answer())
        assert (await kit.get("/")).body == DATA
        for _ in range(3):
            reply = await kit.get("/", GZIP)
            assert gzip.decompress(reply.body) == DATA
        assert (await kit.get("/")).body == DATA
        assert len(kit.upstream.seen) == 1
        assert len(made) == 1
