"""Uploads whose upstream process is killed in the middle: an answer always comes, and nothing arrives twice."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.e2e import peers
from tests.e2e.origin_app import PATIENCE
from tests.e2e.peers import MIB, Client, Gateway

# Tells in a file, a line in one piece, which upload has begun where, and which has come whole.
TARGET = """
import os, re, socket, sys, threading

book = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND)

def tell(*words):
    os.write(book, (" ".join(map(str, words)) + "\\n").encode())

def serve(sock):
    with sock, sock.makefile("rb") as file:
        while (line := file.readline()):
            path, left, size = line.split()[1].decode(), 0, 0
            while (field := file.readline().strip()):
                if field.lower().startswith(b"content-length:"):
                    left = int(field.split(b":")[1])
                chunked = field.lower() == b"transfer-encoding: chunked"
                left = left if not chunked else -1
            tell("began", path, os.getpid())
            if left < 0:
                while (count := int(file.readline(), 16)):
                    size += len(file.read(count))
                    file.readline()
                file.readline()
            else:
                size = len(file.read(left))
                if size < left:
                    return
            tell("whole", path, size)
            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")

server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(server.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""
CONFIG = """
listen: [http://127.0.0.1:0]
admin: {{listen: http://127.0.0.1:0}}
upstreams:
  app: {{targets: [{targets}], eject: false, retry: {{attempts: 2}}}}
  kept: {{targets: [{targets}], eject: false, retry: {{attempts: 2, buffer: 1MiB}}}}
plugins: []
routes:
  - {{name: kept, match: {{path: /kept/*}}, upstream: kept}}
  - {{name: all, upstream: app}}
"""


class Targets:
    """Two processes, and what they have told."""

    def __init__(self, folder: Path) -> None:
        self.book = folder / "book"
        self.book.write_text("")
        self.made = [self.start(0), self.start(0)]

    def start(self, port: int) -> tuple[subprocess.Popen[str], int]:
        command = [sys.executable, "-c", TARGET, str(port), str(self.book)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    def kill(self, pid: int) -> int:
        """Kill one of them; gives its port, at which nobody is then."""
        process, port = next(one for one in self.made if one[0].pid == pid)
        process.kill()
        process.wait(PATIENCE)
        if process.stdout is not None:
            process.stdout.close()
        self.made.remove((process, port))
        return port

    def told(self, word: str, path: str) -> list[int]:
        lines = (line.split() for line in self.book.read_text().splitlines())
        return [int(number) for said, at, number in lines if (said, at) == (word, path)]

    def begun(self, path: str) -> int:
        """The process at which an upload has begun."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.told("began", path)):
            assert time.monotonic() < deadline, "it does not begin"
        return found[0]


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    made = Targets(tmp_path_factory.mktemp("targets"))
    with ExitStack() as stack:
        stack.callback(lambda: [made.kill(process.pid) for process, _ in list(made.made)])
        yield made


@pytest.fixture(scope="module")
def gateway(targets: Targets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    file = tmp_path_factory.mktemp("gateway") / "passerelle.yaml"
    file.write_text(CONFIG.format(targets=", ".join(f"http://127.0.0.1:{port}" for _, port in targets.made)))
    with peers.serving(file) as running:
        yield running


def upload(gateway: Gateway, targets: Targets, method: str, path: str, *, chunked: bool = False) -> tuple[int, Client]:
    """Half a MiB goes to a process that is then killed; the rest follows. Gives the status of the answer."""
    client = Client(gateway.port)
    client.ask(method, path, "Transfer-Encoding: chunked" if chunked else f"Content-Length: {MIB}")
    half = peers.content_from(0, MIB // 2)
    sent = len(half)
    client.sock.sendall(b"%x\r\n%b\r\n" % (sent, bytes(half)) if chunked else half)
    port = targets.kill(targets.begun(path))
    with suppress(ConnectionError):
        client.upload(MIB, chunked=chunked, begin=sent)
    began = time.monotonic()
    found = client.head()
    assert time.monotonic() - began < 5, "it never hangs"
    targets.made.append(targets.start(port))
    return found, client


@pytest.mark.parametrize(
    ("method", "chunked"), [("POST", False), ("POST", True), ("PUT", False)], ids=["post", "chunked", "put"]
)
def test_what_may_not_or_cannot_be_sent_again_is_a_bad_gateway(
    method: str, chunked: bool, targets: Targets, gateway: Gateway
) -> None:
    """POST is not to be repeated (RFC 9110, 9.2.2), and of a large PUT the beginning is no longer there."""
    path = f"/{method}{chunked}"
    status, client = upload(gateway, targets, method, path, chunked=chunked)
    with client:
        assert status == 502
        assert "error=connection_terminated" in client.fields["proxy-status"]
    assert (len(targets.told("began", path)), targets.told("whole", path)) == (1, [])


def test_what_is_kept_and_may_be_sent_again_arrives_once(targets: Targets, gateway: Gateway) -> None:
    status, client = upload(gateway, targets, "PUT", "/kept/put")
    with client:
        assert status == 200
    assert targets.told("whole", "/kept/put") == [MIB]


def test_a_post_that_is_kept_is_still_not_sent_again(targets: Targets, gateway: Gateway) -> None:
    status, client = upload(gateway, targets, "POST", "/kept/post")
    with client:
        assert status == 502
    assert (len(targets.told("began", "/kept/post")), targets.told("whole", "/kept/post")) == (1, [])
