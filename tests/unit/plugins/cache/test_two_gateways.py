"""Two gateways whose caches share what is stored, before one origin: who asks, and who waits."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from plugins.cache.control import Wanted
from plugins.cache.plugin import HttpCache
from proxy.cache.removal import ROOT
from proxy.events import CacheCorrupt
from proxy.message import Response
from proxy.server.gateway import Gateway
from proxy.settings import load_text
from proxy.testing import GatewayKit, running
from proxy.testing.gateway import Local
from tests.unit.cache.nodes import Server, serving

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
    yield from serving(tmp_path_factory.mktemp("redis"))


@asynccontextmanager
async def pair(server: Server, *, patient: bool = True) -> AsyncIterator[list[GatewayKit]]:
    """Two of them.

    :param patient: whether they wait for Redis for longer than in earnest, as on a busy machine they must.
    """
    async with running(SETTINGS, plugins=[HttpCache], env={"REDIS": server.url}) as one:
        loaded = load_text(SETTINGS, {"REDIS": server.url, "UPSTREAM": one.upstream.url})
        gateway = Gateway(loaded, Local({"http_cache": HttpCache}), clock=one.clock)
        await gateway.start()
        for link in (one.gateway.runtime.caches.link, gateway.runtime.caches.link):
            assert link is not None
            link.timeout = 5.0 if patient else link.timeout
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


async def test_an_entry_that_was_altered_is_a_miss_and_told_and_never_an_answer(server: Server, until: Any) -> None:
    async with pair(server) as (one, other), server.client() as client:
        one.upstream.reply(body("as it was"), body("anew"))
        await other.get("/altered")
        await until(lambda: not other.gateway.runtime.caches.link.busy)  # type: ignore[union-attr]  # there is a Redis
        (key,) = [key async for key in client.scan_iter(match=ROOT + b"*e*/altered all *")]
        stored = await client.get(key)
        assert isinstance(stored, bytes)
        assert b"as it was" in stored
        await client.set(key, stored.replace(b"as it was", b"as it hat"))
        assert (await one.get("/altered")).text == "anew"
        (told,) = one.events_of("cache.corrupt")
        assert isinstance(told, CacheCorrupt)
        assert (told.cache, told.reason) == ("http_cache/http", "the checksum is wrong")


async def test_clients_see_nothing_of_what_befalls_redis(tmp_path: Path, until: Any) -> None:
    redis = Server(tmp_path)
    redis.start()
    async with pair(redis, patient=False) as (one, other):
        one.upstream.reply(body("page"))
        over, found = asyncio.Event(), Counter[tuple[int, str]]()

        async def client(kit: GatewayKit, number: int) -> None:
            while not over.is_set():
                got = await kit.get(f"/{number % 40}")
                found[got.status, got.text] += 1
                number += 7

        clients = [asyncio.create_task(client(kit, number)) for kit in (one, other) for number in range(3)]

        async def goes_on() -> None:
            seen = found.total()
            await until(lambda: found.total() > seen + 60)

        await goes_on()
        async with redis.client() as direct:
            await direct.flushall()
            await goes_on()
            await direct.config_set("maxmemory", "1")
            await one.request("POST", "/0", body=b"")
            await goes_on()
        redis.signal(signal.SIGSTOP)
        await goes_on()
        redis.signal(signal.SIGCONT)
        await goes_on()
        redis.kill()
        await goes_on()
        redis.start()
        await goes_on()
        over.set()
        await asyncio.gather(*clients)
        assert set(found) == {(200, "page")}
    redis.kill()
