"""Tasks are referred to while they run, and end with their owner."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from proxy.tasks import Tasks


async def test_what_still_runs_is_ended_and_waited_for() -> None:
    tasks, told = Tasks(), list[str]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            told.append("tidied up")

    one, other = tasks.begin(work()), tasks.adopt(asyncio.create_task(work()))
    await asyncio.sleep(0)
    await tasks.cancel()
    assert (one.cancelled(), other.cancelled(), told) == (True, True, ["tidied up"] * 2)


async def test_what_a_task_raises_while_it_is_ended_does_not_keep_the_others() -> None:
    tasks = Tasks()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("no") from None

    begun = [tasks.begin(work()) for _ in range(2)]
    await asyncio.sleep(0)
    await tasks.cancel()
    for task in begun:
        with pytest.raises(RuntimeError):
            task.result()


async def test_a_task_that_nobody_else_refers_to_goes_on_and_is_let_go_of_in_the_end() -> None:
    tasks, waits, done = Tasks(), list[weakref.ref[asyncio.Event]](), asyncio.Event()

    async def work() -> None:
        going = asyncio.Event()  # which this task alone knows
        waits.append(weakref.ref(going))
        await going.wait()
        done.set()

    task = weakref.ref(tasks.begin(work()))
    await asyncio.sleep(0)
    gc.collect()
    going = waits[0]()
    assert going is not None
    going.set()
    async with asyncio.timeout(10):
        await done.wait()
    await asyncio.sleep(0)
    gc.collect()
    assert task() is None
