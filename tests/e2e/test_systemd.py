"""The real command under a service manager's protocols: activation by socket, readiness, reload, the watchdog."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

COMMAND = Path(sys.executable).with_name("passerelle")
_PATIENCE = 50.0  # seconds for anything that the process tells

# What a service manager does: the socket is descriptor 3, and LISTEN_PID is the process that is started.
LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[2], [sys.argv[2], "serve", "-c", sys.argv[3]])
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(_PATIENCE)
        yield sock


def config(tmp_path: Path, port: int, workers: int, body: str = "hello") -> Path:
    file = tmp_path / "gateway.yaml"
    file.write_text(
        f"listen: http://127.0.0.1:{port}\nadmin: false\nworkers: {workers}\n"
        f"routes: [{{name: all, plugins: {{respond: {{status: 200, body: {body}}}}}}}]\n"
    )
    return file


def told(manager: socket.socket, *, beginning: bytes) -> bytes:
    """The next message of a kind."""
    while not (message := manager.recv(4096)).startswith(beginning):
        pass
    return message


@pytest.mark.parametrize("workers", [1, 2])
def test_a_life_under_a_service_manager(tmp_path: Path, manager: socket.socket, workers: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        file = config(tmp_path, port, workers)
        env = {**os.environ, "NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "2000000"}
        command = [sys.executable, "-c", LAUNCH, str(listening.fileno()), str(COMMAND), str(file)]
        process = subprocess.Popen(command, env=env, pass_fds=(listening.fileno(),), stderr=subprocess.DEVNULL)
        try:
            ready = told(manager, beginning=b"READY=1").decode()
            assert f"MAINPID={process.pid}" in ready
            assert f"on http://127.0.0.1:{port}" in ready
            assert told(manager, beginning=b"WATCHDOG=1")
            url = f"http://127.0.0.1:{port}/"
            with urlopen(url, timeout=_PATIENCE) as answer:
                assert answer.read() == b"hello"
            config(tmp_path, port, workers, "again")
            process.send_signal(signal.SIGHUP)
            assert b"MONOTONIC_USEC=" in told(manager, beginning=b"RELOADING=1")
            told(manager, beginning=b"READY=1")
            with urlopen(url, timeout=_PATIENCE) as answer:
                assert answer.read() == b"again"
            process.send_signal(signal.SIGTERM)
            told(manager, beginning=b"STOPPING=1")
            assert process.wait(_PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass  # the manager's socket outlives the process: what comes meanwhile waits in it
