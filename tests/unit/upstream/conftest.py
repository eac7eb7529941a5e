"""These tests run in the loop that the command uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest_asyncio
import uvloop

from tests.unit.frontend.stage import Stage, staged


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the command uses."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    """A gateway before an origin."""
    async with staged() as one:
        yield one
