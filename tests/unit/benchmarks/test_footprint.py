"""A gateway is started, believed when it says that it is ready, and weighed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.footprint import (
    FOOTPRINTS,
    FootprintResult,
    Limit,
    Taken,
    idle,
    measure,
    notifications,
    ready,
    resident,
)
from benchmarks.probe import NotReady
from benchmarks.process import Child
from benchmarks.report import as_json, plot, report, scenario_section


@pytest.fixture
def result() -> FootprintResult:
    made = FootprintResult(FOOTPRINTS[0], {"bare chain": [], "default chain": []})
    made.runs["bare chain"] += [Taken(0.5, 0.4, 50, 8), Taken(0.7, 0.4, 52, 9), Taken(0.6, 0.4, 51, 10)]
    return made


def test_bars_are_held_against_medians_of_every_row(result: FootprintResult) -> None:
    lines = [verdict.line() for verdict in result.verdicts()]
    assert lines[:3] == [
        "met: bare chain: start 0.60 s <= 0.6 s",
        "met: bare chain: memory 51.00 MiB <= 60 MiB",
        "met: bare chain: idle 9.00 KiB <= 12 KiB",
    ]
    assert lines[3] == "not judged: default chain: start: no figure"
    result.runs["bare chain"].append(Taken(0.9, 0.4, 90, 30))
    assert result.verdicts()[0].line() == "MISSED: bare chain: start 0.65 s > 0.6 s"


def test_it_is_reported_like_every_other_table(result: FootprintResult) -> None:
    result.failures.append("default chain: it fell over")
    section = scenario_section(result)
    assert "| bare chain    |    0.60 |" in section
    assert "- FAILED: default chain: it fell over" in section
    assert section in report([result], {"machine": "m"}, "3 runs")
    assert '"memory": 52' in as_json([result], {})
    assert plot(result) is None
    assert result.crashed


def test_the_bars_are_those_that_are_promised() -> None:
    assert FOOTPRINTS[0].bars == (Limit("start", 0.6), Limit("memory", 60), Limit("idle", 12))


def test_the_gateway_itself(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        taken = measure_without_asking(tmp_path, nobody.getsockname()[1])
    assert taken.start > 0
    assert 20 < taken.memory < 200


def measure_without_asking(where: Path, origin: int) -> Taken:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.footprint.idle", lambda port, pid: 0.0)
        return measure(where, origin, "default-chain")


def test_a_child_that_ends_is_not_ready(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "raise SystemExit('no file')"]
    with (
        notifications(tmp_path / "notify") as told,
        Child(argv, core=0, log=tmp_path / "log") as child,
        pytest.raises(NotReady, match="no file"),
    ):
        ready(told, child)


SERVER = """
import socket, sys
listening = socket.create_server(("127.0.0.1", 0), backlog=100)
print(listening.getsockname()[1], flush=True)
held = []
while True:
    connection = listening.accept()[0]
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 %s OK" % sys.argv[1].encode())
    held.append((connection, b"x" * int(sys.argv[2])))
"""


def serve(stack: ExitStack, status: int, each: int) -> tuple[int, int]:
    argv = [sys.executable, "-c", SERVER, str(status), str(each)]
    child = stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
    stack.callback(child.kill)
    assert child.stdout is not None
    return int(child.stdout.readline()), child.pid


def test_what_a_connection_keeps_is_seen() -> None:
    with ExitStack() as stack:
        port, pid = serve(stack, 200, 1 << 20)
        assert 0.9 * (1 << 20) < idle(port, pid, 20) < 1.2 * (1 << 20)


def test_another_answer_is_none() -> None:
    with ExitStack() as stack:
        port, pid = serve(stack, 502, 1)
        with pytest.raises(NotReady, match="502"):
            idle(port, pid, 1)


def test_memory_is_that_of_a_process() -> None:
    assert resident(os.getpid()) > 1 << 22
    with pytest.raises(OSError, match="statm"):
        resident(1, Path("/nowhere"))
