"""The access log of the real command: a line for whatever becomes of an exchange, and none lost or mixed."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.e2e.conftest import command

Run = Callable[..., Any]

CONFIG = """
listen: http://127.0.0.1:0
admin: {{listen: http://127.0.0.1:0}}
workers: {workers}
upstreams:
  app: {{targets: ["{upstream}"]}}
  nobody: {{targets: ["http://127.0.0.1:1"], retry: false}}
plugins:
  - access_log: {options}
routes:
  - {{name: nobody, match: {{path: /nobody}}, upstream: nobody}}
  - {{name: hello, match: {{path: /hello}}, plugins: {{respond: {{status: 200, body: hello}}}}}}
  - {{name: quiet, match: {{path: /quiet}}, plugins: {{respond: {{status: 200}}, access_log: false}}}}
  - {{name: app, match: {{path: /users}}, upstream: app}}
  - {{name: slow, match: {{path: /stream}}, upstream: app}}
"""


@pytest.fixture
def write(tmp_path: Path, upstream: str) -> Callable[..., Path]:
    """Writes a configuration whose lines go to access.log, unless its options say otherwise."""

    def writes(options: str = "{file: access.log}", workers: int = 1) -> Path:
        file = tmp_path / "gateway.yaml"
        file.write_text(CONFIG.format(upstream=upstream, options=options, workers=workers))
        return file

    return writes


def status(url: str) -> int:
    """Status of an answer, whatever it is."""
    try:
        with urlopen(url, timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=60)


def said(url: str, data: bytes) -> bytes:
    """What comes back for these bytes until the connection ends."""
    with connected(url) as sock:
        sock.sendall(data)
        found = b""
        while piece := sock.recv(65536):
            found += piece
    return found


def lines(*files: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_whatever_becomes_of_an_exchange_has_a_line(run: Run, write: Callable[..., Path], tmp_path: Path) -> None:
    gateway = run("serve", "-c", str(write()))
    url = gateway.ready()
    assert status(f"{url}/users?token=abc") == 200
    assert status(f"{url}/hello") == 200
    assert status(f"{url}/quiet") == 200
    assert status(f"{url}/none%0d%0a") in (400, 404)
    assert status(f"{url}/none") == 404
    assert status(f"{url}/nobody") == 502
    assert said(url, b"GET / HTTP/1.1\r\nHost: a\r\nBad Field: x\r\n\r\n").startswith(b"HTTP/1.1 400")
    with connected(url) as sock:
        sock.sendall(b"GET /stream?events=100&ms=20000 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gateway.send(signal.SIGTERM)
    assert gateway.ended() == 0
    told = lines(tmp_path / "access.log")
    app, hello, missing, none, nobody, malformed, left = told
    assert (app["target"], app["status"], app["upstream_status"], app["route"]) == ("/users?token=***", 200, 200, "app")
    assert (app["client"], app["attempts"], app["reason"]) == ("127.0.0.1", 1, None)
    assert 0 < app["upstream_ms"] <= app["first_byte_ms"] <= app["duration_ms"]
    assert app["revision"]
    assert (hello["route"], hello["upstream"], hello["upstream_ms"], hello["bytes_out"]) == ("hello", None, None, 5)
    assert (missing["route"], missing["target"]) == (None, "/none%0d%0a")
    assert (none["status"], none["reason"], none["route"], none["attempts"]) == (404, "no_route", None, 0)
    assert (nobody["status"], nobody["reason"], nobody["upstream_status"]) == (502, "connection_refused", None)
    assert nobody["endpoint"] == "http://127.0.0.1:1"
    assert (malformed["status"], malformed["reason"], malformed["method"]) == (400, "bad_request", None)
    assert (left["status"], left["reason"], left["route"]) == (499, "client_left", "slow")
    assert {line["revision"] for line in told} == {app["revision"]}
    assert len({line["request_id"] for line in told}) == len(told)


def test_a_tunnel_has_a_line_when_it_is_over(run: Run, write: Callable[..., Path], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        file = write()
        text = file.read_text().replace("http://127.0.0.1:1", f"http://127.0.0.1:{server.getsockname()[1]}")
        file.write_text(text.replace("match: {path: /nobody}", "match: {path: /switch}"))
        gateway = run("serve", "-c", str(file))
        with connected(gateway.ready()) as sock:
            sock.sendall(b"GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
            end, _ = server.accept()
            with end:
                end.recv(65536)
                end.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
                assert b" 101 " in sock.recv(65536)
                sock.sendall(b"hello")
                assert end.recv(100) == b"hello"
                end.sendall(b"goodbye")
                assert sock.recv(100) == b"goodbye"
            assert sock.recv(100) == b""
        gateway.send(signal.SIGTERM)
        assert gateway.ended() == 0
    (line,) = lines(tmp_path / "access.log")
    assert (line["status"], line["upstream_status"], line["method"]) == (101, 101, "GET")


def test_stdout_and_the_combined_format(run: Run, write: Callable[..., Path]) -> None:
    gateway = run("serve", "-c", str(write("{format: combined}")))
    assert status(f"{gateway.ready()}/hello?a=b") == 200
    line = gateway.line("GET /hello")
    assert line.startswith("127.0.0.1 - - [")
    assert '"GET /hello?a=b HTTP/1.1" 200 5 "-" "Python-urllib/' in line


def _load(url: str, count: int, failures: list[str]) -> None:
    """Requests on one connection, one after the other, told apart by their number."""
    with connected(url) as sock, sock.makefile("rb") as answers:
        for number in range(count):
            sock.sendall(
                f"GET /hello?{'x' * 200}&{threading.get_ident()}-{number} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
            )
            while (line := answers.readline()) not in (b"\r\n", b""):
                if line.startswith(b"HTTP/1.1") and b" 200 " not in line:
                    failures.append(line.decode())
            answers.read(5)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_rotation_under_load_loses_and_mixes_no_line(
    run: Run, write: Callable[..., Path], tmp_path: Path, workers: int
) -> None:
    gateway = run("serve", "-c", str(write(workers=workers)))
    url = gateway.ready()
    failures: list[str] = []
    threads = [threading.Thread(target=_load, args=(url, 250, failures)) for _ in range(8)]
    for thread in threads:
        thread.start()
    path = tmp_path / "access.log"
    moved: list[Path] = []
    while any(thread.is_alive() for thread in threads):
        with suppress(FileNotFoundError):
            if path.stat().st_size:
                moved.append(path.rename(tmp_path / f"access.log.{len(moved)}"))
                if len(moved) % 2:  # each other time it is only moved
                    gateway.send(signal.SIGUSR1)
        threads[0].join(0.05)
    gateway.send(signal.SIGTERM)
    assert gateway.ended() == 0
    assert failures == []
    assert len(moved) > 1
    files = [file for file in (*moved, path) if file.exists()]
    assert Counter(line["target"] for line in lines(*files)).most_common(1)[0][1] == 1
    assert len(lines(*files)) == 8 * 250


def test_a_log_that_cannot_be_written_stops_nothing(run: Run, write: Callable[..., Path], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    gateway = run("serve", "-c", str(write(f"{{file: {tmp_path / 'pipe'}}}")))
    admin, url = gateway.admin(), gateway.ready()
    os.close(reader)  # from now on each write fails, on every system
    for _ in range(20):
        assert status(f"{url}/hello") == 200
    gateway.line("lines of the access log are lost: broken pipe")
    with urlopen(f"{admin}/metrics", timeout=60) as answer:
        assert b'passerelle_access_log_dropped_total{reason="unwritable"}' in answer.read()
    gateway.send(signal.SIGTERM)
    assert gateway.ended() == 0


def test_what_belongs_to_the_process_is_refused_on_a_route(write: Callable[..., Path]) -> None:
    file = write()
    file.write_text(file.read_text().replace("access_log: false", "access_log: {file: other.log}"))
    code, told = command("check", str(file))
    assert code == 1
    assert "belongs to the whole process and cannot differ by route" in told
