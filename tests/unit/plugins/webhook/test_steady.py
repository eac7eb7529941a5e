"""Clocks that are set, by ten minutes and more, while processes run and between them, over a real file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from plugins.webhook.steady import Steady
from proxy.api import Clock, Selection
from proxy.store.sqlite import SqliteStore
from proxy.testing import ManualClock
from tests.unit.plugins.webhook.stage import Stage

TEN_MINUTES = 600.0
JUMPS = pytest.mark.parametrize("jump", [TEN_MINUTES, -TEN_MINUTES, 30 * 86400.0, -30 * 86400.0])


class Wall(ManualClock):
    """A clock that somebody sets."""

    def __init__(self, ahead: float = 0.0) -> None:
        super().__init__()
        told, self.ahead = self.time, ahead
        self.time = lambda: told() + self.ahead


class TestSteady:
    @JUMPS
    def test_it_goes_on_whatever_the_clock_is_set_to(self, jump: float) -> None:
        clock = Wall()
        now = Steady(clock)
        began = now()
        clock.ahead = jump
        clock.advance(5)
        assert now() == began + 5
        assert now.wall() == began + 5 + jump
        assert now.shown(now() - 60) == pytest.approx(now.wall() - 60)

    def test_it_is_not_behind_what_others_have_written(self) -> None:
        clock = ManualClock(epoch=1000.0)
        now = Steady(clock)
        now.hear(900.0)
        assert now() == 1000.0
        now.hear(1600.0)
        clock.advance(2)
        assert now() == 1602.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(tmp_path / "outbox.sqlite3")
    yield made
    await made.close()


async def died(store: SqliteStore, clock: ManualClock) -> Stage:
    """A process that died: one delivery has failed and is due in 5 s, one is under way."""
    stage = Stage(store=store, clock=clock)
    stage.receiver.status = 500
    await stage.owe(1)
    await stage.run()
    stage.receiver.gate.clear()
    await stage.owe(1)
    await stage.run()
    assert stage.receiver.ids == ["id1", "id2"]
    return stage


@JUMPS
async def test_a_clock_that_is_set_while_it_runs_changes_nothing(store: SqliteStore, jump: float) -> None:
    clock = Wall()
    stage = Stage(store=store, clock=clock)
    stage.receiver.status = 500
    await stage.owe(1)
    await stage.run()
    clock.ahead = jump
    await stage.pass_time(4.9)
    assert stage.receiver.ids == ["id1"], "neither sooner"
    stage.receiver.status = 204
    await stage.pass_time(0.2)
    assert stage.receiver.ids == ["id1", "id1"], "nor later"
    sent = [int(one.headers["webhook-timestamp"]) for one in stage.receiver.received]
    assert sent[1] - sent[0] == pytest.approx(5 + jump, abs=1), "but receivers go by the clock"


@JUMPS
async def test_a_clock_that_is_set_between_two_processes_delays_nothing(store: SqliteStore, jump: float) -> None:
    stage = await died(store, Wall())
    clock = Wall(jump)
    after = Stage(store=store, clock=clock, owner="other")
    await after.run()
    await after.pass_time(6)
    assert after.receiver.ids[:1] == ["id1"], "the one that is tried again"
    await after.pass_time(31)
    assert sorted(set(after.receiver.ids)) == ["id1", "id2"], "and the one whose lease is over"
    assert {one.state for one in await store.deliveries.find(Selection(), 9)} == {"done"}
    assert len(after.receiver.ids) == 2
    await stage.courier.close()


@JUMPS
async def test_two_processes_with_the_clock_set_between_their_starts_share_the_work(
    store: SqliteStore, jump: float
) -> None:
    clock, other_clock = Wall(), Wall(jump)
    one = Stage(store=store, clock=clock)
    other = Stage(store=store, clock=other_clock, owner="other", first=100)
    turns: list[Stage] = []
    for _ in range(10):
        for stage in (one, other):
            await stage.owe(1)
            stage.clock.advance(2)
            await stage.run()
        turns.append(max(one, other, key=lambda stage: stage.courier.health is not None))
    assert len(set(map(id, turns[2:]))) == 1, "one of them has the endpoint, and keeps it"
    ids = one.receiver.ids + other.receiver.ids
    assert len(ids) == len(set(ids)), "nothing is sent twice"
    await one.pass_time(6)
    await other.pass_time(6)
    await other.pass_time(1)
    assert len({*one.receiver.ids, *other.receiver.ids}) == 20


@JUMPS
async def test_operators_are_told_the_time_that_they_know(store: SqliteStore, jump: float) -> None:
    clock: Any = Wall()
    stage = Stage(store=store, clock=clock)
    stage.receiver.status = 500
    await stage.owe(4)
    clock.ahead = jump
    await stage.run()
    (event,) = stage.events
    assert event.data()["since"] == pytest.approx(clock.time())
    assert isinstance(clock, Clock)
