"""A wheel is the same whenever and wherever it is built from a commit, and one that is not is found."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from deploy.release.dist import NotTheSame, built, reproduced

SETUP = """
[metadata]
name = thing
version = 1.0
[options]
packages = thing
[options.package_data]
thing = commit.txt
"""
RESTLESS = "import os, setuptools\nopen('thing/made.py', 'w').write(f'AT = {os.urandom(8)!r}')\nsetuptools.setup()\n"


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path) -> None:
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "one", "--date", "2001-01-01T00:00:00Z")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small package under git, whose commit is exported as this project's is."""
    root = tmp_path / "project"
    (root / "thing").mkdir(parents=True)
    (root / "thing/__init__.py").write_text("")
    (root / "thing/commit.txt").write_text("$Format:%H$\n")
    (root / ".gitattributes").write_text("thing/commit.txt export-subst\n")
    (root / "setup.cfg").write_text(SETUP)
    (root / "pyproject.toml").write_text('[build-system]\nrequires = ["setuptools"]\n')
    git(root, "init", "--quiet")
    commit(root)
    return root


def test_two_builds_are_the_same_and_say_which_commit_they_are_of(project: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    wheel = reproduced(project, tmp_path / "out")
    assert wheel.name == "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as inside:
        assert inside.read("thing/commit.txt").decode().strip() == git(project, "rev-parse", "HEAD")


def test_neither_what_is_not_committed_nor_who_may_read_it_makes_a_difference(project: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    before = built(project, tmp_path / "one").read_bytes()
    (project / "thing/more.py").write_text("x = 1\n")
    os.chmod(project / "thing/__init__.py", 0o600)
    assert built(project, tmp_path / "two").read_bytes() == before


def test_a_build_that_differs_from_itself_is_refused(project: Path, tmp_path: Path) -> None:
    (project / "setup.py").write_text(RESTLESS)
    commit(project)
    (tmp_path / "out").mkdir()
    with pytest.raises(NotTheSame):
        reproduced(project, tmp_path / "out")
