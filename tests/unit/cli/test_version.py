"""The version is told with the commit that it was made from, wherever that can be known."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from proxy import __version__
from proxy.cli.version import described

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one commit, whose file is the placeholder of this one."""
    (tmp_path / ".gitattributes").write_text("commit.txt export-subst\n")
    (tmp_path / "commit.txt").write_text("$Format:%H$\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "one")
    return tmp_path


def git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True).stdout


def head(root: Path) -> str:
    return git(root, "rev-parse", "HEAD").decode().strip()


def test_what_a_build_wrote_is_shown_shortened(tmp_path: Path) -> None:
    (tmp_path / "commit.txt").write_text(f"{COMMIT}\n")
    assert described(tmp_path / "commit.txt", tmp_path) == f"{__version__} (0123456789ab)"


def test_a_checkout_is_asked_where_nothing_was_written(checkout: Path) -> None:
    assert described(checkout / "commit.txt", checkout) == f"{__version__} ({head(checkout)[:12]})"


@pytest.mark.parametrize("text", ["$Format:%H$\n", "", "main\n"])
def test_neither_is_the_version_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "commit.txt").write_text(text)
    assert described(tmp_path / "commit.txt", tmp_path) == __version__
    assert described(tmp_path / "missing.txt", tmp_path) == __version__


def test_a_checkout_without_a_commit_is_the_version_alone(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert described(tmp_path / "commit.txt", tmp_path) == __version__


def test_an_archive_says_which_commit_it_is_of(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("archive")
    subprocess.run(["tar", "-x", "-C", str(out)], input=git(checkout, "archive", "HEAD"), check=True)
    assert described(out / "commit.txt", out) == f"{__version__} ({head(checkout)[:12]})"


def test_the_file_of_this_project_is_one_that_an_archive_fills() -> None:
    root = Path(__file__).parents[3]
    assert (root / "proxy/cli/commit.txt").read_text() == "$Format:%H$\n"
    assert "proxy/cli/commit.txt export-subst" in (root / ".gitattributes").read_text()
