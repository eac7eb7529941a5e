"""Two gateways whose caches share what is stored, before one origin: who asks, and who waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from plugins.cache.control import Wanted
from plugins.cache.plugin import HttpCache
from proxy.message import Response
from proxy.server.gateway import Gateway
from proxy.settings import load_text
from proxy.testing import GatewayKit, running
from proxy.testing.gateway import Local
from tests.unit.cache.nodes import Server

SETTINGS = """
listen: [http://127.0.0.1:0]
admin: false
redis: "${REDIS}"
upstreams: {app: {targets: ["${UPSTREAM}"]}}
plugins: [{http_cache: {}}]
routes: [{name: all, upstream: app}]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("redis"))
    made.start()
    yield made
    made.kill()


@asynccontextmanager
async def pair(server: Server) -> AsyncIterator[list[GatewayKit]]:
    async with running(SETTINGS, plugins=[HttpCache], env={"REDIS": server.url}) as one:
        loaded = load_text(SETTINGS, {"REDIS": server.url, "UPSTREAM": one.upstream.url})
        gateway = Gateway(loaded, Local({"http_cache": HttpCache}), clock=one.clock)
        await gateway.start()
        try:
            yield [one, GatewayKit(gateway, one.upstream, one.clock)]
        finally:
            await gateway.stop()


def body(text: str, control: str = "max-age=60") -> Response:
    return Response.text(200, text, {"Cache-Control": control})


async def test_what_one_has_stored_the_other_has(server: Server) -> None:
    async with pair(server) as (one, other):
        one.upstream.reply(body("of the first"))
        await one.get("/shared")

        async def asked() -> str:
            return (await other.get("/shared", {"Cache-Control": "only-if-cached"})).text

        async with asyncio.timeout(5):
            while await asked() != "of the first":
                await asyncio.sleep(0.01)
        assert len(one.upstream.seen) == 1


async def test_one_of_all_gateways_asks(server: Server, gate: Any, until: Any) -> None:
    async with pair(server) as (one, other):
        origin = gate(body("once"))
        one.upstream.reply(origin)
        first = asyncio.create_task(one.get("/herd"))
        await origin.asked.wait()
        rest = [asyncio.create_task(other.get("/herd")) for _ in range(5)]
        await until(lambda: other.gateway.engine.active == 5)
        origin.open.set()
        assert {one.text for one in await asyncio.gather(first, *rest)} == {"once"}
        assert origin.count == 1


async def test_who_waits_for_what_is_not_stored_goes_on_at_once(server: Server, gate: Any, until: Any) -> None:
    async with pair(server) as (one, other):
        slow = gate(body("mine", "private"))
        one.upstream.reply(slow, body("yours", "private"))
        first = asyncio.create_task(one.get("/private"))
        await slow.asked.wait()
        second = asyncio.create_task(other.get("/private"))
        await until(lambda: other.gateway.engine.active == 1)
        slow.open.set()
        assert (await first).text == "mine"
        async with asyncio.timeout(2.5):  # less than the lease lasts
            assert (await second).text == "yours"


async def test_a_soft_purge_on_one_has_the_other_validate(server: Server, until: Any) -> None:
    async with pair(server) as (one, other):
        page = {"Cache-Control": "max-age=60", "ETag": '"1"', "Surrogate-Key": "news"}
        one.upstream.reply(Response.text(200, "page", page), Response(304))
        await one.get("/soft")
        await until(lambda: not one.gateway.runtime.caches.link.busy)  # type: ignore[union-attr]  # there is a Redis
        assert "hit" in (await other.get("/soft")).headers["Cache-Status"]
        control: Any = one.plugin("http_cache")._parts.control  # type: ignore[attr-defined]  # the cache's
        assert (await control.purged(Wanted(tag="news", soft=True)))["purged"] == 1

        async def told() -> str:
            return (await other.get("/soft")).headers["Cache-Status"]

        async with asyncio.timeout(5):
            while "hit" in (found := await told()):
                await asyncio.sleep(0.01)
        assert found == "passerelle; fwd=stale; fwd-status=304; ttl=60; stored"
        assert [seen.headers.get("If-None-Match") for seen in one.upstream.seen] == [None, '"1"']


async def test_what_is_not_in_memory_is_one_miss_there(server: Server) -> None:
    async with pair(server) as (one, _):
        one.upstream.reply(body("x"))
        await one.get("/counted")
        stats = one.plugin("http_cache")._parts.shelf.cache.stats  # type: ignore[attr-defined]  # the cache's
        assert (stats.l1.misses, stats.l2.misses) == (1, 1)
