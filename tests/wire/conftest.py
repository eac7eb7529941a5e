"""The two ends of the wire tests, and the gateway between them: whole, in the same loop.

One loop makes the splits real: every piece that an end writes is a read of its own on the other side.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest_asyncio
import uvloop

from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.settings import load_text
from tests.wire.origin import Origin

CONFIG = """
listen: [http://127.0.0.1:0]
admin: false
upstreams: {{origin: {{targets: [http://127.0.0.1:{port}], retry: false}}}}
plugins: []
routes: [{{name: all, upstream: origin}}]
"""


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the command uses."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin() -> AsyncIterator[Origin]:
    """The upstream of every case."""
    server = Origin()
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(origin: Origin) -> AsyncIterator[int]:
    """The port of a gateway that sends everything to `origin`."""
    server = Gateway(load_text(CONFIG.format(port=origin.port), {}), Registry.installed())
    await server.start()
    yield int(server.urls[0].rpartition(":")[2])
    await server.stop()
