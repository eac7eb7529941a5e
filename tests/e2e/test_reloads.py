"""Reloads under steady load, by the real command: no request fails, and what is answered is what was last accepted.

Some reloads in the usual run; `make soak` reloads for as long as SOAK_SECONDS says, and prints how memory went.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.peers import MIB, _status

Run = Callable[..., Any]

SECONDS = float(os.environ.get("SOAK_SECONDS", "4"))
RELOADS = 50
CLIENTS = 4
SOON = 2.0  # seconds until a good configuration answers
EVER = 30.0  # seconds after which it is not late but lost, however busy the machine is
BURST = 40  # changes in a row, each with its signal
GROWTH = 6 * MIB
PACE = 0.002  # seconds between two requests of a client
PLUGIN = """
from proxy.api import *

class Config(PluginConfig):
    number: int

class Stamp(Plugin[Config]):
    async def start(self, services):
        services.admin.route("GET", "stamp", self.told)
        self.task = services.spawn(self.wait())

    async def wait(self):
        import asyncio
        await asyncio.Event().wait()

    async def told(self, request):
        return Response.text(200, str(self.config.number))

    def on_response(self, exchange):
        exchange.response.headers["X-Number"] = str(self.config.number)
"""
# One error for each section of a file: what to add to it, or what to put in whose place.
BROKEN: tuple[tuple[str, str], ...] = (
    ("listen: ", "listen: ftp://127.0.0.1:1 #"),
    ("admin: ", "admin: {listen: http://0.0.0.0:0} #"),
    ("", "workers: none\n"),
    ("", "state: [a]\n"),
    ("", "redis: [a]\n"),
    ("", "trusted_proxies: [nobody]\n"),
    ("", "limits: {head: 5}x\n"),
    ("", "timeouts: {head: 5}\n"),
    ("", "drain: {timeout: never}\n"),
    ("", "errors: {999: x}\n"),
    ("targets: [", "targets: ['http://a/b', "),
    ("plugins: [", "plugins: [nothing, "),
    ("plugins: [./stamp.py: {number: ", "plugins: [./stamp.py: {number: x"),
    ("name: app, upstream: app", "name: app, upstream: other"),
    ("status: 200", "status: 99"),
    ("", "tests: [{request: GET http://a/hello, expect: {status: 404}}]\n"),
    ("", "include: [missing.yaml]\n"),
    ("", "nothing: here\n"),
    ("routes:", "routes: ]"),
)


class Load:
    """Clients that ask without a pause, each on one connection; what they saw that they should not.

    :ivar expected: the numbers that may be answered now.
    """

    def __init__(self, url: str) -> None:
        self.url = urlsplit(url)
        self.failures: list[str] = []
        self.done = 0
        self.latest = ""
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(path,)) for path in ("/hello", "/users") * CLIENTS]

    def _run(self, path: str) -> None:
        connection = http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=10)
        while not self._over.wait(PACE):
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{path}: {error!r}")
                connection.close()
                continue
            self.done += 1
            if answer.status != 200:
                self.failures.append(f"{path}: {answer.status}")
            self.latest = answer.getheader("X-Number", "")
        connection.close()

    @contextmanager
    def running(self) -> Iterator[None]:
        """While it lasts they ask."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()

    def sees(self, number: int, patience: float = SOON) -> bool:
        """Whether that number is answered within so many seconds."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.latest == str(number):
                return True
            time.sleep(0.005)
        return False


@pytest.fixture
def file(config: Path) -> Path:
    """A configuration whose plugin stamps a number on every answer."""
    (config.parent / "stamp.py").write_text(PLUGIN)
    config.write_text(config.read_text() + "plugins: [./stamp.py: {number: 0}]\n")
    return config


def numbered(text: str, number: int) -> str:
    return re.sub(r"number: \d+", f"number: {number}", text)


def broken(text: str, at: int) -> str:
    """The text with one of the errors in it."""
    old, new = BROKEN[at % len(BROKEN)]
    assert old in text
    return text.replace(old, new, 1) if old else text + new


def put(file: Path, text: str) -> None:
    """Change the file in one step, as careful editors do."""
    other = file.with_suffix(".new")
    other.write_text(text)
    other.replace(file)


def test_fifty_reloads_good_and_bad_in_turn_fail_no_request(run: Run, file: Path) -> None:
    gateway = run("serve", "-c", str(file))
    load, text, slowest = Load(gateway.ready()), file.read_text(), 0.0
    with load.running():
        assert load.sees(0)
        for number in range(1, RELOADS // 2 + 1):
            began = time.monotonic()
            put(file, numbered(text, number))
            gateway.send(signal.SIGHUP)
            assert load.sees(number)
            slowest = max(slowest, time.monotonic() - began)
            put(file, broken(numbered(text, number + 1), number))
            gateway.send(signal.SIGHUP)
            gateway.line("is served on (signal)")
            assert load.latest == str(number)
        for number in range(1000, 1000 + BURST):  # signals that meet a reload at every place that it may be at
            put(file, numbered(text, number))
            gateway.send(signal.SIGHUP)
        assert load.sees(number, EVER)
    print(f"{RELOADS} reloads, {load.done} requests, {len(load.failures)} failures, slowest {slowest:.2f} s")
    assert load.failures == []
    assert load.done > RELOADS


def test_an_error_in_each_section_is_told_with_its_place_and_changes_nothing(run: Run, file: Path) -> None:
    gateway = run("serve", "-c", str(file))
    load, text = Load(gateway.ready()), file.read_text()
    with load.running():
        for at in range(len(BROKEN)):
            put(file, broken(numbered(text, 7), at))
            gateway.send(signal.SIGHUP)
            before = len(gateway.told)
            gateway.line("is served on (signal)")
            said = [line for line in gateway.told[before:] if "the configuration is refused" in line]
            assert any(re.search(r"(gateway\.yaml|missing\.yaml)(:\d+:\d+)?: ", line) for line in said), BROKEN[at]
            assert load.latest in ("0", "")
        put(file, numbered(text, 8))
        gateway.send(signal.SIGHUP)
        assert load.sees(8)
    assert load.failures == []


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 120)
def test_reloads_leave_nothing_behind(run: Run, file: Path) -> None:
    gateway = run("serve", "-c", str(file))
    load, text, sizes, times = Load(gateway.ready()), file.read_text(), [], []
    with load.running():
        number = 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or number < 40:
            number += 1
            put(file, numbered(text, number))
            began = time.monotonic()
            gateway.send(signal.SIGHUP)
            assert load.sees(number, EVER)
            times.append(time.monotonic() - began)
            if number >= 20:
                sizes.append(_status(gateway.popen.pid, "VmRSS"))
    grown, reloads, late = sizes[-1] - sizes[0], len(sizes) - 1, sum(took > SOON for took in times)
    print(
        f"{reloads} reloads, {load.done} requests: {grown / MIB:+.1f} MiB, {grown / reloads / 1024:+.1f} KiB a reload;"
        f" seen after {max(times):.2f} s at most, {late} times after more than {SOON:g} s"
    )
    assert load.failures == []
    assert grown < GROWTH
    assert late <= reloads / 1000, "a machine that is busy with other things makes one late now and then, not more"
