"""Children on chosen cores: started with a log, watched, and stopped by their own id.

A benchmark that leaves a proxy behind spoils every later run, so a child leads its own process group (nginx has
workers, taskset has a child) and the group is what is stopped and what CPU time is summed over.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PROXY_CORE = 0
LOAD_CORE = 1
STOP_SECONDS = 5.0
_PGRP, _UTIME, _STIME = 2, 11, 12  # proc(5), counted from the field after the command's name


def can_pin() -> bool:
    """Whether two cores and taskset are here; without them figures are taken unpinned, and the report says so."""
    return shutil.which("taskset") is not None and (os.cpu_count() or 1) > LOAD_CORE


def pinned(core: int, argv: Sequence[str]) -> list[str]:
    """Return `argv` so that it runs on `core` only, unchanged where pinning is impossible."""
    return ["taskset", "-c", str(core), *argv] if can_pin() else list(argv)


def free_port() -> int:
    """Return a loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """One pinned process group; a context manager that stops it.

    Raises:
        OSError: when the program cannot be started.
    """

    def __init__(self, argv: Sequence[str], *, core: int, log: Path, env: Mapping[str, str] | None = None) -> None:
        self._log = log
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                pinned(core, argv),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def last_words(self, lines: int = 3) -> str:
        """Return the end of what the child wrote, for a message about its death."""
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return " | ".join(text.splitlines()[-lines:]) or "it wrote nothing"

    def cpu_seconds(self) -> float | None:
        """Return the seconds of CPU used so far by the group's living processes; None where /proc is absent."""
        return group_cpu_seconds(self.pid)

    def stop(self) -> None:
        """Ask the group to end, wait, then insist."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait(STOP_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def group_cpu_seconds(group: int, proc: Path = Path("/proc")) -> float | None:
    """Return user plus system seconds of every process whose group is `group`, from proc(5)."""
    if not proc.is_dir():
        return None
    ticks = sum(_ticks(stat, group) for stat in proc.glob("[0-9]*/stat"))
    return ticks / os.sysconf("SC_CLK_TCK")


def _ticks(stat: Path, group: int) -> int:
    try:
        fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:  # it ended between the listing and the reading
        return 0
    return int(fields[_UTIME]) + int(fields[_STIME]) if int(fields[_PGRP]) == group else 0
