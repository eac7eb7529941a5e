"""Coded answers in real clients: curl, aiohttp, and a browser."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import zstandard

from proxy.body import Body
from proxy.headers import Headers
from proxy.message import Response
from proxy.testing import GatewayKit, running

DATA = b"".join(b'{"id": %d, "name": "na\xc3\xafve %d"}\n' % (n, n * n) for n in range(4000))
DIGEST = hashlib.sha256(DATA).hexdigest()
CODINGS = ("gzip", "deflate", "br", "zstd")

# A route for each coding, and one that negotiates. What the upstream gives is the same for all.
CONFIG = """
listen: [http://127.0.0.1:0]
admin: false
upstreams: {app: {targets: ["${UPSTREAM}"]}}
plugins: [compress]
routes:
  - {name: any, upstream: app}
  - {name: gzip, match: {path: /gzip/*}, upstream: app, plugins: {compress: {codings: [gzip]}}}
  - {name: deflate, match: {path: /deflate/*}, upstream: app, plugins: {compress: {codings: [deflate]}}}
  - {name: br, match: {path: /br/*}, upstream: app, plugins: {compress: {codings: [br]}}}
  - {name: zstd, match: {path: /zstd/*}, upstream: app, plugins: {compress: {codings: [zstd]}}}
"""

# Fetches every path, and writes what became of each into the page.
PAGE = """<!doctype html><title>fetch</title><body><script>
(async () => {
  const lines = [];
  for (const path of ["/gzip/x", "/deflate/x", "/br/x", "/zstd/x", "/gzip/flows", "/br/flows", "/zstd/flows"]) {
    const answer = await fetch(path);
    const data = await answer.arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const size = performance.getEntriesByName(new URL(path, location).href)[0].encodedBodySize;
    lines.push(`${path} ${answer.headers.get("content-encoding")} ${size < data.byteLength / 2} ${hex}`);
  }
  document.body.textContent = lines.join("; ") + "; done";
})().catch((error) => { document.body.textContent = `failed: ${error}`; });
</script>"""


async def flowing() -> AsyncIterator[bytes]:
    for at in range(0, len(DATA), 9973):
        yield DATA[at : at + 9973]


def serve(kit: GatewayKit, target: str, *, flows: bool = False) -> None:
    """Answer the next request for `target`."""
    body = Body.of(flowing()) if flows else Body(DATA)
    kit.upstream.reply(Response(200, Headers({"Content-Type": "application/json"}), body), to=target)


async def run(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(50):
        out, _ = await process.communicate()
    return out


@pytest.mark.parametrize("flows", [False, True])
async def test_curl(tmp_path: Path, flows: bool) -> None:
    async with running(CONFIG) as kit:
        for coding in CODINGS:
            serve(kit, f"/{coding}/x", flows=flows)
            head, accept = tmp_path / coding, f"Accept-Encoding: {coding}"
            out = await run("curl", "-s", "-D", str(head), "--compressed", "-H", accept, f"{kit.url}/{coding}/x")
            assert f"content-encoding: {coding}" in head.read_text().lower()
            assert out == DATA, coding
        serve(kit, "/x")
        assert await run("curl", "-s", f"{kit.url}/x") == DATA


@pytest.mark.parametrize("flows", [False, True])
async def test_aiohttp(flows: bool) -> None:
    async with running(CONFIG) as kit, aiohttp.ClientSession() as session:
        for coding in ("gzip", "deflate", "br"):
            serve(kit, f"/{coding}/x", flows=flows)
            async with session.get(f"{kit.url}/{coding}/x", headers={"Accept-Encoding": coding}) as answer:
                assert answer.headers["content-encoding"] == coding
                assert await answer.read() == DATA
        serve(kit, "/x", flows=flows)
        async with session.get(f"{kit.url}/x") as answer:  # whatever it asks for by itself
            assert "content-encoding" in answer.headers
            assert await answer.read() == DATA


@pytest.mark.parametrize("flows", [False, True])
async def test_aiohttp_with_a_decoder_of_its_own(flows: bool) -> None:
    """What a client library does not decode by itself it hands on as it came."""
    async with running(CONFIG) as kit, aiohttp.ClientSession(auto_decompress=False) as session:
        serve(kit, "/x", flows=flows)
        async with session.get(f"{kit.url}/x", headers={"Accept-Encoding": "gzip;q=0.5, zstd"}) as answer:
            assert answer.headers["content-encoding"] == "zstd"
            decoder = zstandard.ZstdDecompressor().decompressobj()
            assert b"".join([decoder.decompress(part) async for part in answer.content.iter_any()]) == DATA
            assert decoder.eof


@pytest.mark.browser
async def test_a_browser(tmp_path: Path, browser: str) -> None:
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={tmp_path}")
    async with running(CONFIG) as kit:
        kit.upstream.reply(Response.html(200, PAGE), to="/page")
        for coding in CODINGS:
            serve(kit, f"/{coding}/x")
            serve(kit, f"/{coding}/flows", flows=True)
        out = await run(browser, *options, "--virtual-time-budget=20000", "--dump-dom", f"{kit.url}/page")
    found = re.search(rb"<body>(.*?)</body>", out, re.DOTALL)
    assert found is not None, out
    *lines, last = (line.split() for line in found[1].decode().strip().split("; "))
    assert last == ["done"]
    assert len(lines) == 7
    for path, coding, smaller, digest in lines:
        assert (coding, smaller, digest) == (path.split("/")[1], "true", DIGEST), path
