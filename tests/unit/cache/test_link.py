"""How long a connection to Redis is waited for; what a link does is tested through the caches that use it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from proxy.cache.link import TIMEOUT, Link
from proxy.clock import Clock


def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.ensure_future(work)


@pytest.mark.parametrize(("timeout", "connecting"), [(TIMEOUT, 1.0), (5.0, 5.0)])
async def test_who_waits_long_for_an_operation_waits_as_long_for_a_connection(
    timeout: float, connecting: float
) -> None:
    link = Link("redis://127.0.0.1:1", Clock(), spawn, timeout=timeout)
    assert link.connecting == connecting
    connection: Any = link.connection()
    assert connection.socket_connect_timeout == connecting
