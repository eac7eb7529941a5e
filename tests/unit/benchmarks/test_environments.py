"""Pins, and an environment that cannot be made."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from benchmarks.environments import Unavailable, ensure, installed, written


def test_pins_follow_what_is_installed_and_skip_what_is_not() -> None:
    assert installed("pytest", "no-such-distribution-here") == (f"pytest=={metadata.version('pytest')}",)


def test_written_pins_are_exact() -> None:
    pins = written("textbook-starlette")
    assert {"starlette", "httpx", "uvicorn"} <= {pin.partition("==")[0] for pin in pins}
    assert all("==" in pin for pin in pins)


def test_an_environment_that_cannot_be_made_is_refused_each_time(tmp_path: Path) -> None:
    blocked = tmp_path / "a file where the directory should be"
    blocked.touch()
    for _ in range(2):  # the second try must not take the first one for done
        with pytest.raises(Unavailable):
            ensure("peer", ["pytest==0"], blocked)
