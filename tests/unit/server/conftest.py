"""A whole gateway on ports of the system's choosing, in front of the sample upstream; all in the test's loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.server.sample import HOST, application
from proxy.server.source import Source
from proxy.settings import load, load_text
from tests.unit.server.served import TEXT as SERVED
from tests.unit.server.served import Served

Start = Callable[..., Awaitable[Gateway]]

TEXT = """
listen: http://127.0.0.1:0
admin: {admin}
drain: {{timeout: 5s}}
upstreams: {{app: {{targets: ["{upstream}"]}}}}
plugins: [request_id, events]
routes:
  - {{name: api, match: {{path: /api/*, methods: [GET, POST]}}, path: {{strip: /api}}, upstream: app}}
  - {{name: hello, match: {{path: /hello}}, plugins: {{respond: {{status: 200, body: hello}}}}}}
  - {{name: site, upstream: app}}
"""


@pytest.fixture
async def upstream() -> AsyncIterator[str]:
    """The URL of a sample upstream."""
    runner = web.AppRunner(application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    yield f"http://{HOST}:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def start(upstream: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts gateways, and stops them after the test."""
    async with AsyncExitStack() as stack:

        async def starts(*, admin: str = "{listen: http://127.0.0.1:0}", more: str = "", text: str = TEXT) -> Gateway:
            written = text.format(admin=admin, upstream=upstream) + more
            gateway = Gateway(load_text(written, {}, tmp_path / "p.yaml"), Registry.installed())
            await gateway.start()
            stack.push_async_callback(gateway.stop)
            return gateway

        yield starts


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    """A client of both listeners."""
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def served(upstream: str, tmp_path: Path, client: ClientSession) -> AsyncIterator[Served]:
    """Reloads from a file below `tmp_path`."""
    file = tmp_path / "p.yaml"
    file.write_text(SERVED.format(upstream=upstream))
    source = Source(lambda trace: load(file, {}, trace))
    gateway = Gateway(source.load(), Registry.installed(), source=source)
    await gateway.start()
    yield Served(gateway, file, client)
    await gateway.stop()
