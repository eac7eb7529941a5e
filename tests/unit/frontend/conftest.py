"""These tests run in the loop that the command uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvloop

from tests.unit.frontend.pki import Pki
from tests.unit.frontend.stage import Stage, staged

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the command uses."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    """A gateway before an origin."""
    async with staged() as one:
        yield one


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Runs a coroutine in each of the loops that the command may have."""

    def runs(work: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(work)

    return runs


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """An authority, with its files in a directory of this test."""
    return Pki(tmp_path)
