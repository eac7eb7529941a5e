"""A gateway of several workers that say who they are, and what clients, operators and the system see of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tests.e2e.conftest import Run

PLUGIN = """
import os
from proxy.api import Answer, Event, Exchange, Plugin, PluginConfig, Response, Services

class Config(PluginConfig):
    word: str = "hello"

class Who(Plugin[Config]):
    async def start(self, services: Services) -> None:
        # in one piece: several processes write to one pipe
        services.events.subscribe("*", self.tell)
        if self.config.word == "fail":
            raise RuntimeError("no luck")

    @staticmethod
    def tell(event: Event) -> None:
        of = getattr(event, "pid", None) or getattr(event, "revision", "")
        os.write(1, f"told {os.getpid()} {event.type} {of}\\n".encode())

    def on_request(self, exchange: Exchange) -> Answer:
        if exchange.request.path == "/who":
            return Response.text(200, f"{self.config.word} {os.getpid()}")
        return None
"""


def written(folder: Path, upstream: str, workers: int) -> Path:
    """A configuration of workers that say who they are."""
    (folder / "who.py").write_text(PLUGIN)
    file = folder / "gateway.yaml"
    file.write_text(
        f"listen: http://127.0.0.1:0\nadmin: {{listen: http://127.0.0.1:0}}\nworkers: {workers}\n"
        f"upstreams: {{app: {{targets: ['{upstream}']}}}}\nplugins: [./who.py: {{word: hello}}, events: {{}}]\n"
        "routes: [{name: app, upstream: app}]\n"
    )
    return file


class Crew:
    """A gateway of several workers, and its file."""

    def __init__(self, run: Run, file: Path) -> None:
        self.file = file
        self.text = file.read_text()
        self.gateway = run("serve", "-c", str(file))
        self.admin, self.url = self.gateway.admin(), self.gateway.ready()

    def change(self, word: str) -> None:
        """Another configuration, which is not loaded yet."""
        self.file.write_text(self.text.replace("word: hello", f"word: {word}"))

    def reload(self) -> dict[str, Any]:
        """Have the file loaded, and wait until it is told what became of it."""
        before = status(self.admin)["reload"]
        self.gateway.send(signal.SIGHUP)
        until(lambda: bool(status(self.admin)["reload"] != before))
        done: dict[str, Any] = status(self.admin)["reload"]
        self.gateway.line(f"config.{'reloaded' if done['ok'] else 'rejected'} {done['revision']}")
        return done

    def restore(self) -> None:
        """Serve again what was served in the beginning."""
        if self.file.read_text() != self.text:
            self.file.write_text(self.text)
            assert self.reload()["ok"]


def get(url: str) -> bytes:
    with urlopen(url, timeout=60) as answer:
        data: bytes = answer.read()
        return data


def status(admin: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get(f"{admin}/api/v1/status"))
    return found


def until(what: Callable[[], bool], seconds: float = 90.0) -> None:
    """Look again and again."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)  # who looks without a pause takes the time from what is waited for


def pids(admin: str) -> list[int]:
    return [worker["pid"] for worker in status(admin)["workers"]]


def who(url: str, times: int = 30) -> set[tuple[str, int]]:
    """What the workers say, on a connection for each question."""
    said = (get(f"{url}/who").decode().split() for _ in range(times))
    return {(word, int(pid)) for word, pid in said}


@contextmanager
def kept(url: str) -> Iterator[tuple[socket.socket, int]]:
    """A connection that stays, and the process at its other end."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as sock:
        sock.sendall(b"GET /who HTTP/1.1\r\nHost: a\r\n\r\n")
        yield sock, int(sock.recv(65536).rpartition(b" ")[2])


def counted(admin: str, name: str) -> float:
    """What a counter or gauge of the metrics says."""
    found = (line.split() for line in get(f"{admin}/metrics").decode().splitlines())
    return next((float(words[1]) for words in found if words[0] == name), 0.0)


def admin_request(url: str, method: str = "POST", body: object = None) -> tuple[int, Any]:
    """Status and document of an answer, refusals included."""
    data = None if body is None else json.dumps(body).encode()
    asked = Request(url, data=data or b"", method=method, headers={"Content-Type": "application/json"})
    try:
        with urlopen(asked, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def code(url: str) -> int:
    try:
        with urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def gone(pid: int) -> bool:
    """Whether a process has ended, its parent having taken note or not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # it is gone, or there is no /proc
        return not exists(pid)
    return state == "Z"


def exists(pid: int) -> bool:
    """What every system tells of a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
