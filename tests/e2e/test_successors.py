"""What a worker's death leaves to its successor, as operators see it: figures, streams of events, watched files."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import Run
from tests.e2e.crew import PLUGIN, get, kept, pids, status, until, who
from tests.e2e.test_supervision import serving

REQUESTS = 'passerelle_requests_total{route="app",status="200"}'


@pytest.fixture
def config(tmp_path: Path, upstream: str) -> Path:
    """Four workers that say who they are and tell of every request."""
    (tmp_path / "who.py").write_text(PLUGIN)
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "listen: http://127.0.0.1:0\nadmin: {listen: http://127.0.0.1:0}\nworkers: 4\n"
        f"upstreams: {{app: {{targets: ['{upstream}']}}}}\nplugins: [./who.py: {{word: hello}}, events: {{}}]\n"
        "routes: [{name: app, upstream: app}]\n"
    )
    return file


@contextmanager
def listener(admin: str, types: str, receive_buffer: int = 65536) -> Iterator[socket.socket]:
    """A connection on which events come."""
    parts = urlsplit(admin)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(60)
        sock.connect((parts.hostname, parts.port))
        sock.sendall(f"GET /api/v1/events?type={types} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        yield sock


@contextmanager
def events(admin: str, types: str) -> Iterator[queue.Queue[dict[str, object]]]:
    """What a listener hears, as it hears it, once it listens."""
    heard: queue.Queue[dict[str, object]] = queue.Queue()
    with listener(admin, types) as sock, sock.makefile("rb") as lines:
        while b": listening" not in next(lines):
            continue

        def listen() -> None:
            for line in lines:
                if line.startswith(b"data:"):
                    heard.put(json.loads(line.removeprefix(b"data:")))

        listening = threading.Thread(target=listen)
        listening.start()
        yield heard
        sock.shutdown(socket.SHUT_RDWR)
        listening.join()


def requests(admin: str) -> float:
    lines = get(f"{admin}/metrics").decode().splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(REQUESTS))


def test_one_of_four_is_killed_and_nothing_but_its_own_requests_is_missed(run: Run, config: Path) -> None:
    gateway = run("serve", "--watch", "-c", str(config))
    admin, url = gateway.admin(), gateway.ready()
    with ExitStack() as stack:
        heard = stack.enter_context(events(admin, "request.completed,system.*"))
        ends = [stack.enter_context(kept(url)) for _ in range(40)]
        assert (requests(admin), status(admin)["requests_total"]) == (40, 40)
        before, victim = pids(admin), ends[0][1]
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        for sock, pid in ends:
            if pid == victim:
                with suppress(ConnectionResetError):
                    assert sock.recv(1) == b""
            else:
                sock.sendall(b"GET /who HTTP/1.1\r\nHost: a\r\n\r\n")
                assert sock.recv(65536).endswith(b" %d" % pid)
        until(lambda: len(pids(admin)) == 4 and victim not in pids(admin))
        print(f"\nanother is up {time.monotonic() - began:.2f} s after one of four was killed")
    left = sum(pid != victim for _, pid in ends)
    assert (requests(admin), status(admin)["requests_total"]) == (40 + left, 40 + left), "nothing that was told is lost"
    told = [heard.get(timeout=60) for _ in range(40 + left + 1)]
    (died,) = (event for event in told if event["type"] == "system.worker_died")
    assert abs(float(str(died["time"])) - time.time()) < 120
    assert died["data"] == {"worker": before.index(victim), "pid": victim, "reason": "killed by SIGKILL"}
    (config.parent / "who.py").write_text(PLUGIN.replace("{self.config.word} ", "watched "))
    gateway.line("config.reloaded")
    assert {word for word, _ in who(url)} == {"watched"}, "every worker follows a file that has changed"


def test_events_go_on_when_every_worker_dies_at_once(run: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("workers: 4", "workers: 2"))
    gateway = run("serve", "-c", str(config))
    admin, url = gateway.admin(), gateway.ready()
    with events(admin, "request.completed") as heard, listener(admin, "*", 4096) as slow:
        victims = pids(admin)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(found := serving(admin)) == 2 and not set(found) & set(victims))
        pids_seen = {pid for _, pid in who(url, 30)}
        assert pids_seen <= set(pids(admin))
        assert [heard.get(timeout=60)["type"] for _ in range(30)] == ["request.completed"] * 30
        assert slow.recv(65536).startswith(b"HTTP/1.1 200"), "it has read nothing until now, and nobody waited for it"
