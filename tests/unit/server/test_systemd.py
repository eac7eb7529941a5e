"""The service manager's protocols, over a real datagram socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.server.systemd import Notifier, activated, take

PROGRAM = """
import os, socket, sys
from proxy.server.systemd import activated
os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4)
env = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:other"}
found = activated(env)
assert env == {}, env
print([sock.getsockname()[1] for sock in found], [os.get_inheritable(sock.fileno()) for sock in found])
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(2)
        yield sock


def test_states(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ready("listening on http://127.0.0.1:8080")
    assert manager.recv(4096).decode().splitlines() == [
        "READY=1",
        f"MAINPID={os.getpid()}",
        "STATUS=listening on http://127.0.0.1:8080",
    ]
    notifier.reloading(12.5)
    assert manager.recv(4096) == b"RELOADING=1\nMONOTONIC_USEC=12500000"
    notifier.status("serving")
    assert manager.recv(4096) == b"STATUS=serving"
    notifier.alive()
    assert manager.recv(4096) == b"WATCHDOG=1"
    notifier.stopping()
    assert manager.recv(4096).startswith(b"STOPPING=1")


@pytest.mark.parametrize(
    ("env", "seconds"),
    [
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "20000000"}, 10.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "/x"}, None),
        ({"WATCHDOG_USEC": "20000000"}, None),
    ],
)
def test_the_watchdog_wants_a_sign_twice_in_its_time(env: dict[str, str], seconds: float | None) -> None:
    assert Notifier(env).watchdog == seconds


def test_nothing_is_sent_without_a_manager() -> None:
    Notifier({}).ready("nobody listens")


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()


def test_sockets_of_an_activation() -> None:
    """In a process of its own: descriptors 3 and on are the test runner's here."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        fds = tcp.fileno(), other.fileno()
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, fds)],
            pass_fds=fds,
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[3],
        )
        assert done.stdout == f"[{tcp.getsockname()[1]}] [False]\n", done.stderr
    assert "descriptor 4 of the service manager is no TCP socket" in done.stderr


@pytest.mark.parametrize(
    "env",
    [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "2"}, {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many"}],
)
def test_sockets_of_another_process_are_left_alone(env: dict[str, str]) -> None:
    assert activated(env) == []


def test_sockets_are_taken_for_their_addresses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        free = [one, other]
        assert take(free, "127.0.0.1", one.getsockname()[1]) == [one]
        assert free == [other]
        assert take(free, "127.0.0.2", other.getsockname()[1]) == []
        assert take(free, "no.such.host.invalid", 80) == []
