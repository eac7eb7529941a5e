from __future__ import annotations

from pathlib import Path

from benchmarks.cache_levels import Blobs, Row, memory_rows, redis_rows
from tests.unit.cache.nodes import Server


def test_memory_tells_of_itself_truthfully() -> None:
    rows = list(memory_rows(722, 300))
    beside, truth, hit, store = rows
    assert 100 < beside.value < 1000
    assert 85 < truth.value < 115
    assert (hit.unit, store.unit) == ("ns", "us")
    assert min(hit.value, store.value) > 0


async def test_redis_gives_what_was_stored(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    try:
        rows = await redis_rows(server.url, 100, 50)
    finally:
        server.kill()
    assert [row.unit for row in rows] == ["/s"] * 3
    assert all(row.value > 1 for row in rows)


def test_values_are_bytes_as_they_are() -> None:
    codec = Blobs()
    assert codec.decode(codec.encode(b"x")) == b"x"
    assert codec.size(bytes(100)) > 100


def test_a_row_is_a_line() -> None:
    assert str(Row("hits", 1234.56, "/s")).split() == ["hits", "1,234.6", "/s"]
