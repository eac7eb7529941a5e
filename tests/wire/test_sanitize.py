"""Coded uploads on the wire: looked at decoded, and sent on byte for byte."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import brotli
import pytest
import zstandard

from plugins.sanitize import Sanitize
from proxy.message import Response
from proxy.testing import GatewayKit, running
from proxy.testing.client import request_bytes

CODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
}
ATTACK = json.dumps({"bio": "hi<script>alert(1)</script>", "n": 1}).encode()
HARMLESS = json.dumps({"bio": "O'Brien & Sons, <3"}).encode()


@asynccontextmanager
async def gateway(**options: object) -> AsyncIterator[GatewayKit]:
    async with running(plugins=[(Sanitize, options)]) as kit:
        kit.upstream.reply(*[Response(200)] * 8)
        yield kit


def fields(coding: str, kind: str = "application/json") -> dict[str, str]:
    return {"Content-Type": kind, "Content-Encoding": coding}


@pytest.mark.parametrize("coding", CODE)
async def test_what_is_coded_is_refused_or_told_of_and_goes_on_as_it_came(coding: str) -> None:
    bad, good = CODE[coding](ATTACK), CODE[coding](HARMLESS)
    async with gateway(mode="block") as kit:
        assert (await kit.request("POST", "/", fields(coding), bad)).status == 403
        assert (await kit.request("POST", "/", fields(coding), good)).status == 200
        (seen,) = kit.upstream.seen
        assert (seen.body, seen.headers["content-encoding"]) == (good, coding)
    async with gateway() as kit:
        assert (await kit.request("POST", "/", fields(coding), bad)).status == 200
        (seen,) = kit.upstream.seen
        assert (seen.body, seen.headers["content-encoding"]) == (bad, coding)
        assert "xss.tag" in seen.headers["x-sanitize"]


async def test_what_is_mended_goes_on_without_its_coding_and_digest() -> None:
    async with gateway(mode="clean") as kit:
        sent = {**fields("gzip"), "Content-Digest": "sha-256=:abc=:"}
        assert (await kit.request("POST", "/", sent, gzip.compress(ATTACK))).status == 200
        (seen,) = kit.upstream.seen
        assert json.loads(seen.body) == {"bio": "hi", "n": 1}
        assert "content-encoding" not in seen.headers
        assert "content-digest" not in seen.headers
        assert seen.headers["content-length"] == str(len(seen.body))


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("gzip", gzip.compress(b'"' + b"<" * 10_000_000 + b'"', 1), 413),
        ("zstd", zstandard.ZstdCompressor().compress(b"<" * 10_000_000), 413),
        ("gzip", gzip.compress(ATTACK)[:-9], 400),
        ("br", b"no brotli at all", 400),
        ("compress", b"\x1f\x9d\x90", 415),
        ("gzip, gzip, gzip, gzip", b"", 415),
    ],
    ids=["bomb", "zstd bomb", "cut", "malformed", "unknown", "too many"],
)
async def test_what_cannot_be_undone_goes_on_unread_or_is_refused(coding: str, body: bytes, status: int) -> None:
    async with gateway(mode="block", max_body="64KiB", over_limit="refuse") as kit:
        reply = await kit.request("POST", "/", fields(coding), body or b"x")
        assert reply.status == status
        assert kit.upstream.seen == []
        assert status != 415 or "gzip" in reply.headers["accept-encoding"]
    async with gateway(mode="block", max_body="64KiB") as kit:
        assert (await kit.request("POST", "/", fields(coding), body or b"x")).status == 200
        (seen,) = kit.upstream.seen
        assert seen.body == (body or b"x")


async def test_chunked_and_coded_is_looked_at_as_well() -> None:
    data = gzip.compress(b"a=1&id=1'+or+'1'='1")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(data[at : at + 7]), data[at : at + 7]) for at in range(0, len(data), 7))
    head = request_bytes(
        "POST", "/", {**fields("gzip", "application/x-www-form-urlencoded"), "Transfer-Encoding": "chunked"}
    )
    async with gateway(mode="block") as kit, kit.wire() as wire:
        await wire.send(head + chunks + b"0\r\n\r\n")
        assert (await wire.reply("POST")).status == 403


async def test_a_place_outside_of_an_unread_body_still_counts() -> None:
    async with gateway(mode="block") as kit:
        assert (await kit.request("POST", "/?id=1'+or+'1'='1", fields("compress"), b"x")).status == 403


BY_ROUTE = """
listen: [http://127.0.0.1:0]
upstreams: {app: {targets: ["${UPSTREAM}"]}}
plugins:
  - sanitize: {mode: observe}
routes:
  - name: api
    match: {path: /api/*}
    upstream: app
    plugins: {sanitize: {mode: block, exclude: [{rule: sql, where: query, field: q}]}}
  - name: site
    upstream: app
"""


async def test_modes_and_exclusions_are_those_of_the_route() -> None:
    """As narrow as route, field and rule: neither another route's, nor another field's, nor another rule's."""
    async with running(BY_ROUTE, plugins=[Sanitize]) as kit:
        kit.upstream.reply(*[Response(200)] * 8)
        wanted = {
            "/api/a?q=1'+or+'1'='1": 200,
            "/api/a?r=1'+or+'1'='1": 403,
            "/api/a?q=<script>alert(1)</script>": 403,
            "/a?r=1'+or+'1'='1": 200,
        }
        assert {target: (await kit.request("GET", target)).status for target in wanted} == wanted
        assert [seen.headers.get("x-sanitize") is None for seen in kit.upstream.seen] == [True, False]
