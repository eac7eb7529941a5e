"""Two gateways on one Redis, and two workers of one gateway without: what one forgets the other does not serve. And one
that is told to reload: what it has stored and counted stays.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.unit.cache.nodes import Server

Run = Callable[..., Any]


class Origin:
    """Counts what reaches it.

    :ivar version: of what it answers.
    :ivar pause: seconds that an answer takes.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.version = 1
        self.pause = 0.0


@contextmanager
def _serving(origin: Origin) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            origin.asked.append(f"{self.command} {self.path}")
            time.sleep(origin.pause)
            body = f"version {origin.version}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "max-age=600")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 (the library's spelling)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def origin() -> Origin:
    return Origin()


@pytest.fixture
def gateway(tmp_path: Path, origin: Origin, run: Run) -> Iterator[Callable[..., Any]]:
    """Starts a gateway before the origin: its URLs for clients and for operators."""
    with _serving(origin) as url:
        made = 0

        def start(settings: str) -> tuple[str, str]:
            nonlocal made
            made += 1
            file = tmp_path / f"gateway-{made}.yaml"
            file.write_text(configured(settings, url))
            process = run("serve", "-c", str(file))
            admin = process.admin()
            return process.ready(), admin

        yield start


def configured(settings: str, origin: str, cache: str = "{purgers: [127.0.0.0/8]}") -> str:
    """The text of a configuration."""
    return (
        "listen: http://127.0.0.1:0\nadmin: {listen: http://127.0.0.1:0}\n"
        f"{settings}upstreams: {{app: {{targets: ['{origin}']}}}}\n"
        f"plugins: [cache: {cache}]\nroutes: [{{name: app, upstream: app}}]\n"
    )


def fetch(url: str, method: str = "GET", **fields: str) -> tuple[str, str]:
    """Body and what the cache says of it; by the same name, whichever gateway is asked."""
    data = b"" if method == "POST" else None
    request = Request(
        url,
        data,
        {"Host": "shop.example"} | {name.replace("_", "-"): value for name, value in fields.items()},
        method=method,
    )
    with urlopen(request, timeout=60) as answer:
        return answer.read().decode(), answer.headers.get("Cache-Status", "")


def purge(admin: str, **what: object) -> dict[str, Any]:
    """By the admin API."""
    request = Request(f"{admin}/api/v1/cache/purge", json.dumps(what).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def until(what: Callable[[], bool], seconds: float) -> None:
    """Look again and again."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)  # who looks without a pause takes the time from what is waited for


def redis_of(admin: str) -> str:
    with urlopen(f"{admin}/api/v1/status", timeout=60) as answer:
        found: str = json.loads(answer.read())["redis"]
        return found


def test_two_gateways_on_one_redis(tmp_path: Path, gateway: Callable[..., Any], origin: Origin) -> None:
    redis = Server(tmp_path)
    redis.start()
    try:
        (one, one_admin), (two, two_admin) = gateway(f"redis: {redis.url}\n"), gateway(f"redis: {redis.url}\n")
        until(lambda: redis_of(one_admin) == redis_of(two_admin) == "up", 10)
        # what one has fetched the other has
        assert fetch(f"{one}/page")[0] == "version 1"
        until(lambda: "hit" in fetch(f"{two}/page")[1], 2)
        assert len(origin.asked) <= 2
        # no herd: one of all asks the origin, or one of each gateway where Redis had no time for a lease
        origin.asked.clear()
        origin.pause = 0.3
        with ThreadPoolExecutor(20) as pool:
            found = list(pool.map(lambda number: fetch(f"{(one, two)[number % 2]}/herd"), range(20)))
        assert {body for body, _ in found} == {"version 1"}
        assert origin.asked in (["GET /herd"], ["GET /herd"] * 2)
        origin.pause = 0
        # a purge on one is on both
        origin.version = 2
        assert "hit" in fetch(f"{two}/page")[1]
        assert purge(one_admin, url="http://shop.example/page")["purged"] == 1
        until(lambda: fetch(f"{two}/page")[0] == "version 2", 2)
        # so is what an unsafe method has changed
        until(lambda: "hit" in fetch(f"{one}/page")[1], 2)
        origin.version = 3
        fetch(f"{two}/page", "POST")
        until(lambda: fetch(f"{one}/page")[0] == "version 3", 2)
    finally:
        redis.kill()
    began = time.monotonic()
    assert fetch(f"{one}/without")[0] == "version 3"
    assert "hit" in fetch(f"{one}/without")[1]
    assert time.monotonic() - began < 5
    until(lambda: redis_of(one_admin) == "down", 10)


def test_workers_purge_together_without_redis(gateway: Callable[..., Any], origin: Origin) -> None:
    url, admin = gateway("workers: 2\n")
    for _ in range(12):
        fetch(f"{url}/page")
    assert 1 <= len(origin.asked) <= 2
    origin.version = 2
    assert purge(admin, prefix="http://shop.example/")["purged"] >= 1
    assert {fetch(f"{url}/page")[0] for _ in range(12)} == {"version 2"}
    origin.version = 3
    fetch(f"{url}/page", "POST")
    until(lambda: {fetch(f"{url}/page")[0] for _ in range(12)} == {"version 3"}, 10)
    origin.version = 4
    assert json.loads(fetch(f"{url}/page", "PURGE", Soft_Purge="1")[0])["purged"] <= 1  # of the worker that is asked
    until(lambda: {fetch(f"{url}/page")[0] for _ in range(12)} == {"version 4"}, 10)


def test_what_is_stored_and_counted_lives_through_a_reload(tmp_path: Path, run: Run, origin: Origin) -> None:
    def counted(admin: str) -> Any:
        with urlopen(f"{admin}/api/v1/cache/stats", timeout=60) as answer:
            told = json.loads(answer.read())
            return told["routes"], told["losses"], told["bytes_served"], told["levels"]["memory"]["hits"]

    file = tmp_path / "gateway.yaml"
    with _serving(origin) as url:
        file.write_text(configured("", url))
        process = run("serve", "-c", str(file))
        admin, gateway = process.admin(), process.ready()
        fetch(f"{gateway}/page")
        assert "hit" in fetch(f"{gateway}/page")[1]
        before = counted(admin)
        assert before[0] == [{"name": "app", "results": {"hit": 1, "miss": 1}}]
        file.write_text(configured("", url, "{memory: 32MiB, ttl: 7s}"))  # another instance of the plugin
        process.send(signal.SIGHUP)
        process.line("is served (signal): ")
        assert counted(admin) == before
        assert "hit" in fetch(f"{gateway}/page")[1]
        assert origin.asked == ["GET /page"]
        assert counted(admin)[0] == [{"name": "app", "results": {"hit": 2, "miss": 1}}]
