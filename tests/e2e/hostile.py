"""Both sides of an attack: a gateway with little patience, an upstream that misbehaves, and clients that do."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.origin_app import PATIENCE
from tests.e2e.peers import COMMAND, MIB, Client, Gateway, running

SHORT = 0.5  # seconds that the gateway has patience for, here
GROWTH = 24 * MIB  # what the gateway's process may rise by under an attack

CONFIG = """
listen: [http://127.0.0.1:0]
admin: {{listen: http://127.0.0.1:0}}
timeouts: {{head: {short}s, between_bytes: {short}s, slow_reader: {short}s, keep_alive: 20s}}
{more}
upstreams:
  origin:
    targets: [http://127.0.0.1:{port}]
    timeouts: {{first_byte: 1s, between_bytes: 1s}}
    retry: false
plugins: [{plugins}]
routes:
  - {{name: fixed, match: {{path: /fixed}}, plugins: {{respond: {{body: fixed}}}}}}
  - {{name: patient, match: {{path: /patient/*}}, upstream: origin, timeouts: {{between_bytes: 20s}}}}
  - {{name: all, upstream: origin}}
"""

Handler = Callable[[socket.socket, bytes], None]


class Hostile:
    """An upstream with a thread for each connection: every target does what its handler does.

    :ivar handlers: by target; the connection is closed when one returns. Any other target is answered in good order.
    """

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._server.getsockname()[1])
        self.handlers: dict[str, Handler] = {}
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        with sock, suppress(OSError):
            while head := read_head(sock):
                handler = self.handlers.get(head.split(b" ")[1].decode())
                if handler is not None:
                    handler(sock, head)
                    return
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def close(self) -> None:
        """Accept no more."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(PATIENCE)


def read_head(sock: socket.socket) -> bytes:
    """A request's head, and what came with it. Empty at the end."""
    held = b""
    while b"\r\n\r\n" not in held:
        data = sock.recv(65536)
        if not data:
            return b""
        held += data
    return held


def swallow(sock: socket.socket, head: bytes) -> None:
    """Take all that comes, and answer nothing."""
    while sock.recv(65536):
        pass


def take(size: int) -> Handler:
    """Take a body of so many bytes, then answer."""

    def handler(sock: socket.socket, head: bytes) -> None:
        left = size - len(head.partition(b"\r\n\r\n")[2])
        while left > 0 and (data := sock.recv(65536)):
            left -= len(data)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    return handler


@contextmanager
def origin() -> Iterator[Hostile]:
    """The upstream, running."""
    hostile = Hostile()
    try:
        yield hostile
    finally:
        hostile.close()


@contextmanager
def gateway(upstream: Hostile, path: Path, *, more: str = "", plugins: str = "") -> Iterator[Gateway]:
    """The real command, with little patience.

    :param more: more of the configuration's top level.
    :param plugins: the chain, in flow style.
    """
    file = path / "hostile.yaml"
    file.write_text(CONFIG.format(port=upstream.port, short=SHORT, more=more, plugins=plugins))
    with running([str(COMMAND), "serve", "-c", str(file)], "passerelle listening on", "stderr") as (process, told):
        assert "listening" in told[-1], "".join(told)
        ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", "".join(told))]
        yield Gateway(process.pid, ports[-1], ports[0])


def serves(gateway: Gateway, count: int = 20) -> None:
    """A client like any other gets its answers, made here and by the upstream."""
    with Client(gateway.port) as client:
        for number in range(count):
            client.ask("GET", "/fixed" if number % 2 else "/small")
            assert client.head() == 200
            assert client.held == (b"fixed" if number % 2 else b"ok")


@contextmanager
def bounded(gateway: Gateway, growth: int = GROWTH) -> Iterator[None]:
    """Whatever is done, the gateway's memory does not rise by more than that; and it serves afterwards."""
    serves(gateway)
    gateway.forget_peak()
    before = gateway.memory()
    yield
    risen = gateway.peak() - before
    print(f"risen by {risen / MIB:.1f} MiB")
    assert risen < growth
    serves(gateway)


def send_all(client: Client, data: bytes) -> bool:
    """Send until the gateway closes or takes no more; tells whether all of it was taken."""
    try:
        client.sock.sendall(data)
    except OSError:
        return False
    return True
