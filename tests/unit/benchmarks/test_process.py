"""Children: started, watched, stopped with everything they started, and their CPU time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.probe import NotReady, wait_for
from benchmarks.process import Child, free_port, group_cpu_seconds

TICKS = os.sysconf("SC_CLK_TCK")
FAMILY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"


def child(tmp_path: Path, code: str) -> Child:
    return Child([sys.executable, "-c", code], core=0, log=tmp_path / "log")


def test_stop_ends_the_whole_group(tmp_path: Path) -> None:
    with child(tmp_path, FAMILY) as running:
        assert running.alive()
    assert not running.alive()
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)


def test_a_child_that_dies_is_quoted(tmp_path: Path) -> None:
    with child(tmp_path, "raise SystemExit('no such option')") as running, pytest.raises(NotReady) as refused:
        wait_for(running, free_port(), "/", 0)
    assert str(refused.value) == "it ended: no such option"


def test_cpu_time_is_summed_over_the_group(tmp_path: Path) -> None:
    for pid, group, user, system in ((1, 40, 2, 1), (2, 40, 3, 4), (3, 99, 50, 50)):
        (tmp_path / str(pid)).mkdir()
        fields = ["S", "1", str(group), *["0"] * 8, str(user * TICKS), str(system * TICKS), "0"]
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) b) {' '.join(fields)}")
    assert group_cpu_seconds(40, tmp_path) == 10.0


def test_cpu_time_is_unknown_without_proc(tmp_path: Path) -> None:
    assert group_cpu_seconds(40, tmp_path / "none") is None
