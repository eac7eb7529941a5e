"""`passerelle demo`: what it says to try works, and nothing is left of it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tests.e2e.conftest import READY, Process

Run = Callable[..., Any]

ROOT = Path(__file__).parents[2]


def tried(line: str) -> tuple[str, int]:
    """Do what a line of the tour says: the path asked for, and the status."""
    words = shlex.split(line, comments=True)
    url = next(word for word in words if word.startswith("http://"))
    data = words[words.index("-d") + 1].encode() if "-d" in words else None
    fields = [words[at + 1].split(": ") for at, word in enumerate(words) if word == "-H"]
    try:
        with urlopen(Request(url, data, dict(fields)), timeout=60) as answer:
            answer.read()
            return urlsplit(url).path, answer.status
    except HTTPError as error:
        with error:
            return urlsplit(url).path, error.code


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_every_request_of_the_tour_works_and_nothing_stays(run: Run) -> None:
    """Two at once, which do not get in each other's way; one is told to end as a service is, one as at a terminal."""
    demos = {signal.SIGTERM: run("demo"), signal.SIGINT: run("demo")}
    assert len({demo.ready() for demo in demos.values()}) == 2
    for number, demo in demos.items():
        takes_the_tour(demo)
        (sample,) = children(demo.popen.pid)
        demo.send(number)
        assert demo.ended() == 0
        assert not is_alive(sample)


def takes_the_tour(demo: Process) -> None:
    demo.line("Ctrl-C ends it.")
    (ready,) = (line for line in demo.told if line.startswith(READY))
    tour = [line for line in demo.told if line.startswith("  curl ")]
    assert len(tour) == 12
    found = dict(tried(line) for line in tour)
    assert found.pop("/fail") == 503
    assert found.pop("/api/users") in (200, 201)
    assert set(found.values()) == {200}
    assert ready.removeprefix(READY) in tour[0]


def test_the_upstream_ends_also_when_the_demo_is_killed(run: Run) -> None:
    demo = run("demo")
    demo.ready()
    (sample,) = children(demo.popen.pid)
    with open(f"/proc/{sample}/stat") as file:
        assert file.read()
    demo.send(signal.SIGKILL)
    assert demo.ended() == -signal.SIGKILL
    watcher = subprocess.run([sys.executable, "-c", WATCH, str(sample)], timeout=60, check=False)
    assert watcher.returncode == 0


WATCH = """
import os, select, sys
try:
    fd = os.pidfd_open(int(sys.argv[1]))
except ProcessLookupError:
    sys.exit(0)
sys.exit(0 if select.select([fd], [], [], 15)[0] else 1)
"""


def test_the_file_of_the_working_directory_is_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    text = (ROOT / "config" / "demo.yaml").read_text().replace("hello from the gateway", "hello from here")
    (tmp_path / "config" / "demo.yaml").write_text(text)
    with urlopen(f"{run('demo').ready()}/hello", timeout=60) as answer:
        assert answer.read() == b"hello from here\n"
