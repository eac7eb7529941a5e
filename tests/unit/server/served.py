"""A gateway whose configuration is a file that a test changes, and reloads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from aiohttp import ClientSession

from proxy.events import Event
from proxy.server.gateway import Gateway
from proxy.server.reload import Reload

TEXT = """
listen: [http://127.0.0.1:0]
admin: {{listen: http://127.0.0.1:0, token: t0}}
upstreams: {{app: {{targets: ["{upstream}"]}}}}
plugins: [request_id, events]
routes:
  - {{name: hello, match: {{path: /hello}}, plugins: {{respond: {{status: 200, body: one}}}}}}
  - {{name: site, upstream: app}}
"""


class Served:
    """A gateway whose file can be changed."""

    def __init__(self, gateway: Gateway, file: Path, client: ClientSession) -> None:
        self.gateway = gateway
        self.file = file
        self.client = client
        self.events: list[Event] = []
        gateway.runtime.events.subscribe("config.*", self.events.append)

    def change(self, *pairs: tuple[str, str], more: str = "") -> None:
        text = self.file.read_text()
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        self.file.write_text(text + more)

    async def reload(self, *pairs: tuple[str, str], more: str = "") -> Reload:
        self.change(*pairs, more=more)
        return await self.gateway.reload("admin")

    async def get(self, path: str, url: str = "") -> tuple[int, str]:
        async with self.client.get(f"{url or self.gateway.urls[0]}{path}") as answer:
            return answer.status, await answer.text()

    async def settled(self) -> None:
        await until(lambda: self.gateway.reloader.generations == 1)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)
