"""Instructions counted by valgrind's callgrind: a figure that neighbours, clocks and caches do not touch.

It is user space alone: no kernel, and no waiting. Two counts of one tree by one build of Python agree to about half a
per cent. Those of two builds do not, since no two compilers make the same interpreter, so a count names its build.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.counted import MARK
from benchmarks.environments import installed
from benchmarks.paths import PATHS
from benchmarks.peers import asked_version

_TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)
_LONGEST = 900  # seconds
_ON_THE_WAY = ("aiohttp", "multidict")  # compiled code that every request passes


class CountFailed(Exception):
    """There are no counts; the message says why."""


def missing() -> str | None:
    """Why nothing can be counted here; None when it can."""
    if shutil.which("valgrind") is not None:
        return None
    return f"valgrind is not installed on this {platform.system()} (on Debian: apt install valgrind)"


def build_of_python() -> dict[str, str]:
    """What counts depend on beside the tree: the interpreter's very code, the compiled libraries, the machine."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "binary": _digest(_interpreter()),
        "machine": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
        "libraries": ", ".join(pin.replace("==", " ") for pin in installed(*_ON_THE_WAY)),
        "valgrind": asked_version("valgrind", "--version"),
    }


def _interpreter() -> Path:
    """The file that holds the interpreter's code."""
    shared = Path(sysconfig.get_config_var("LIBDIR") or "") / (sysconfig.get_config_var("INSTSONAME") or "")
    return shared if sysconfig.get_config_var("Py_ENABLE_SHARED") and shared.is_file() else Path(sys.executable)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def count(tree: Path, names: Sequence[str]) -> dict[str, int]:
    """Instructions for one request, by the name of its path, of the project as it lies in the directory `tree`.

    :raises CountFailed: when the requests cannot be sent there, or were not counted.
    """
    with TemporaryDirectory(prefix="passerelle-count-") as where:
        environment = _environment(tree)
        sent = [sys.executable, "-m", "benchmarks.counted", *names]
        _run(sent, tree, environment)  # by itself first: what has to be compiled is then, and at full speed
        out = Path(where) / "counts"
        options = ["-q", "--tool=callgrind", "--vgdb=no", f"--callgrind-out-file={out}", f"--dump-before={MARK}"]
        said = _run(["valgrind", *options, *sent], tree, environment)
        ordered = [path.name for path in PATHS if path.name in names]
        return per_request(ordered, [out.with_name(f"counts.{at + 1}") for at in range(2 * len(ordered))], _sent(said))


def _environment(tree: Path) -> dict[str, str]:
    """Little, and the same for everyone: its size moves the stack, and with it what is aligned how."""
    return {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", os.defpath)}


def _run(argv: Sequence[str], tree: Path, environment: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            argv, cwd=tree, env=dict(environment), capture_output=True, text=True, timeout=_LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CountFailed(f"{argv[0]} did not run: {error}") from error
    if done.returncode:
        raise CountFailed(
            f"{argv[0]} ended with code {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}"
        )
    return done.stdout


def _sent(said: str) -> int:
    """How many requests lay between two marks, as the counted process tells."""
    if not said.strip().isdigit():
        raise CountFailed(f"the process that was counted said: {said.strip()[-2000:]!r}")
    return int(said)


def per_request(names: Sequence[str], dumps: Sequence[Path], requests: int) -> dict[str, int]:
    """Read what callgrind wrote down: for each path what led up to it, and then its requests.

    :raises CountFailed: when a file is not there, or holds no total.
    """
    return {name: round(_total(dumps[2 * at + 1]) / requests) for at, name in enumerate(names)}


def _total(dump: Path) -> int:
    try:
        found = _TOTALS.search(dump.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError as error:
        raise CountFailed(f"callgrind did not see the mark {MARK}: {dump.name} is not there") from error
    if found is None:
        raise CountFailed(f"{dump.name} holds no total")
    return int(found[1])
