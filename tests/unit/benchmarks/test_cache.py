from __future__ import annotations

from collections import Counter

from benchmarks.cache import CLAIM, Spared, drawn, report, spared


def test_keys_are_drawn_by_zipfs_law() -> None:
    found = Counter(drawn(20_000, 1, keys=100))
    assert found == Counter(drawn(20_000, 1, keys=100))
    assert 1.6 < found[0] / found[1] < 2.4
    assert found[0] > 10 * found[50]


def test_the_share_that_is_spared() -> None:
    assert Spared(100, 20).share == CLAIM


async def test_a_workload_spares_calls_and_sharing_spares_more() -> None:
    shared = await spared(200, 20, coalescing=True, keys=20)
    alone = await spared(200, 20, coalescing=False, keys=20)
    assert shared.calls == len(set(drawn(200, 1, keys=20)))
    assert shared.calls < alone.calls < 200


def test_the_page_tells_both() -> None:
    page = report([["/json", "2", "1", "2.00"]], [["shared", "10", "2", "80.0%", "met"]])
    assert "2.00" in page
    assert "80.0%" in page
