"""A receiver of webhooks in a thread, which writes down what it is sent, and a gateway that sends it there."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE = 60.0  # seconds for anything that is waited for

CONFIG = """
listen: http://127.0.0.1:0
admin: {{listen: http://127.0.0.1:0}}
state: {state}
workers: {workers}
plugins:
  - request_id
  - events
  - webhook:
      endpoints:
{endpoints}
routes:
  - {{name: hello, plugins: {{respond: {{status: 200, body: hello}}}}}}
"""
ENDPOINT = """\
        - id: {id}
          url: {url}
          secret: {secret}
          allow_private: true
          events: [{events}]
          pace: {{in_flight: {in_flight}, per_second: 5000}}
          timeouts: {{total: {total}}}
"""


@dataclass
class Got:
    """One delivery."""

    id: str
    body: bytes
    at: float
    fields: dict[str, str]

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """What was received.

    :ivar status: what it answers.
    :ivar delay: seconds that it takes.
    """

    url: str = ""
    status: int = 204
    delay: float = 0.0
    got: list[Got] = field(default_factory=list)

    def request_ids(self) -> set[str]:
        """Of the exchanges that it was told of."""
        return {one.told["data"].get("request_id", "") for one in list(self.got)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gateway that was killed leaves its connections as they are."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on the loopback."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fields = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Got(fields["webhook-id"], body, time.monotonic(), fields))
            if receiver.delay:
                time.sleep(receiver.delay)
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name of the one that it stands for)
            """It is silent."""

    server = _Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


def endpoint(receiver: Receiver, name: str = "ops", *, events: str = "request.completed", **more: Any) -> str:
    """An endpoint's part of the configuration."""
    said = {"in_flight": 20, "total": "15s", **more}
    return ENDPOINT.format(id=name, url=receiver.url, secret=SECRET, events=events, **said)


def configured(directory: Path, *endpoints: str, workers: int = 1) -> Path:
    """A configuration on disk."""
    file = directory / "gateway.yaml"
    file.write_text(CONFIG.format(state=directory / "state", endpoints="".join(endpoints), workers=workers))
    return file


class Traffic:
    """Requests, one after the other, until it is told to stop; it knows which were answered, and when.

    :ivar took: how many seconds each of them took.
    """

    def __init__(self, url: str, pause: float = 0.0) -> None:
        self._port = int(url.rpartition(":")[2])
        self._pause = pause
        self._stopping = threading.Event()
        self.answered: dict[str, float] = {}
        self.took: list[float] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                break
            self.answered[answer.headers["X-Request-ID"]] = now = time.monotonic()
            self.took.append(now - began)
            if self._pause:
                self._stopping.wait(self._pause)
        connection.close()

    def stop(self) -> None:
        """No more requests."""
        self._stopping.set()
        self._thread.join(PATIENCE)


def until(true: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Look again and again whether something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.01)
    return true()


def get(url: str) -> None:
    """At least one request."""
    traffic = Traffic(url)
    assert until(lambda: len(traffic.answered) > 0)
    traffic.stop()
