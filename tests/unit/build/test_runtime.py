"""What outlives a configuration: background work, and the shared session."""

from __future__ import annotations

import asyncio

import pytest

from proxy.build import Runtime


async def test_background_work_is_cancelled_at_the_end(runtime: Runtime) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = runtime.spawn(endless())
    await began.wait()
    await runtime.close()
    assert ended.is_set()
    assert task.cancelled()
    assert runtime.session.closed


async def test_an_error_in_the_background_is_logged(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise RuntimeError("lost otherwise")

    with pytest.raises(RuntimeError):
        await runtime.spawn(broken())
    await asyncio.sleep(0)
    assert "a background task failed" in caplog.text
    assert "lost otherwise" in caplog.text


async def test_two_runtimes_share_nothing(runtime: Runtime) -> None:
    other = Runtime(runtime.admin)
    assert other.token != runtime.token
    assert other.metrics is not runtime.metrics
    await other.close()
