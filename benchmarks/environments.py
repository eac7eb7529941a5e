"""An environment of its own for each Python peer, made when first asked for and kept.

A peer measured inside the project's environment would share the project's pins, and the project would carry the
peer's libraries. The directory is named for its requirements, so a changed pin makes a new one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".venv-bench"
_REQUIREMENTS = Path(__file__).parent / "requirements"
_MINUTES = 5


class Unavailable(Exception):
    """The environment could not be made, usually because no package index can be reached."""


def installed(*names: str) -> tuple[str, ...]:
    """Return pins of what this interpreter has of `names`, so that a peer runs the very same versions."""
    present = {name for name in names if _has(name)}
    return tuple(f"{name}=={metadata.version(name)}" for name in sorted(present))


def _has(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def written(name: str) -> tuple[str, ...]:
    """Return the pins written in `requirements/NAME.txt`."""
    text = (_REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#"))


def ensure(name: str, pins: Sequence[str], cache: Path = CACHE) -> Path:
    """Return the interpreter of an environment that holds `pins`, making it if need be.

    Raises:
        Unavailable: when it cannot be made; the message is the last line of what the installer said.
    """
    digest = hashlib.sha256("\n".join([sys.version, *sorted(pins)]).encode()).hexdigest()[:10]
    home = cache / f"{name}-{digest}"
    python, finished = home / "bin" / "python", home / "finished"
    if not finished.exists():
        print(f"making the environment of {name}", flush=True)
        _make(home, python, pins)
        (cache / ".gitignore").write_text("*\n", encoding="utf-8")
        finished.touch()
    return python


def _make(home: Path, python: Path, pins: Sequence[str]) -> None:
    shutil.rmtree(home, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(home)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins])


def _run(argv: list[str]) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60 * _MINUTES, env=os.environ, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode:
        raise Unavailable((done.stderr.strip().splitlines() or ["the installer failed"])[-1])
