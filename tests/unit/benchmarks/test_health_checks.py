"""The figures of idle health checks, in a small form: probes really come, and the figures are printed."""

from __future__ import annotations

import re

import pytest

from benchmarks.health_checks import main


def test_it_prints_memory_and_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--upstreams", "2", "--targets", "3", "--seconds", "1", "--every", "300ms"]) == 0
    title, idle, probed = capsys.readouterr().out.splitlines()
    assert title == "2 upstreams of 3 targets, for 1 s"
    assert re.fullmatch(r"  not probed: -?[\d.]+ MiB, [\d.]+% of a core, 0 probes", idle)
    found = re.fullmatch(r"  probed every 300ms: -?[\d.]+ MiB, [\d.]+% of a core, (\d+) probes", probed)
    assert found is not None
    assert 6 <= int(found[1]) <= 24
