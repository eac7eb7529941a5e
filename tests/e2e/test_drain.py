"""The end of the real command: what is under way ends, in the order that load balancers need."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

Run = Callable[..., Any]

SIZE = 20_000_000
PIECE = 1 << 18


def connect(url: str, *, receive_buffer: int = 0) -> socket.socket:
    parts = urlsplit(url)
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(60)
    sock.connect((parts.hostname, parts.port))
    return sock


def ask(sock: socket.socket, target: str) -> bytes:
    """Send a request and read its answer up to the end of the head; gives what came."""
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    found = b""
    while b"\r\n\r\n" not in found:
        piece = sock.recv(4096)
        assert piece, found
        found += piece
    return found


def rest(sock: socket.socket) -> int:
    """How much comes until the other side closes."""
    size = 0
    while piece := sock.recv(PIECE):
        size += len(piece)
    return size


def status(url: str) -> int:
    try:
        with urlopen(url, timeout=60) as answer:
            code: int = answer.status
            return code
    except HTTPError as error:
        with error:
            return error.code


def drained(config: Path, how: str) -> Path:
    config.write_text(f"{config.read_text()}drain: {how}\n")
    return config


def test_slow_downloads_end_whole_and_then_the_process(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(drained(config, "{timeout: 20s}")))
    url = gateway.ready()
    with connect(url, receive_buffer=65536) as one, connect(url, receive_buffer=65536) as two:
        begun = [ask(sock, f"/large?bytes={SIZE}") for sock in (one, two)]
        assert all(head.startswith(b"HTTP/1.1 200") for head in begun)
        gateway.send(signal.SIGTERM)
        gateway.line("draining: 2 requests under way")
        for sock, head in zip((one, two), begun, strict=True):
            assert len(head.partition(b"\r\n\r\n")[2]) + rest(sock) == SIZE
    assert gateway.ended() == 0


def test_what_takes_longer_than_the_timeout_is_cut(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(drained(config, "{timeout: 300ms}")))
    with connect(gateway.ready(), receive_buffer=65536) as sock:
        ask(sock, f"/large?bytes={SIZE}")
        began = time.monotonic()
        gateway.send(signal.SIGTERM)
        assert gateway.ended() == 0
        assert time.monotonic() - began < 5
        with suppress(ConnectionResetError):
            assert rest(sock) < SIZE


def test_readiness_goes_first_and_requests_are_still_taken_for_the_delay(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(drained(config, "{delay: 1s, timeout: 10s}")))
    admin, url = gateway.admin(), gateway.ready()
    with connect(url) as kept:
        assert b"connection: close" not in ask(kept, "/hello").lower()
        assert status(f"{admin}/readyz") == 200
        gateway.send(signal.SIGTERM)
        gateway.line("told to end")
        assert status(f"{admin}/readyz") == 503
        assert status(f"{admin}/healthz") == 200
        assert status(f"{url}/hello") == 200  # on a new connection
        gateway.line("draining: 0 requests under way")
        assert rest(kept) == 0  # idle: closed
    assert gateway.ended() == 0


def test_an_answer_that_begins_while_it_drains_says_that_the_connection_ends(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(drained(config, "{timeout: 10s}")))
    url = gateway.ready()
    with connect(url) as sock:
        sock.sendall(b"GET /slow?ms=700 HTTP/1.1\r\nHost: a\r\n\r\n")
        while status(f"{url}/hello") != 200:
            continue
        gateway.send(signal.SIGTERM)
        gateway.line("draining: 1 requests under way")
        found = b""
        while piece := sock.recv(4096):
            found += piece
    assert found.startswith(b"HTTP/1.1 200")
    assert b"\r\nconnection: close\r\n" in found.lower()
    assert gateway.ended() == 0


def test_plugins_are_stopped_and_may_still_tell(run: Run, config: Path) -> None:
    told = config.with_name("told")
    config.with_name("flush.py").write_text(
        "from proxy.api import *\n\nclass Flush(Plugin[PluginConfig]):\n"
        "    async def start(self, services):\n        self.seen = []\n"
        "        services.events.subscribe('system.draining', lambda event: self.seen.append(event.type))\n"
        f"    async def stop(self):\n        open({str(told)!r}, 'w').write(' '.join(self.seen))\n"
    )
    config.write_text(f"{config.read_text()}plugins: [./flush.py]\n")
    gateway = run("serve", "-c", str(config))
    gateway.ready()
    gateway.send(signal.SIGINT)
    assert gateway.ended() == 0
    assert told.read_text() == "system.draining"
