"""Several worker processes as one server: what clients and operators see."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.e2e.conftest import Run
from tests.e2e.crew import Crew, admin_request, code, counted, get, gone, kept, pids, status, until, who, written


@pytest.fixture
def config(tmp_path: Path, upstream: str) -> Path:
    """Two workers, in a gateway of the test's own."""
    return written(tmp_path, upstream, 2)


@pytest.fixture(scope="module")
def three(run_once: Run, module_path: Path, upstream: str) -> Crew:
    """Three workers for all tests of this module."""
    return Crew(run_once, written(module_path, upstream, 3))


@pytest.fixture
def crew(three: Crew) -> Iterator[Crew]:
    """Three workers; what the test changes in their file is undone."""
    yield three
    three.restore()


REQUESTS = 'passerelle_requests_total{route="app",status="200"}'


def test_every_worker_serves_and_is_summed_up(crew: Crew) -> None:
    known = pids(crew.admin)
    assert len(set(known)) == 3
    assert crew.gateway.popen.pid not in known
    until(lambda: status(crew.admin)["connections"] == 0)
    before = counted(crew.admin, REQUESTS)
    with ExitStack() as stack:
        ends = {stack.enter_context(kept(crew.url))[1] for _ in range(60)}
        assert ends <= set(known)
        assert len(ends) > 1, "connections are shared out"
        assert status(crew.admin)["connections"] == 60
        assert counted(crew.admin, REQUESTS) - before == 60
    assert counted(crew.admin, "passerelle_workers") == 3
    assert counted(crew.admin, "passerelle_connections_limit") == 10002, "a third of the limit each, rounded up"


def test_a_worker_that_is_killed_takes_only_its_own_requests(crew: Crew) -> None:
    admin, deaths = crew.admin, counted(crew.admin, "passerelle_worker_deaths_total")
    before = pids(admin)
    with ExitStack() as stack:
        ends = [stack.enter_context(kept(crew.url)) for _ in range(40)]
        victim = ends[0][1]
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        for sock, pid in ends:
            if pid == victim:
                with suppress(ConnectionResetError):
                    assert sock.recv(1) == b""
            else:
                sock.sendall(b"GET /who HTTP/1.1\r\nHost: a\r\n\r\n")
                assert sock.recv(65536).endswith(b" %d" % pid)
        assert len(who(crew.url, 20)) >= 1, "new connections are taken by the others meanwhile"
    until(lambda: len(pids(admin)) == 3)
    print(f"\na successor serves {time.monotonic() - began:.2f} s after the death")
    after = pids(admin)
    assert victim not in after
    assert len(set(before) & set(after)) == 2
    crew.gateway.line(f"system.worker_died {victim}")
    assert counted(admin, "passerelle_worker_deaths_total") - deaths == 1


def test_a_reload_reaches_every_worker(crew: Crew) -> None:
    before = pids(crew.admin)
    crew.change("bye")
    assert crew.reload()["ok"] is True
    assert {word for word, _ in who(crew.url)} == {"bye"}
    assert pids(crew.admin) == before, "without a restart"


def test_what_the_first_worker_refuses_no_other_sees(crew: Crew) -> None:
    before = pids(crew.admin)
    crew.change("fail")
    assert crew.reload()["ok"] is False
    assert {word for word, _ in who(crew.url)} == {"hello"}
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(pids(crew.admin)) == 3 and before[0] not in pids(crew.admin))
    assert {word for word, _ in who(crew.url)} == {"hello"}, "a successor serves what was accepted, not the file"


def test_an_operator_steers_all_of_them(crew: Crew) -> None:
    admin = crew.admin
    crew.change("later")
    code, told = admin_request(f"{admin}/api/v1/config/reload")
    assert (code, told["ok"], told["cause"]) == (200, True, "admin")
    assert {word for word, _ in who(crew.url)} == {"later"}
    crew.change("fail")
    code, told = admin_request(f"{admin}/api/v1/config/reload")
    assert (code, told["ok"]) == (409, False)
    assert "no luck" in told["problems"][0]["message"]
    assert status(admin)["reload"]["ok"] is False
    for level in ("debug", "info"):
        code, told = admin_request(f"{admin}/api/v1/log-levels/passerelle", "PUT", {"level": level})
        assert (code, told["levels"]["passerelle"]) == (200, level)
    assert admin_request(f"{admin}/api/v1/log-levels/nobody", "PUT", {"level": "debug"})[0] == 404
    assert admin_request(f"{admin}/api/v1/no/such/thing")[0] == 404
    assert admin_request(f"{admin}/api/v1/routes", "DELETE")[0] == 405
    assert json.loads(get(f"{admin}/api/v1/routes"))["routes"][0]["name"] == "app"


