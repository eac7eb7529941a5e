"""The server behind the proxies: fixed bodies, as cheap as possible, on the load's core.

nginx where it is installed; otherwise a small Python origin, which the report names, because a slow origin flatters
the slow proxies.
"""

from __future__ import annotations

import getpass
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.probe import wait_for
from benchmarks.process import LOAD_CORE, Child, free_port
from benchmarks.scenarios import FIXED_BODY, GIB, KIB, MIB, POSTED_BODY, SMALL_BODY

_CONFIGS = Path(__file__).parent / "configs"
_ROOT = Path(__file__).parent.parent
_RANDOM = random.Random(7)  # incompressible, and the same in every run
_FILES = {"64k": _RANDOM.randbytes(64 * KIB), "10m": _RANDOM.randbytes(10 * MIB)}
BODIES: dict[str, bytes] = {
    "/json": SMALL_BODY,
    "/post": POSTED_BODY,
    **{f"/{name}": body for name, body in _FILES.items()},
}
_HOLES = {"1g": GIB}  # files without content, which take no room on the disk; only nginx serves them


def fill(template: str, **values: object) -> str:
    """Return the config file `template` with every `@NAME@` replaced; all share the fixed texts and the user's name."""
    text = (_CONFIGS / template).read_text(encoding="utf-8")
    shared = {"USER": getpass.getuser(), "FIXED": FIXED_BODY.decode()}
    for name, value in {**shared, **values}.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def origin_kind() -> str:
    """Return which origin this machine gives: `nginx` or `python`."""
    return "nginx" if shutil.which("nginx") else "python"


def lengths(kind: str) -> dict[str, int]:
    """Return what an origin of that kind serves: the length of each answer by its path."""
    holes = {f"/{name}": size for name, size in _HOLES.items()} if kind == "nginx" else {}
    return {path: len(body) for path, body in BODIES.items()} | holes


def _nginx(directory: Path, port: int) -> list[str]:
    files = directory / "files"
    files.mkdir(exist_ok=True)
    for name, body in _FILES.items():
        (files / name).write_bytes(body)
    for name, size in _HOLES.items():
        with (files / name).open("wb") as file:
            file.truncate(size)
    config = directory / "origin.conf"
    values = {"PORT": port, "DIR": directory, "SMALL": SMALL_BODY.decode(), "POSTED": POSTED_BODY.decode()}
    config.write_text(fill(config.name, **values), encoding="utf-8")
    return ["nginx", "-p", str(directory), "-c", str(config)]


@contextmanager
def running_origin(directory: Path) -> Iterator[int]:
    """Run an origin in `directory` for the length of the block and yield its port.

    Raises:
        NotReady: when it does not answer in time.
    """
    port = free_port()
    if origin_kind() == "nginx":
        argv = _nginx(directory, port)
    else:
        argv = [sys.executable, str(_ROOT / "benchmarks" / "fallback_origin.py"), str(port)]
    env = {"PYTHONPATH": str(_ROOT)}
    with Child(argv, core=LOAD_CORE, log=directory / "origin.log", env=env) as child:
        wait_for(child, port, "/json", len(SMALL_BODY))
        yield port
