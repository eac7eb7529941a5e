"""What only a file can show: commits that fail, files that come and go, several processes on one of them."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from proxy import store as sources
from proxy.store import NewEvent, Selection, StoreUnavailable
from proxy.store.sqlite import SqliteStore

NOW = 1_700_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(path)
    yield made
    await made.close()


def event(number: int) -> NewEvent:
    return NewEvent(f"id{number}", "quota.low", "", NOW, b"{}", {"a": NOW})


class Source:
    """Gives its events until they are kept."""

    def __init__(self, *events: NewEvent) -> None:
        self.events = list(events)
        self.failures: list[StoreUnavailable] = []
        self.failed = asyncio.Event()
        self.kept = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def take(self, sequence: int) -> Sequence[NewEvent]:
        return self.events

    def settled(self, error: StoreUnavailable | None) -> None:
        if error is None:
            if self.events:
                self._loop.call_soon_threadsafe(self.kept.set)
            self.events = []
        else:
            self.failures.append(error)
            self._loop.call_soon_threadsafe(self.failed.set)


async def test_what_was_told_to_be_kept_is_on_disk(store: SqliteStore, path: Path) -> None:
    await store.events.add(lambda _: event(1))
    other = sqlite3.connect(path)
    assert other.execute("SELECT id FROM event").fetchall() == [("id1",)]
    other.close()


async def test_work_that_fails_takes_nothing_with_it(store: SqliteStore) -> None:
    def broken(_: int) -> NewEvent:
        raise ValueError("no such thing")

    done = await asyncio.gather(
        store.events.add(lambda _: event(1)),
        store.events.add(broken),
        store.events.add(lambda _: event(2)),
        return_exceptions=True,
    )
    assert isinstance(done[1], ValueError)
    assert [one.event_id for one in await store.deliveries.find(Selection(), 9)] == ["id2", "id1"]


async def test_what_could_not_be_kept_is_tried_again(store: SqliteStore, path: Path) -> None:
    await store.endpoints.save("a", "")
    hold = sqlite3.connect(path)
    hold.execute("CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ROLLBACK, 'x'); END")
    hold.commit()
    # limits of SQLite's are of one connection, so a trigger that ends the transaction stands for the full disk
    source = Source(event(1))
    wake = store.events.feed(source)
    wake()
    with pytest.raises((StoreUnavailable, sqlite3.IntegrityError)):
        await store.events.add(lambda _: event(2))
    await asyncio.wait_for(source.failed.wait(), 5)
    hold.execute("DROP TRIGGER full")
    hold.commit()
    hold.close()
    await asyncio.wait_for(source.kept.wait(), 5)
    assert await store.events.get("id1") is not None


async def test_a_corrupt_file_is_replaced_and_nothing_that_waits_is_lost(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await store.endpoints.save("a", "")
    path.with_name(f"{path.name}-wal").unlink()
    broken = path.with_name("broken")
    broken.write_bytes(b"no database" * 2000)
    broken.replace(path)
    source = Source(event(1))
    wake = store.events.feed(source)
    wake()
    await asyncio.wait_for(source.kept.wait(), 5)
    assert await store.events.get("id1") is not None
    assert len(list(path.parent.glob("*.corrupt-*[0-9]"))) == 1
    await store.endpoints.save("a", "")  # what is told about the turn before has been told by then
    told = [record.message for record in caplog.records]
    assert told.count("the store can be used again") == 1
    assert sum("the store cannot be used" in line for line in told) == 1


async def test_all_threads_of_a_file_give_one_alarm(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.mkdir()
    for work in (store.endpoints.save("a", ""), store.deliveries.backlog(), store.endpoints.save("a", "")):
        with pytest.raises(StoreUnavailable):
            await work
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    path.rmdir()
    await store.endpoints.save("a", "")
    await store.deliveries.backlog()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


async def test_two_processes_claim_each_delivery_once(store: SqliteStore, path: Path) -> None:
    other = SqliteStore(path)
    for number in range(40):
        await store.events.add(lambda _, number=number: event(number))  # type: ignore[misc]  # a lambda's default
    claims = await asyncio.gather(
        *(
            one.deliveries.claim("a", name, NOW, NOW + 30, 5)
            for _ in range(4)
            for one, name in ((store, "1"), (other, "2"))
        )
    )
    ids = [due.event.id for claim in claims for due in claim.due]
    assert len(ids) == len(set(ids)) == 40
    await other.close()


async def test_a_closed_store_says_so(path: Path) -> None:
    made = SqliteStore(path)
    await made.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await made.endpoints.save("a", "")


def test_no_placeholder_has_a_number() -> None:
    """Python 3.12 before 3.12.4 takes `?1` for a name: it warns whenever the values that come with it are a tuple."""
    files = sorted(Path(sources.__path__[0]).glob("*.py"))
    assert [file.name for file in files if re.search(r"\?\d", file.read_text(encoding="utf-8"))] == []
    assert len(files) > 5