def test_events_of_every_worker_in_one_stream(crew: Crew) -> None:
    with urlopen(f"{crew.admin}/api/v1/events?type=request.completed", timeout=60) as stream:
        with ExitStack() as stack:
            ends = [stack.enter_context(kept(crew.url))[1] for _ in range(30)]
            assert len(set(ends)) > 1
        seen = 0
        while seen < 30:
            line = stream.readline()
            assert line, "the stream ended"
            seen += line.startswith(b"data:")


def test_a_listener_is_added_and_removed_and_the_processes_know_each_others_marks(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    admin, first = gateway.admin(), gateway.ready()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    text = config.read_text().replace("listen: http://127.0.0.1:0\n", f"listen: http://127.0.0.1:{port}\n", 1)
    config.write_text(text)
    gateway.send(signal.SIGHUP)
    gateway.line("config.reloaded")
    assert who(f"http://127.0.0.1:{port}", 5)
    until(lambda: _gone(first))
    # it forwards to itself: whichever worker takes the second request knows that it went in a circle
    config.write_text(re.sub(r"targets: \['[^']*'\]", f"targets: ['http://127.0.0.1:{port}'], retry: false", text))
    assert admin_request(f"{admin}/api/v1/config/reload")[0] == 200
    assert [code(f"http://127.0.0.1:{port}/x") for _ in range(10)] == [508] * 10
    assert len(pids(admin)) == 2


def test_an_address_that_is_taken_refuses_the_start(run: Run, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config.write_text(
            config.read_text().replace("listen: http://127.0.0.1:0\n", f"listen: http://127.0.0.1:{port}\n")
        )
        gateway = run("serve", "-c", str(config))
        assert gateway.ended() == 3
    assert f"cannot listen on 127.0.0.1:{port}" in gateway.told[-1]


def test_a_configuration_that_does_not_start_is_told_in_words(run: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("word: hello", "word: fail"))
    gateway = run("serve", "-c", str(config))
    assert gateway.ended() == 1
    assert "does not start: RuntimeError: no luck" in gateway.told[-1]


def test_requests_under_way_are_finished_before_it_ends_and_the_end_is_told_once(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    gateway.admin()
    parts = urlsplit(gateway.ready())
    if not any("system.started" in line for line in gateway.told):
        gateway.line("system.started")
    with ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection((parts.hostname, parts.port), 20)) for _ in range(6)]
        for sock in socks:
            sock.sendall(b"GET /stream?events=2&ms=500 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        gateway.send(signal.SIGTERM)
        for sock in socks:
            found = b""
            while piece := sock.recv(65536):
                found += piece
            assert b'"tick": 2' in found
    assert gateway.ended() == 0
    told = [line.split()[2] for line in gateway.told if line.startswith("told")]
    assert told.count("system.started") == 1
    assert told.count("system.draining") == 1


def test_workers_end_when_their_supervisor_is_killed(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    admin, url = gateway.admin(), gateway.ready()
    workers = pids(admin)
    gateway.send(signal.SIGKILL)
    until(lambda: all(gone(pid) for pid in workers))
    assert _gone(url)


def _gone(url: str) -> bool:
    try:
        get(url)
    except (URLError, OSError):
        return True
    return False


class Patient:
    """An upstream that counts its probes, and is well or not."""

    def __init__(self) -> None:
        patient = self
        self.probes: list[float] = []
        self.well = True

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/healthz":
                    patient.probes.append(time.monotonic())
                self.send_response(200 if patient.well or self.path != "/healthz" else 500)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def patient() -> Iterator[Patient]:
    made = Patient()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_one_worker_probes_for_all(run: Run, config: Path, patient: Patient) -> None:
    config.write_text(
        "listen: http://127.0.0.1:0\nadmin: {listen: http://127.0.0.1:0}\nworkers: 3\nplugins: []\n"
        f"upstreams: {{app: {{targets: ['{patient.url}'], retry: false, eject: false,\n"
        "  health: {path: /healthz, every: 200ms, timeout: 1s, fall: 2, rise: 2}}}\n"
        "routes: [{name: app, upstream: app}]\n"
    )
    gateway = run("serve", "-c", str(config))
    admin, url = gateway.admin(), gateway.ready()
    until(lambda: len(patient.probes) >= 12)
    span = patient.probes[-1] - patient.probes[0]
    assert span >= (len(patient.probes) - 1) * 0.2 * 0.6, "three that probe would take a third of it"
    patient.well = False
    until(lambda: all(code(url) == 503 for _ in range(20)))
    leader = pids(admin)[0]
    patient.well = True
    os.kill(leader, signal.SIGKILL)
    until(lambda: len(pids(admin)) == 3 and leader not in pids(admin))
    before = len(patient.probes)
    until(lambda: len(patient.probes) > before + 3)
    until(lambda: all(code(url) == 200 for _ in range(20)))
