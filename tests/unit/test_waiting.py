"""Whatever comes of what a hook gave is a value."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.waiting import Failed, outcome


async def gives(value: object) -> object:
    return value


async def fails(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("value", [None, 5, "text"])
async def test_what_is_awaited_and_what_is_not(value: object) -> None:
    assert await outcome(gives(value)) == value
    assert await outcome(value) == value


@pytest.mark.parametrize("error", [ValueError("oh"), asyncio.CancelledError()])
async def test_what_is_raised(error: BaseException) -> None:
    failed: Any = await outcome(fails(error))
    assert isinstance(failed, Failed)
    assert failed.error is error


async def test_what_ends_the_process_is_no_outcome() -> None:
    with pytest.raises(SystemExit):
        await outcome(fails(SystemExit()))
