"""Counts held against recorded ones, and what recording asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.baseline import Baseline, Known, NoReason, Row, rows
from benchmarks.paths import BARS, PATHS

BUILD = {"python": "CPython 3.11.7"}


def test_every_path_is_recorded_with_a_reason() -> None:
    recorded = Baseline.read()
    assert set(recorded.paths) == {path.name for path in PATHS}
    assert all(known.reason.strip() and known.instructions > 0 for known in recorded.paths.values())
    assert {"python", "binary", "machine", "libraries", "valgrind"} == recorded.build.keys()


def test_bars_are_about_paths() -> None:
    names = {path.name for path in PATHS}
    assert {name for bar in BARS for name in bar[:2]} <= names


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    baseline = Baseline(BUILD, {"forward": Known(1000, "first counted, à la carte")})
    baseline.write(tmp_path / "counts.json")
    assert Baseline.read(tmp_path / "counts.json") == baseline
    assert Baseline.read(tmp_path / "none.json") == Baseline()


def test_another_build_is_another_matter() -> None:
    assert Baseline(BUILD).holds_for(dict(BUILD))
    assert not Baseline(BUILD).holds_for({"python": "CPython 3.12.0"})


@pytest.mark.parametrize(
    ("count", "bad", "word"),
    [
        (1000, False, "as it was"),
        (1050, False, "as it was"),
        (1051, True, "GREW"),
        (951, False, "as it was"),
        (949, False, "fell: record it"),
    ],
)
def test_five_in_a_hundred_are_allowed(count: int, bad: bool, word: str) -> None:
    (row,) = rows({"forward": count}, {"forward": 1000})
    assert row.bad is bad
    assert row.line().endswith(word)


def test_a_path_without_a_count_is_bad() -> None:
    row = Row("new", 1000, None)
    assert row.bad
    assert "NEW" in row.line()


def test_what_grew_and_what_is_new_need_a_reason() -> None:
    baseline = Baseline(BUILD, {"forward": Known(1000, "as it began")})
    with pytest.raises(NoReason, match="forward is longer than it was"):
        baseline.renewed(BUILD, {"forward": 1010}, "")
    with pytest.raises(NoReason, match="respond has no count yet"):
        baseline.renewed(BUILD, {"respond": 500}, "")
    with pytest.raises(NoReason):
        baseline.renewed({"python": "CPython 3.12.0"}, {"forward": 900}, "")
    renewed = baseline.renewed(BUILD, {"forward": 1010, "respond": 500}, "it tells more")
    assert renewed.paths == {"forward": Known(1010, "it tells more"), "respond": Known(500, "it tells more")}


def test_what_fell_and_what_is_as_it_was_need_none() -> None:
    baseline = Baseline(BUILD, {"forward": Known(1000, "as it began"), "respond": Known(500, "as it began")})
    renewed = baseline.renewed(BUILD, {"forward": 900, "respond": 502}, "")
    assert renewed.paths == {"forward": Known(900, "as it began"), "respond": Known(500, "as it began")}


def test_of_another_build_nothing_is_kept() -> None:
    baseline = Baseline({"python": "CPython 3.10.0"}, {"forward": Known(1000, "x"), "respond": Known(500, "x")})
    renewed = baseline.renewed(BUILD, {"forward": 1000}, "another Python")
    assert renewed == Baseline(BUILD, {"forward": Known(1000, "another Python")})
