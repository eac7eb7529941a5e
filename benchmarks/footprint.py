"""What a gateway takes before anybody asks it: time until it is ready, memory, and what a connection that waits keeps.

Ready is when it tells a service manager so (sd_notify(3)). Memory is the resident set of the process that serves, once
that; a connection's share is what a thousand of them add that have had one answer each and stay open.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.origin import running_origin
from benchmarks.peers import PEERS, Absent, Plan
from benchmarks.probe import NotReady
from benchmarks.process import PROXY_CORE, Child, free_port
from benchmarks.results import PeerResult, Verdict
from benchmarks.scenarios import KIB, MIB, SUBJECT, Serve
from benchmarks.stats import Spread, spread

CONNECTIONS = 1000
_PATIENCE = 60.0  # seconds
_REQUEST = b"GET /json HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: footprint\r\nX-Request-ID: %032x\r\n\r\n"

Figure = Literal["start", "memory", "idle"]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so much of a figure, in its unit."""

    figure: Figure
    most: float


@dataclass(frozen=True, slots=True)
class Footprint:
    """The table of what configurations take: rows by name, each the subject in one form."""

    name: str
    title: str
    rows: Mapping[str, Serve]
    bars: tuple[Limit, ...]


FOOTPRINTS: tuple[Footprint, ...] = (
    Footprint(
        "footprint",
        "From the command to being ready, memory then, and what an idle connection adds",
        {"bare chain": "forward", "default chain": "default-chain"},
        (Limit("start", 0.6), Limit("memory", 60), Limit("idle", 12)),
    ),
)
UNITS: Mapping[Figure, str] = {"start": "s", "memory": "MiB", "idle": "KiB"}


@dataclass(frozen=True, slots=True)
class Taken:
    """One run: `start` and `cpu` in seconds, `memory` in MiB, `idle` in KiB for a connection."""

    start: float
    cpu: float
    memory: float
    idle: float


@dataclass(slots=True)
class FootprintResult:
    """What came of a footprint; has the face of a scenario's result, with no peers."""

    scenario: Footprint
    runs: dict[str, list[Taken]]
    failures: list[str] = field(default_factory=list)
    peers: Mapping[str, PeerResult] = field(default_factory=dict)

    @property
    def crashed(self) -> list[str]:
        """Runs in which the gateway did not come up, or died."""
        return self.failures

    def spread(self, row: str, measure: Callable[[Taken], float]) -> Spread | None:
        """Summarise a figure over the runs of a row."""
        return spread([measure(taken) for taken in self.runs[row]])

    def verdicts(self) -> list[Verdict]:
        """Hold every bar against every row."""
        return [self._judge(row, bar) for row in self.runs for bar in self.scenario.bars]

    def _judge(self, row: str, bar: Limit) -> Verdict:
        found = self.spread(row, lambda taken: float(getattr(taken, bar.figure)))
        about, unit = f"{row}: {bar.figure}", UNITS[bar.figure]
        if found is None:
            return Verdict(f"{about}: no figure", None)
        met = found.median <= bar.most
        return Verdict(f"{about} {found.median:.2f} {unit} {'<=' if met else '>'} {bar.most:g} {unit}", met)


def run_footprint(footprint: Footprint, runs: int, say: Callable[[str], None]) -> FootprintResult:
    """Start every row by turns, `runs` times.

    :raises NotReady: when the origin does not come up.
    """
    result = FootprintResult(footprint, {row: [] for row in footprint.rows})
    with tempfile.TemporaryDirectory(prefix="passerelle-bench-") as where, running_origin(Path(where)) as origin:
        for turn in range(runs):
            for row, serve in footprint.rows.items():
                try:
                    taken = measure(Path(where), origin, serve)
                except (NotReady, Absent, OSError) as error:
                    result.failures.append(f"{row}: {error}")
                    say(f"{footprint.name} {turn + 1}: {row} FAILED: {error}")
                    continue
                result.runs[row].append(taken)
                say(f"{footprint.name} {turn + 1}: {row} {taken.start:.2f} s, {taken.memory:.1f} MiB")
    return result


def measure(where: Path, origin: int, serve: Serve) -> Taken:
    """Start the subject once and take its figures.

    :raises NotReady: when it does not come up, or does not answer.
    :raises Absent: when it is not installed.
    """
    plan = Plan(where, free_port(), origin, serve)
    argv = PEERS[SUBJECT].argv(plan)
    with notifications(where / "notify") as told:
        began = time.perf_counter()
        with Child(argv, core=PROXY_CORE, log=where / "log", env={"NOTIFY_SOCKET": str(where / "notify")}) as child:
            ready(told, child)
            start, cpu = time.perf_counter() - began, child.cpu_seconds()
            memory = resident(child.pid)
            return Taken(start, cpu or 0.0, memory / MIB, idle(plan.port, child.pid) / KIB)


@contextmanager
def notifications(path: Path) -> Iterator[socket.socket]:
    """A service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(path))
        told.settimeout(0.2)
        try:
            yield told
        finally:
            path.unlink()


def ready(told: socket.socket, child: Child) -> None:
    """Return once the child says that it is ready. :raises NotReady: when it does not in time, or has ended."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and child.alive():
        try:
            if b"READY=1" in told.recv(4096).split(b"\n"):
                return
        except TimeoutError:
            continue
    raise NotReady(f"it did not say that it is ready: {child.last_words()}")


def resident(pid: int, proc: Path = Path("/proc")) -> int:
    """Bytes of memory that a process has, from proc(5). :raises OSError: where that is not told."""
    pages = int((proc / str(pid) / "statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def idle(port: int, pid: int, count: int = CONNECTIONS) -> float:
    """Bytes that each of `count` connections adds which are open and do nothing."""
    with ExitStack() as stack:
        for number in range(50):  # what the first requests leave behind is not a connection's
            asked(stack, port, number)
        before = resident(pid)
        for number in range(count):
            asked(stack, port, number)
        return (resident(pid) - before) / count


def asked(stack: ExitStack, port: int, number: int) -> None:
    """Open a connection that has had its answer. :raises NotReady: when that is no 200."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE))
    connection.sendall(_REQUEST % number)
    answer = connection.recv(65536)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise NotReady(f"it answered {answer[:200]!r}")
