"""Whatever comes of what a hook gave is a value."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.waiting import Failed, Later, outcome


async def gives(value: object) -> object:
    return value


async def fails(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("value", [None, 5, "text"])
async def test_what_is_awaited_and_what_is_not(value: object) -> None:
    assert await outcome(gives(value)) == value
    assert await outcome(value) == value


@pytest.mark.parametrize("error", [ValueError("oh"), asyncio.CancelledError(), SystemExit(3)])
async def test_what_is_raised(error: BaseException) -> None:
    failed: Any = await outcome(fails(error))
    assert isinstance(failed, Failed)
    assert failed.error is error


async def test_what_ends_the_process_is_no_outcome() -> None:
    with pytest.raises(KeyboardInterrupt):
        await outcome(fails(KeyboardInterrupt()))


async def test_later_is_given_to_who_waits_before_give_returns() -> None:
    later: Later[int] = Later()
    got: list[object] = []
    later.then(got.append)
    later.give(5)
    assert got == [5]
    assert not later.dropped


async def test_what_was_given_already_is_there_at_once() -> None:
    later: Later[int] = Later()
    later.give(5)
    got: list[object] = []
    later.then(got.append)
    assert got == [5]


async def test_later_can_be_awaited() -> None:
    later: Later[int] = Later()
    asyncio.get_running_loop().call_soon(later.give, 5)
    assert await later == 5
    failing: Later[int] = Later()
    failing.fail(ValueError("oh"))
    with pytest.raises(ValueError, match="oh"):
        await failing


async def test_who_waits_no_more_is_told_so_and_gets_nothing() -> None:
    later: Later[int] = Later()
    got: list[Any] = []
    later.then(got.append)
    later.cancel()
    assert later.dropped
    assert isinstance(got.pop().error, asyncio.CancelledError)
    later.give(5)
    assert got == []


async def test_a_task_that_is_cancelled_drops_what_it_waits_for() -> None:
    later: Later[int] = Later()

    async def wait() -> int:
        return await later

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert later.dropped
    later.give(5)  # which goes nowhere
