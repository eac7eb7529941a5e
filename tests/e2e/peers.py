"""The processes of the end-to-end tests, how much memory they hold, and a client on a blocking socket."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

from tests.e2e.origin_app import BLOCK, PATIENCE, PIECE

COMMAND = Path(sys.executable).with_name("passerelle")
ORIGIN = Path(__file__).with_name("origin_app.py")
MIB = 1 << 20

_CONTENT = memoryview(BLOCK)

CONFIG = """
listen: [http://127.0.0.1:0]
admin: {{listen: http://127.0.0.1:0}}
upstreams:
  origin:
    targets: [http://127.0.0.1:{port}]
    timeouts: {{connect: 5s, first_byte: {wait}, between_bytes: {wait}}}
    retry: false
  nobody: {{targets: [http://127.0.0.1:1]}}
  nowhere: {{targets: [http://no-such-name.invalid]}}
plugins: []
routes:
  - {{name: nobody, match: {{path: /nobody}}, upstream: nobody}}
  - {{name: nowhere, match: {{path: /nowhere}}, upstream: nowhere}}
  - {{name: all, upstream: origin}}
"""


@contextmanager
def running(command: list[str], ready: str, said: Any) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process, once it has said what matches `ready` on `said` (its stdout or stderr); ended afterwards."""
    pipes: dict[str, Any] = {said: subprocess.PIPE}
    process = subprocess.Popen(command, text=True, **pipes)
    stream = process.stdout or process.stderr
    assert stream is not None
    told: list[str] = []
    for line in stream:
        told.append(line)
        if re.search(ready, line):
            break
    reader = threading.Thread(target=stream.read)  # so that it never blocks on a full pipe
    reader.start()
    try:
        yield process, told
    finally:
        process.terminate()
        process.wait(PATIENCE)
        reader.join()
        stream.close()


class Origin:
    """The upstream's process."""

    def __init__(self, port: int) -> None:
        self.port = port

    def facts(self, key: str, wait: str = "") -> dict[str, Any]:
        """What is known of a request, once `wait` is among it."""
        with urlopen(f"http://127.0.0.1:{self.port}/facts?of={key}&wait={wait}", timeout=PATIENCE + 5) as answer:
            said: dict[str, Any] = json.load(answer)
        return said

    def release(self, key: str) -> None:
        """Let what waits go on."""
        urlopen(f"http://127.0.0.1:{self.port}/release?of={key}", timeout=PATIENCE).close()


@contextmanager
def origin() -> Iterator[Origin]:
    """The upstream, running."""
    with running([sys.executable, str(ORIGIN)], r"\d+", "stdout") as (_, told):
        yield Origin(int(told[-1]))


class Gateway:
    """The gateway's process."""

    def __init__(self, pid: int, port: int, admin: int) -> None:
        self.pid = pid
        self.port = port
        self.admin = admin

    def memory(self) -> int:
        """Bytes that it holds now."""
        return _status(self.pid, "VmRSS")

    def peak(self) -> int:
        """The most bytes that it held since `forget_peak`; where the system does not tell, what it holds now."""
        return _status(self.pid, "VmHWM")

    def forget_peak(self) -> None:
        """Begin a new peak."""
        refs = Path(f"/proc/{self.pid}/clear_refs")
        if refs.exists():
            refs.write_text("5")

    def metric(self, line: str) -> float:
        """One figure of `/metrics`; 0 while it is not there."""
        with urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=PATIENCE) as answer:
            lines = answer.read().decode().splitlines()
        return next((float(one.rpartition(" ")[2]) for one in lines if one.startswith(f"{line} ")), 0.0)


def _status(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        found = re.search(rf"^{name}:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)])) * 1024


@contextmanager
def gateway(upstream: Origin, path: Path, wait: str = "20s") -> Iterator[Gateway]:
    """The real command, with `origin` behind it; `wait` is how long an upstream may be silent."""
    file = path / "passerelle.yaml"
    file.write_text(CONFIG.format(port=upstream.port, wait=wait))
    with serving(file) as running_gateway:
        yield running_gateway


@contextmanager
def serving(file: Path) -> Iterator[Gateway]:
    """The real command with a configuration; it has an admin listener and one other, both on ports of 127.0.0.1."""
    with running([str(COMMAND), "serve", "-c", str(file)], "passerelle listening on", "stderr") as (process, told):
        ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", "".join(told))]
        yield Gateway(process.pid, ports[-1], ports[0])


class Client:
    """One connection to the gateway, on a blocking socket.

    :ivar status: of the answer whose head was read last.
    """

    def __init__(self, port: int, *, receive_buffer: int = 0) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(("127.0.0.1", port))
        self.status = 0
        self.fields: dict[str, str] = {}
        self.held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.sock.close()

    def ask(self, method: str, target: str, *fields: str) -> None:
        """Send a head."""
        lines = [f"{method} {target} HTTP/1.1", "Host: example.test", *fields]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())

    def head(self) -> int:
        """Read an answer's head; gives its status, or 0 when the connection ended instead."""
        while b"\r\n\r\n" not in self.held:
            data = self.receive()
            if not data:
                return 0
            self.held += data
        head, _, self.held = self.held.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        self.status = int(line.split(" ")[1])
        self.fields = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        return self.status

    def receive(self) -> bytes:
        """What comes next; empty at the end, in good order or not."""
        try:
            return self.sock.recv(PIECE)
        except ConnectionError:
            return b""

    def rest(self) -> bytes:
        """Everything until the gateway closes."""
        data, self.held = self.held, b""
        while piece := self.receive():
            data += piece
        return data

    def small(self) -> Any:
        """Read a body of JSON that has a length."""
        while len(self.held) < int(self.fields["content-length"]):
            self.held += self.receive()
        return json.loads(self.held)

    def length_hash(self) -> tuple[int, str]:
        """Length and hash of a body that has a length."""
        left, digest, size = int(self.fields["content-length"]), hashlib.sha256(), 0
        piece, self.held = self.held, b""
        while left:
            digest.update(piece)
            size += len(piece)
            left -= len(piece)
            if left:
                piece = self.receive()
                if not piece:
                    break
        return size, digest.hexdigest()

    def chunked_hash(self) -> tuple[int, str]:
        """Length and hash of a body in chunks, up to its last chunk or to where it is cut."""
        digest, size = hashlib.sha256(), 0
        with self.sock.makefile("rb", PIECE) as file:
            held = self.held
            while True:
                line, held = _line(file, held)
                left = int(line or b"0", 16)
                if not left:
                    return (size, digest.hexdigest()) if line else (-1, "cut")
                size += left
                piece, held = held[:left], held[left:]
                digest.update(piece)
                digest.update(file.read(left - len(piece)))
                _, held = _line(file, held)

    def upload(self, size: int, *, chunked: bool = False, begin: int = 0) -> None:
        """Send the content from `begin` up to `size` bytes."""
        while begin < size:
            piece = content_from(begin, size)
            self.sock.sendall(b"%x\r\n%b\r\n" % (len(piece), bytes(piece)) if chunked else piece)
            begin += len(piece)
        if chunked:
            self.sock.sendall(b"0\r\n\r\n")


def content_from(begin: int, size: int) -> memoryview:
    """A piece of the content that has `size` bytes in all."""
    return _CONTENT[begin % len(BLOCK) :][: min(size - begin, PIECE)]


def _line(file: Any, held: bytes) -> tuple[bytes, bytes]:
    """A line that begins in `held` and goes on in `file`."""
    line, found, rest = held.partition(b"\n")
    if found:
        return line.strip(), rest
    return (line + file.readline()).strip(), b""
