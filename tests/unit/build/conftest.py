"""Configurations built as a start would build them, with nothing started."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from proxy.build import Built, Runtime, build
from proxy.registry import Registry
from proxy.server.admin_routes import AdminRoutes
from proxy.settings import load_text

Make = Callable[[str], Built]


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    made = Runtime(AdminRoutes())
    yield made
    await made.close()


@pytest.fixture
async def make(runtime: Runtime, tmp_path: Path) -> AsyncIterator[Make]:
    """Builds a configuration from text; plugin files are looked for in `tmp_path`."""
    async with AsyncExitStack() as stack:

        def makes(text: str) -> Built:
            built = build(load_text(text, {}, tmp_path / "p.yaml"), Registry.installed(), runtime)
            stack.push_async_callback(built.stop)
            return built

        yield makes
