"""What is printed of attacks."""

from __future__ import annotations

import os
import sys

from benchmarks.attacks import Finding, peak_mib, table


def test_the_table_tells_ratios_and_failures() -> None:
    found = table([Finding("slow heads", 2.0, 3.0, 0.25, 60.4), Finding("bomb", 2.0, None, None, None, "1 timeout")])
    assert found.splitlines()[2:] == [
        "| slow heads | 2.00 | 3.00 | 1.50 | 25% | 60 |",
        "| bomb | 2.00 | failed: 1 timeout |  |  |  |",
    ]


def test_the_memory_of_a_process() -> None:
    held = peak_mib(os.getpid())
    assert (held is not None) is (sys.platform == "linux")
    assert held is None or held > 1
    assert peak_mib(2**30) is None
