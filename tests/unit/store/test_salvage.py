"""What is owed is read out of a broken file, as far as that can be read."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from proxy.store import NewEvent, Outcome
from proxy.store.file import File
from proxy.store.salvage import salvage
from proxy.store.sqlite import SqliteStore

NOW = 1_700_000_000.0
COUNT = 40  # events before the last checkpoint, and as many behind it


def event(number: int) -> NewEvent:
    return NewEvent(f"id{number:03}", "quota.low", "gold", NOW + number, b"x" * 3000, {"a": NOW + number})


async def add(store: SqliteStore, numbers: range) -> None:
    """In several transactions."""
    for first in numbers[::10]:
        some = range(first, first + 10)
        await asyncio.gather(*(store.events.add(lambda _, number=number: event(number)) for number in some))  # type: ignore[misc]  # a lambda's default


@pytest.fixture
async def broken(tmp_path: Path) -> Path:
    """A copy of a file as a crash leaves it: half of what is owed is in its log, and that one is delivered."""
    path, copy = tmp_path / "outbox.sqlite3", tmp_path / "copy" / "outbox.sqlite3"
    first = SqliteStore(path)
    await add(first, range(COUNT))
    await first.close()
    second = SqliteStore(path)
    await add(second, range(COUNT, 2 * COUNT))
    (due,) = (await second.deliveries.claim("a", "me", NOW, NOW + 30, 1)).due
    await second.deliveries.settle(Outcome(due, "me", "done", 0.0, NOW, 1.0, 200))
    await second.endpoints.save("a", "its notes")
    copy.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    await second.close()
    return copy


def saved(broken: Path) -> tuple[int, list[tuple[str, str]]]:
    """How many deliveries are said to be saved, and those that are."""
    new = File(broken.with_name("new.sqlite3"))
    with closing(new.connection()) as connection:
        count = salvage(broken, connection)
        query = "SELECT id, state FROM delivery JOIN event ON sequence = event ORDER BY sequence"
        return count, connection.execute(query).fetchall()


def overwrite(path: Path, begin: float, end: float) -> None:
    """Make a part of a file, in shares of its length, something else."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * begin))
        file.write(os.urandom(int(size * (end - begin))))


def test_all_of_a_sound_file(broken: Path) -> None:
    count, rows = saved(broken)
    assert count == len(rows) == 2 * COUNT - 1
    assert rows[0][0] == "id001", "the first was delivered"


def test_a_log_that_is_cut_costs_what_stands_behind_the_cut(broken: Path) -> None:
    log = broken.with_name(f"{broken.name}-wal")
    os.truncate(log, log.stat().st_size // 2)
    count, rows = saved(broken)
    assert COUNT < count < 2 * COUNT - 1
    assert [name for name, _ in rows] == [f"id{number:03}" for number in range(count)]


@pytest.mark.parametrize(
    "damage", [lambda log: overwrite(log, 0, 1), lambda log: os.truncate(log, 0), Path.unlink], ids=["noise", "0", "no"]
)
def test_a_log_that_is_nothing_any_more_costs_what_was_in_it(broken: Path, damage: Callable[[Path], None]) -> None:
    damage(broken.with_name(f"{broken.name}-wal"))
    _, rows = saved(broken)
    assert [name for name, _ in rows] == [f"id{number:03}" for number in range(COUNT)]


def test_a_page_that_is_broken_does_not_cost_all(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.store.salvage._CHUNK", 5)
    broken.with_name(f"{broken.name}-wal").unlink()
    overwrite(broken, 0.5, 0.55)
    count, rows = saved(broken)
    assert COUNT // 2 <= count == len(rows) < COUNT


def test_of_what_is_no_database_nothing(broken: Path) -> None:
    overwrite(broken, 0, 1)
    broken.with_name(f"{broken.name}-wal").unlink()
    assert saved(broken) == (0, [])


def test_the_broken_file_stays_as_it_was_found(broken: Path) -> None:
    log = broken.with_name(f"{broken.name}-wal")
    overwrite(log, 0.5, 1)
    before = broken.read_bytes(), log.read_bytes()
    saved(broken)
    assert (broken.read_bytes(), log.read_bytes()) == before
    assert sorted(path.name for path in broken.parent.glob("outbox*")) == [broken.name, log.name]


def test_what_is_known_of_endpoints_is_saved_too(broken: Path) -> None:
    new = File(broken.with_name("new.sqlite3"))
    with closing(new.connection()) as connection:
        salvage(broken, connection)
        assert connection.execute("SELECT id, state FROM endpoint").fetchall() == [("a", "its notes")]


def test_a_new_file_that_cannot_be_written_is_told(broken: Path) -> None:
    new = File(broken.with_name("new.sqlite3"))
    with closing(new.connection()) as connection:
        connection.execute("PRAGMA query_only = 1")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            salvage(broken, connection)
        assert not connection.in_transaction
