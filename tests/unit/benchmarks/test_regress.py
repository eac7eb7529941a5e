"""What the counts lead to: a table, an exit code, a record."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import regress
from benchmarks.baseline import Baseline, Known
from benchmarks.paths import PATHS
from benchmarks.regress import compare, main, record, recorded_tree, remarks

BUILD = {"python": "CPython 3.11.7"}
BASELINE = Baseline(BUILD, {"forward": Known(1000, "as it began"), "plugins": Known(1040, "as it began")})


def test_as_it_was_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(BASELINE, BUILD, ["forward"], {"forward": 1000, "plugins": 1049}) == 0
    said = capsys.readouterr().out
    assert said.count("as it was") == 2
    assert "met: plugins is 1.049 of forward, at most 1.05" in said


def test_what_grew_fails_and_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(BASELINE, BUILD, ["forward"], {"forward": 1100, "plugins": 1040}) == 1
    said = capsys.readouterr().out
    assert "forward: shorten what grew, or record it" in said
    assert "--write --reason" in said


def test_ratios_are_told_of_what_was_counted() -> None:
    assert remarks({"forward": 1000, "plugins": 1060}) == ["MISSED: plugins is 1.060 of forward, at most 1.05"]
    assert remarks({"plugins": 1060}) == []


def test_nothing_grows_silently(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "counts.json"
    assert record(BASELINE, BUILD, {"forward": 1100}, "", file) == 2
    assert not file.exists()
    assert "say why, with --reason" in capsys.readouterr().out
    assert record(BASELINE, BUILD, {"forward": 1100}, "it tells more", file) == 0
    assert Baseline.read(file).paths == {"forward": Known(1100, "it tells more"), "plugins": BASELINE.paths["plugins"]}


def test_a_path_that_is_no_more_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "counts.json"
    old = Baseline(BUILD, {"forward": Known(1000, "x"), "long-gone": Known(1000, "x")})
    record(old, BUILD, {"forward": 1000}, "", file)
    assert list(Baseline.read(file).paths) == ["forward"]


def test_another_build_records_all_paths_or_none(tmp_path: Path) -> None:
    file, other = tmp_path / "counts.json", {"python": "CPython 3.12.0"}
    assert record(BASELINE, other, {"forward": 1000}, "another Python", file) == 2
    assert not file.exists()
    everything = {path.name: 1000 for path in PATHS}
    assert record(BASELINE, other, everything, "another Python", file) == 0
    assert Baseline.read(file).build == other


def test_another_build_counts_the_recorded_tree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(regress, "recorded_tree", lambda root, directory: "0123456789ab")
    monkeypatch.setattr(regress, "count", lambda tree, names: dict.fromkeys(names, 500))
    other = {"python": "CPython 3.12.0"}
    assert compare(BASELINE, other, ["forward", "plugins"], {"forward": 510, "plugins": 530}) == 1
    said = capsys.readouterr().out
    assert "python is CPython 3.12.0, not CPython 3.11.7" in said
    assert "plugins: shorten" in said


def test_without_that_tree_nothing_is_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(regress, "recorded_tree", lambda root, directory: None)
    assert compare(BASELINE, {"python": "CPython 3.12.0"}, ["forward"], {"forward": 9999}) == 0
    assert "NOT COMPARED" in capsys.readouterr().out


def test_the_recorded_tree_is_that_of_the_last_record(tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    (tree / "benchmarks").mkdir(parents=True)
    out.mkdir()

    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=tree, check=True, capture_output=True)

    git("init")
    assert recorded_tree(tree, out) is None
    for number, text in enumerate(("first", "second", "third")):
        (tree / "code.py").write_text(text, encoding="utf-8")
        if number < 2:
            (tree / "benchmarks" / "regress.json").write_text(text, encoding="utf-8")
        git("add", ".")
        git("commit", "-m", text)
    assert len(recorded_tree(tree, out) or "") == 12
    assert (out / "code.py").read_text(encoding="utf-8") == "second"


def test_without_valgrind_it_is_told_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("NOT COUNTED: valgrind is not installed")
