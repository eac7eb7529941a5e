"""Targets that are killed, restarted, silent or broken, with real processes: clients do not notice."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self
from urllib.request import urlopen

import pytest

from tests.e2e.peers import COMMAND, Client, Gateway, running

TARGET = Path(__file__).with_name("target_app.py")
PATIENCE = 30.0  # seconds
CONFIG = """
listen: [http://127.0.0.1:0]
admin: {{listen: http://127.0.0.1:0}}
upstreams:
  app: {{targets: [{targets}], {policy}}}
plugins: []
routes: [{{name: all, upstream: app}}]
"""


class Target:
    """One process, on a port or a path that stays its own."""

    def __init__(self, way: str = "ok", at: str = "127.0.0.1", port: int = 0) -> None:
        self.port = port
        self.way = way
        self.at = at
        self.start()

    def start(self) -> None:
        """Run it, and wait until it listens."""
        command = [sys.executable, str(TARGET), str(self.port), self.way, self.at]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    @property
    def url(self) -> str:
        """As the configuration names it."""
        return f"unix:{self.at}" if self.at.startswith("/") else f"http://{self.at}:{self.port}"

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def count(self) -> int:
        """Requests that it has seen before this one."""
        with urlopen(f"{self.url}/count", timeout=PATIENCE) as answer:
            return int(answer.read())


class Traffic:
    """Steady GETs on kept connections, until told to stop.

    :ivar done: answers that were what they should be.
    :ivar failed: whatever else came.
    """

    def __init__(self, port: int, clients: int = 8) -> None:
        self.done = 0
        self.failed: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._counted = threading.Condition()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _ask(self) -> None:
        with Client(self._port) as client:
            while not self._over.wait(0.02):  # steady: what is refused meanwhile must fit the budget's floor
                client.ask("GET", "/")
                status = client.head()
                body = client.held
                while status and len(body) < int(client.fields["content-length"]) and (more := client.receive()):
                    body += more
                client.held = b""
                with self._counted:
                    if status == 200 and body == b"x" * 1000:
                        self.done += 1
                    else:
                        self.failed.append(f"{status} {client.fields.get('proxy-status')} {body[:200]!r}")
                    self._counted.notify_all()
                if not status:
                    return

    def more(self, count: int) -> None:
        """Wait until so many more were answered."""
        with self._counted:
            goal = self.done + len(self.failed) + count
            assert self._counted.wait_for(lambda: self.done + len(self.failed) >= goal, PATIENCE)


@pytest.fixture
def target() -> Iterator[Callable[..., Target]]:
    """Makes targets, which are killed afterwards."""
    with ExitStack() as stack:

        def make(way: str = "ok") -> Target:
            made = Target(way)
            stack.callback(made.kill)
            return made

        yield make


@contextmanager
def gateway(path: Path, policy: str, *targets: Target) -> Iterator[Gateway]:
    """The real command before these targets."""
    file = path / "passerelle.yaml"
    urls = ", ".join(f"http://127.0.0.1:{one.port}" for one in targets)
    file.write_text(CONFIG.format(targets=urls, policy=policy))
    with running([str(COMMAND), "serve", "-c", str(file)], "passerelle listening on", "stderr") as (process, told):
        ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", "".join(told))]
        yield Gateway(process.pid, ports[-1], ports[0])


DEFAULTS = "retry: {attempts: 1}"


def test_killing_one_and_then_the_other(target: Callable[..., Target], tmp_path: Path) -> None:
    """Kept connections die under requests; new ones are refused; nobody notices."""
    one, other = target(), target()
    with gateway(tmp_path, DEFAULTS, one, other) as gate, Traffic(gate.port) as traffic:
        traffic.more(200)
        one.kill()
        traffic.more(240)
        one.start()
        traffic.more(200)
        other.kill()
        traffic.more(240)
    assert (traffic.failed, traffic.done >= 880) == ([], True)


def test_restarting_all_one_by_one(target: Callable[..., Target], tmp_path: Path) -> None:
    targets = [target(), target(), target()]
    with gateway(tmp_path, DEFAULTS, *targets) as gate, Traffic(gate.port) as traffic:
        for one in targets:
            traffic.more(200)
            one.kill()
            one.start()
        traffic.more(400)
    assert (traffic.failed, traffic.done >= 1000) == ([], True)


def test_one_that_comes_and_goes(target: Callable[..., Target], tmp_path: Path) -> None:
    steady, flapping = target(), target()
    with gateway(tmp_path, DEFAULTS, steady, flapping) as gate, Traffic(gate.port) as traffic:
        for _ in range(4):
            traffic.more(80)
            flapping.kill()
            traffic.more(80)
            flapping.start()
    assert (traffic.failed, traffic.done >= 640) == ([], True)


@pytest.mark.parametrize("way", ["half", "resets"])
def test_one_of_two_that_breaks_its_answers(way: str, target: Callable[..., Target], tmp_path: Path) -> None:
    good, bad = target(), target(way)
    with gateway(tmp_path, DEFAULTS, good, bad) as gate, Traffic(gate.port) as traffic:
        traffic.more(400)
    assert (traffic.failed, bad.count() > 0) == ([], True)


def test_one_of_two_that_never_answers(target: Callable[..., Target], tmp_path: Path) -> None:
    """Each GET that comes to it is answered by the other, after the time that was set."""
    good, bad = target(), target("silent")
    policy = "timeouts: {first_byte: 300ms}, retry: {attempts: 1}"
    with gateway(tmp_path, policy, good, bad) as gate, Traffic(gate.port, clients=8) as traffic:
        traffic.more(60)
    assert traffic.failed == []


def test_one_that_never_answers_and_stands_alone(target: Callable[..., Target], tmp_path: Path) -> None:
    policy = "timeouts: {first_byte: 10s, total: 500ms}, retry: {attempts: 1}"
    with gateway(tmp_path, policy, target("silent")) as gate, Client(gate.port) as client:
        began = time.monotonic()
        client.ask("GET", "/")
        assert client.head() == 504
        assert 0.5 <= time.monotonic() - began < 2.5
        assert client.fields["proxy-status"].startswith("passerelle; error=http_response_timeout")
        assert client.small()["code"] == "deadline_passed"


def test_an_outage_is_not_multiplied(target: Callable[..., Target], tmp_path: Path) -> None:
    """Everything fails, at hundreds of requests a second: of ten further tries for each, a fifth of one is made.

    From 50 a second on it is the share that limits, and not what a quiet upstream is allowed anyhow.
    """
    failing, requests = target("fails"), 3000
    policy = "retry: {attempts: 10, on: [503], backoff: false}"
    with gateway(tmp_path, policy, failing) as gate, Client(gate.port) as client:
        began = time.monotonic()
        for _ in range(requests // 100):
            client.sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
            answered = b""
            while answered.count(b"HTTP/1.1 503") < 100 or not answered.endswith(b"\r\n\r\nno"):
                answered += client.sock.recv(65536)
        rate = requests / (time.monotonic() - began)
        tries = failing.count()
        exhausted = gate.metric('passerelle_retries_total{cause="503",outcome="budget_exhausted",upstream="app"}')
    print(f"{rate:.0f} requests a second, {tries / requests:.2f} tries for each")
    assert rate >= 100
    assert requests < tries <= 1.2 * requests
    assert exhausted > 0
