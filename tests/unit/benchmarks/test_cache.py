from __future__ import annotations

import os
from collections import Counter

from benchmarks.cache import CLAIM, Spared, Tables, _row, drawn, report, resident, spared
from benchmarks.sample import Sample


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


def test_the_page_tells_all_and_what_is_missing() -> None:
    page = report(Tables([["/json", "2", "1", "2.00", "-", "-"]], spares=[["shared", "10", "2", "80.0%", "met"]]))
    for text in ("2.00", "80.0%", "## Hits in Redis\n\nOn a socket; memory has no room.\n\nNot measured."):
        assert text in page


def test_a_row_tells_rates_beside_those_of_others() -> None:
    found = {name: [Sample(rate, 1.0, 0, 0.0, 0.0, 0.0, 0.0)] for name, rate in (("passerelle", 300), ("nginx", 200))}
    assert _row("x", {**found, "varnish": []}) == ["x", "300", "200", "1.50", "-", "-"]


def test_the_memory_of_a_process_group() -> None:
    taken = resident(os.getpgrp())
    assert taken > 10_000_000
    assert resident(-1) == 0
