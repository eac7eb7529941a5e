"""What callgrind writes down, read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.callgrind import CountFailed, build_of_python, missing, per_request

DUMP = "version: 1\npid: 7\npart: {part}\n\nevents: Ir\nfn=(1) main\n1 {total}\n\ntotals: {total}\n"


def dumps(where: Path, *totals: int) -> list[Path]:
    files = [where / f"counts.{at}" for at in range(1, len(totals) + 1)]
    for file, total in zip(files, totals, strict=True):
        file.write_text(DUMP.format(part=file.suffix[1:], total=total), encoding="utf-8")
    return files


def test_every_other_dump_is_of_requests(tmp_path: Path) -> None:
    files = dumps(tmp_path, 5_000_000, 100_000, 70_000, 20_049)
    assert per_request(["forward", "respond"], files, 100) == {"forward": 1000, "respond": 200}


def test_a_mark_that_was_not_seen(tmp_path: Path) -> None:
    with pytest.raises(CountFailed, match=r"getsid: counts\.2 is not there"):
        per_request(["forward"], [*dumps(tmp_path, 5), tmp_path / "counts.2"], 100)


def test_a_dump_without_a_total(tmp_path: Path) -> None:
    files = dumps(tmp_path, 5, 6)
    files[1].write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(CountFailed, match="no total"):
        per_request(["forward"], files, 100)


def test_without_valgrind_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "valgrind is not installed" in str(missing())
    program = tmp_path / "valgrind"
    program.write_text("#!/bin/sh\necho valgrind-3.19.0\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.defpath}")
    assert missing() is None
    assert build_of_python()["valgrind"] == "3.19.0"
    assert len(build_of_python()["binary"]) == 16
