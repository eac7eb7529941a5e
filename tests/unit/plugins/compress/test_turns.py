"""What one turn of the loop codes is bounded, and who waits gets what it waits for, in order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import pytest

from plugins.compress.turns import BUDGET, Turns

LARGE = 65536
TAKES = 0.0008  # seconds for a large one


class Turning:
    """A loop whose turns are counted, and a clock that only work moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turn = 0
        self.work: list[tuple[int, Any]] = []  # the turn and what was done in it
        self.turns = Turns(lambda: self.now)

    async def __aenter__(self) -> Self:
        self._counter = asyncio.create_task(self._count())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._counter.cancel()

    async def _count(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)

    def job(self, name: Any, seconds: float = TAKES) -> Callable[[], bytes]:
        def code() -> bytes:
            self.now += seconds
            self.work.append((self.turn, name))
            return str(name).encode()

        return code

    async def code(self, name: Any, size: int = LARGE, seconds: float = TAKES) -> bytes:
        """As an answer does it."""
        if self.turns.room(size):
            return self.turns.now(self.job(name, seconds))
        made: bytes = await self.turns.later(self.job(name, seconds))
        return made

    def in_each(self) -> Counter[int]:
        return Counter(turn for turn, _ in self.work)


async def test_what_comes_alone_is_coded_at_once() -> None:
    async with Turning() as loop:
        assert loop.turns.room(LARGE)
        assert loop.turns.now(loop.job("a")) == b"a"
        assert loop.work == [(loop.turn, "a")]


@pytest.mark.parametrize("number", [32, 100])
async def test_many_that_come_together_are_coded_a_few_in_each_turn(number: int) -> None:
    async with Turning() as loop:
        made = await asyncio.wait_for(asyncio.gather(*map(loop.code, range(number))), 50)
        assert made == [str(name).encode() for name in range(number)]
        assert [name for _, name in loop.work] == list(range(number))  # first come, first served
        assert max(loop.in_each().values()) * TAKES < 0.002
        assert len(loop.in_each()) >= number // 2
        turns = sorted(loop.in_each())
        assert turns[-1] - turns[0] <= len(turns) + number // 8  # those without work tell who waited


async def test_a_turn_takes_as_many_small_ones_as_have_room() -> None:
    async with Turning() as loop:
        await asyncio.wait_for(asyncio.gather(*(loop.code(n, 8192, 0.0001) for n in range(100))), 50)
        assert BUDGET <= max(loop.in_each().values()) * 0.0001 <= BUDGET + 0.0002


async def test_an_event_does_not_stand_in_line_and_the_line_goes_on_meanwhile() -> None:
    async with Turning() as loop:
        waiting = [asyncio.create_task(loop.code(n)) for n in range(20)]
        await asyncio.sleep(0)
        events = idle = 0
        while not waiting[-1].done():
            before = len(loop.work)
            for _ in range(20):  # more than a turn takes
                if loop.turns.room(100):
                    loop.turns.now(loop.job("event", 0.00005))
                    events += 1
            await asyncio.sleep(0)
            idle = 0 if any(name != "event" for _, name in loop.work[before:]) else idle + 1
            assert idle <= 2  # a turn that tells who waited codes nothing of the line
        assert events > 20


async def test_after_a_full_turn_the_next_begins_with_room() -> None:
    async with Turning() as loop:
        await asyncio.gather(*map(loop.code, range(3)))
        for _ in range(3):
            await asyncio.sleep(0)
        assert loop.turns.room(LARGE)


async def test_who_leaves_gives_up_the_place() -> None:
    async with Turning() as loop:
        tasks = [asyncio.create_task(loop.code(n)) for n in range(8)]
        await asyncio.sleep(0)
        tasks[5].cancel()
        await asyncio.wait(tasks, timeout=50)
        assert tasks[5].cancelled()
        assert [name for _, name in loop.work] == [0, 1, 2, 3, 4, 6, 7]


async def test_what_fails_is_told_to_who_waits_and_the_others_go_on() -> None:
    async with Turning() as loop:
        await loop.code("first")

        def fails() -> bytes:
            raise ValueError("oh")

        failing, going = loop.turns.later(fails), loop.turns.later(loop.job("next"))
        with pytest.raises(ValueError, match="oh"):
            await failing
        assert await going == b"next"
        with pytest.raises(ValueError, match="oh"):
            loop.turns.now(fails)


async def test_one_that_cannot_be_told_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def refuses(_: object) -> None:
        raise ValueError("not now")

    async with Turning() as loop:
        loop.turns.later(loop.job("lost")).then(refuses)
        assert await asyncio.wait_for(loop.turns.later(loop.job("next")), 50) == b"next"
        assert "not now" in caplog.text


async def test_who_waits_is_told_by_sixteens_and_the_last_with_those_that_are_left() -> None:
    told: list[tuple[int, int]] = []

    def tell(number: int, _: object) -> None:
        told.append((loop.turn, number))

    async with Turning() as loop:
        await loop.code("first")
        for number in range(40):
            loop.turns.later(loop.job(number)).then(partial(tell, number))
        while len(told) < 40:
            await asyncio.sleep(0)
    groups = list(Counter(turn for turn, _ in told).values())
    assert [number for _, number in told] == list(range(40))
    assert groups[0] >= 16
    assert len(groups) <= 3
    assert not {turn for turn, _ in told[:16]} & {turn for turn, _ in loop.work}  # a turn does the one or the other


async def test_one_that_left_when_it_was_coded_already_is_not_told() -> None:
    told: list[int] = []

    def tell(number: int, _: object) -> None:
        told.append(number)

    async with Turning() as loop:
        await loop.code("first")
        waiting = [loop.turns.later(loop.job(number)) for number in range(12)]
        for number, later in enumerate(waiting):
            later.then(partial(tell, number))
        while len(loop.work) < 4:
            await asyncio.sleep(0)
        assert told == []
        waiting[0].cancel()
        while len(told) < 12:
            await asyncio.sleep(0)
    assert told == list(range(12))  # the first of them by its leaving
