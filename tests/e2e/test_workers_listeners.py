"""Listeners and WebSockets of a server with several processes: nobody is refused, and everybody is told of the end."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.e2e.conftest import Process, Run
from tests.e2e.crew import PLUGIN, pids, status, until, who
from tests.e2e.test_supervision import until_replaced
from tests.e2e.test_websockets import SERVER
from tests.unit.frontend.pki import Pki

PLAIN = "http://127.0.0.1:0"


@pytest.fixture
def sockets() -> Iterator[str]:
    """The URL of a server of WebSockets."""
    server = Process(sys.executable, "-c", SERVER)
    yield f"http://127.0.0.1:{server.line('port ').rpartition(' ')[2]}"
    server.kill()


@contextmanager
def connecting(port: int) -> Iterator[list[str]]:
    """Somebody connects again and again, and notes when it is refused."""
    refused: list[str] = []
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.001):
            try:
                socket.create_connection(("127.0.0.1", port), 10).close()
            except OSError as error:
                refused.append(repr(error))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield refused
    finally:
        over.set()
        thread.join()


def said(url: str, context: ssl.SSLContext, times: int = 20) -> set[str]:
    """What workers say over TLS."""

    def ask() -> str:
        with urlopen(f"{url}/who", timeout=60, context=context) as answer:
            return str(answer.read().decode().split()[0])

    return {ask() for _ in range(times)}


class House:
    """The gateway with two workers, and its file."""

    def __init__(self, run: Run, folder: Path, upstream: str) -> None:
        (folder / "who.py").write_text(PLUGIN)
        self.file = folder / "gateway.yaml"
        self.upstream = upstream
        self.write(PLAIN)
        self.gateway = run("serve", "-c", str(self.file))
        self.admin, self.url = self.gateway.admin(), self.gateway.ready()
        self.port = urlsplit(self.url).port or 0

    def write(self, listen: str) -> None:
        self.file.write_text(
            f"listen: {listen}\nadmin: {{listen: http://127.0.0.1:0}}\nworkers: 2\n"
            f"upstreams: {{app: {{targets: ['{self.upstream}']}}}}\nplugins: [./who.py]\n"
            "routes: [{name: app, upstream: app}]\n"
        )

    def reload(self, listen: str) -> None:
        """Listen like this, and wait until every worker does."""
        before = status(self.admin)["reload"]
        self.write(listen)
        self.gateway.send(signal.SIGHUP)
        until(lambda: bool(status(self.admin)["reload"] != before))


def changes_its_scheme(house: House, pki: Pki) -> None:
    secure = f"https://127.0.0.1:{house.port}"
    with connecting(house.port) as refused:
        house.reload(f"[{{url: https://127.0.0.1:0, tls: {{{pki.write('a', '127.0.0.1')}}}}}]")
        until(lambda: status(house.admin)["listen"] == [secure])
        assert said(secure, pki.client()) == {"hello"}
        victim = pids(house.admin)[0]
        os.kill(victim, signal.SIGKILL)
        until_replaced(house.admin, victim)
        assert said(secure, pki.client()) == {"hello"}, "a successor has the socket, too"
        house.reload(PLAIN)
        until(lambda: status(house.admin)["listen"] == [house.url])
        assert {word for word, _ in who(house.url)} == {"hello"}
    assert refused == []


def tells_websockets_of_the_end(house: House) -> None:
    with ExitStack() as stack:
        address = house.url.replace("http:", "ws:")
        joined = [stack.enter_context(connect(address, proxy=None, compression=None)) for _ in range(8)]
        for number, ws in enumerate(joined):
            ws.send(f"hello {number}")
            assert ws.recv(20) == f"hello {number}"
        house.gateway.send(signal.SIGTERM)
        for ws in joined:
            with pytest.raises(ConnectionClosed) as told:
                ws.recv(20)
            assert told.value.rcvd is not None
            assert told.value.rcvd.code == 1001
    assert house.gateway.ended() == 0


def test_a_listener_changes_its_scheme_and_every_websocket_is_told_of_the_end(
    run: Run, tmp_path: Path, sockets: str
) -> None:
    house = House(run, tmp_path, sockets)
    changes_its_scheme(house, Pki(tmp_path))
    tells_websockets_of_the_end(house)
