"""An answer that a hook fetched, and neither read nor closed, keeps its connection no longer than its exchange."""

from __future__ import annotations

import asyncio

from proxy.api import Answer, Exchange, Plugin, PluginConfig, Request, Response, Services
from proxy.testing import running

LARGE = Response(200, body=b"x" * 1_000_000)


class Careless(Plugin[PluginConfig]):
    """Fetches a large answer, and forgets it."""

    async def on_request(self, exchange: Exchange) -> Answer:
        await exchange.fetch(Request("GET", "/large"))
        return Response.text(200, "done")


class Mirror(Plugin[PluginConfig]):
    """Fetches in the background, and reads what it got when it is told to."""

    async def start(self, services: Services) -> None:
        self._spawn = services.spawn
        self.go, self.over = asyncio.Event(), asyncio.Event()
        self.length = 0

    def on_request(self, exchange: Exchange) -> Answer:
        self._spawn(self._read(exchange))
        return Response.text(200, "done")

    async def _read(self, exchange: Exchange) -> None:
        answer = await exchange.fetch(Request("GET", "/large"))
        await self.go.wait()
        self.length = len(await answer.body.read(10_000_000))
        self.over.set()


async def test_a_forgotten_answer_is_let_go() -> None:
    async with running(plugins=[Careless]) as kit:
        kit.upstream.reply(LARGE, to="/large")
        for _ in range(3):
            assert (await kit.get("/")).text == "done"
        await kit.settled()
        assert kit.leftovers() == []


async def test_a_task_of_its_own_may_take_its_time() -> None:
    async with running(plugins=[Mirror]) as kit:
        kit.upstream.reply(LARGE, to="/large")
        assert (await kit.get("/")).text == "done"
        mirror = kit.plugin("mirror")
        assert isinstance(mirror, Mirror)
        mirror.go.set()
        await asyncio.wait_for(mirror.over.wait(), 5)
        assert mirror.length == 1_000_000
