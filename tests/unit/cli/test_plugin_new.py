"""`passerelle plugin new`: what is written runs at once, passes its own test, and overwrites nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.cli.plugin_new import names

Command = Callable[..., tuple[int, str, str]]
FILE = "upstreams: {app: {targets: [http://127.0.0.1:9001]}}\nplugins: [./rate_limit.py: {allow: [10.0.0.7]}]\n"


def test_a_plugin_and_its_test(command: Command, place: Path) -> None:
    code, out, _ = command("plugin", "new", "rate-limit")
    assert code == 0
    assert "passerelle plugin test rate_limit.py" in out
    assert "class RateLimit(Plugin[Config]):" in (place / "rate_limit.py").read_text()
    (place / "passerelle.yaml").write_text(FILE + "tests: [{request: GET http://a/, expect: {status: 503}}]\n")
    assert command("check", "passerelle.yaml")[0] == 0
    assert command("plugin", "test", "rate_limit.py")[0] == 0


def test_its_own_test_passes_and_can_fail(command: Command, place: Path) -> None:
    command("plugin", "new", "rate-limit", "--directory", "own")
    assert run_pytest(place / "own") == 0
    plugin = place / "own" / "rate_limit.py"
    plugin.write_text(plugin.read_text().replace("503", "403"))
    assert run_pytest(place / "own") == 1


def run_pytest(directory: Path) -> int:
    """How the generated test ends, in a process of its own as its author would run it."""
    arguments = ["-q", "-p", "no:cacheprovider", "--rootdir", str(directory), str(directory / "test_rate_limit.py")]
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False, capture_output=True).returncode


@pytest.mark.parametrize("taken", ["rate_limit.py", "test_rate_limit.py"])
def test_nothing_is_overwritten(command: Command, place: Path, taken: str) -> None:
    (place / taken).write_text("mine")
    code, _, err = command("plugin", "new", "rate-limit")
    assert (code, (place / taken).read_text()) == (1, "mine")
    assert f"{taken} is there already" in err
    assert len(list(place.glob("*rate_limit.py"))) == 1


@pytest.mark.parametrize("name", ["../x", "", "1st", "a b", "-x", "a--b", "é"])
def test_a_name_is_letters_and_digits(command: Command, place: Path, name: str) -> None:
    code, _, err = command("plugin", "new", "--", name)
    assert code == 2
    assert "is no name; write letters and digits" in err
    assert [path.name for path in place.iterdir()] == ["good.yaml"]


@pytest.mark.parametrize("name", ["json", "class", "Proxy", "config"])
def test_a_name_that_would_hide_something_is_refused(command: Command, name: str) -> None:
    code, _, err = command("plugin", "new", name)
    assert code == 2
    assert "has a meaning of its own" in err


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("maintenance", ("maintenance", "Maintenance")),
        ("RateLimit", ("rate_limit", "RateLimit")),
        ("rate_limit2", ("rate_limit_2", "RateLimit2")),
        ("HTTPGuard", ("http_guard", "HTTPGuard")),
        ("x", ("x", "X")),
    ],
)
def test_names_of_module_and_class(name: str, expected: tuple[str, str]) -> None:
    assert names(name) == expected
