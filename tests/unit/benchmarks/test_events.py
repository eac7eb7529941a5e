from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.events import Receiver, Row, disk_rows, owe, percentile, publish_rows, unwanted_rows
from proxy.store.sqlite import SqliteStore


def test_what_nobody_wants_takes_no_memory() -> None:
    time, memory = unwanted_rows(1000)
    assert time.value > 0
    assert (memory.held, memory.unit) == (True, "B")


def test_publishing_is_timed_each_time() -> None:
    rows = publish_rows(50)
    assert [row.unit for row in rows] == ["us"] * 6
    for median, worst in zip(rows[::2], rows[1::2], strict=True):
        assert 0 < median.value <= worst.value
        assert worst.held is (worst.value <= 5.0)


async def test_what_is_on_disk_is_timed_from_its_publishing(tmp_path: Path) -> None:
    median, worst = await disk_rows(tmp_path / "outbox.sqlite3", 20, 1000)
    assert 0.1 < median.value <= worst.value


async def test_a_backlog_is_as_large_as_asked_for(tmp_path: Path) -> None:
    place = tmp_path / "outbox.sqlite3"
    await owe(place, 3000)
    store = SqliteStore(place)
    assert (await store.deliveries.backlog())["ops"].pending == 3000
    await store.close()


async def test_a_receiver_tells_when_all_are_there() -> None:
    receiver = Receiver(wanted=2)
    receiver.took()
    assert not receiver.all_there.is_set()
    receiver.took()
    assert receiver.all_there.is_set()


@pytest.mark.parametrize(("share", "value"), [(0.5, 51), (0.99, 100), (1.0, 100)])
def test_percentiles(share: float, value: float) -> None:
    assert percentile(list(range(1, 101)), share) == value


def test_a_row_tells_whether_the_claim_holds() -> None:
    assert str(Row("a", 1.5, "us", held=False)).split() == ["a", "1.50", "us", "MISSED"]
    assert str(Row("a", 1.5, "us")).split() == ["a", "1.50", "us"]
