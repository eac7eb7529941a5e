"""A server of several processes when things go wrong around it: hangs, signals to all, deaths at the worst moment."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest

from tests.e2e.conftest import Process
from tests.e2e.test_workers import PLUGIN, Run, admin_request, code, get, pids, status, until, who


@pytest.fixture
def config(tmp_path: Path, upstream: str) -> Path:
    """Two workers that say who they are."""
    (tmp_path / "who.py").write_text(PLUGIN)
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "listen: http://127.0.0.1:0\nadmin: {listen: http://127.0.0.1:0}\nworkers: 2\n"
        f"upstreams: {{app: {{targets: ['{upstream}']}}}}\nplugins: [./who.py: {{word: hello}}]\n"
        "routes: [{name: app, upstream: app}]\n"
    )
    return file


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def children(gateway: Process) -> list[int]:
    """Every process that it has started, those that wait to be used included."""
    found = Path(f"/proc/{gateway.popen.pid}/task/{gateway.popen.pid}/children")
    if not found.exists():
        pytest.skip("the system does not list children")
    every = [task / "children" for task in found.parents[1].iterdir()]
    return [int(pid) for children in every for pid in children.read_text().split()]


def until_replaced(admin: str, victim: int) -> None:
    until(lambda: len(known := serving(admin)) == 2 and victim not in known)


def serving(admin: str) -> list[int]:
    """The workers; none while the only one that is up is only just going."""
    try:
        return pids(admin)
    except HTTPError as error:
        error.close()
        return []


def number(config: Path, before: str, after: str) -> None:
    config.write_text(config.read_text().replace(f"word: {before}", f"word: {after}"))


def test_a_worker_that_hangs_is_replaced(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    admin = gateway.admin()
    gateway.ready()
    victim = pids(admin)[0]
    os.kill(victim, signal.SIGSTOP)
    assert "hangs" in gateway.line(f"(pid {victim}) ")
    until_replaced(admin, victim)
    assert gone(victim)


def test_a_pause_of_the_supervisor_is_no_fault_of_its_workers(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    admin, url = gateway.admin(), gateway.ready()
    before = pids(admin)
    gateway.send(signal.SIGSTOP)
    assert {pid for _, pid in who(url, 20)} <= set(before), "they serve on meanwhile"
    gateway.send(signal.SIGCONT)
    assert pids(admin) == before


def test_a_signal_to_the_whole_group_cuts_nothing(run: Run, config: Path) -> None:
    """What a service manager does: every process is told to end, not only the first."""
    gateway = run("serve", "-c", str(config))
    admin, parts = gateway.admin(), urlsplit(gateway.ready())
    with ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection((parts.hostname, parts.port), 20)) for _ in range(6)]
        for sock in socks:
            sock.sendall(b"GET /stream?events=2&ms=500 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        for pid in (*pids(admin), gateway.popen.pid):
            os.kill(pid, signal.SIGTERM)
        for sock in socks:
            found = b""
            while piece := sock.recv(65536):
                found += piece
            assert b'"tick": 2' in found
    assert gateway.ended() == 0


def test_a_second_signal_ends_the_workers_too(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    parts = urlsplit(gateway.ready())
    mine = children(gateway)
    assert len(mine) >= 2
    with socket.create_connection((parts.hostname, parts.port), 20) as sock:
        sock.sendall(b"GET /stream?events=1000&ms=100 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        gateway.send(signal.SIGTERM)
        gateway.line("told to end")
        gateway.send(signal.SIGTERM)
        assert gateway.ended() == 0
        assert [pid for pid in mine if not gone(pid)] == []


def test_successors_that_are_killed_at_once_are_followed_too(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    admin = gateway.admin()
    gateway.ready()
    first = pids(admin)
    os.kill(first[1], signal.SIGKILL)
    for _ in range(3):  # whoever comes up is killed before or while it is told what to serve
        until(lambda: any(pid not in first for pid in children(gateway)))
        fresh = [pid for pid in children(gateway) if pid not in first]
        for pid in fresh:
            os.kill(pid, signal.SIGKILL)
        while set(fresh) & set(children(gateway)):
            continue
    until(lambda: len(pids(admin)) == 2)


def test_a_worker_that_comes_up_during_a_reload_serves_the_new_configuration(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    admin, url = gateway.admin(), gateway.ready()
    words = ["hello", *(f"w{turn}" for turn in range(6))]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        added = f"http://127.0.0.1:{probe.getsockname()[1]}"
    for before, after in pairwise(words):
        number(config, before, after)
        text = config.read_text()
        with_it, without = f"listen: [http://127.0.0.1:0, {added}]\n", "listen: http://127.0.0.1:0\n"
        config.write_text(text.replace(without, with_it) if without in text else text.replace(with_it, without))
        os.kill(pids(admin)[-1], signal.SIGKILL)
        assert admin_request(f"{admin}/api/v1/config/reload")[0] == 200
        until(lambda: len(pids(admin)) == 2)
        assert {word for word, _ in who(url, 20)} == {after}


def test_a_reload_survives_the_death_of_the_worker_that_tries_it(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    admin, url = gateway.admin(), gateway.ready()
    number(config, "hello", "bye")
    os.kill(pids(admin)[0], signal.SIGSTOP)
    gateway.send(signal.SIGHUP)
    until(lambda: len(pids(admin)) == 2 and status(admin)["reload"] is not None)
    assert status(admin)["reload"]["ok"] is True
    assert {word for word, _ in who(url)} == {"bye"}


def test_a_file_that_is_broken_is_told_in_the_log(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    gateway.ready()
    config.write_text(config.read_text() + "nothing: here\n")
    gateway.send(signal.SIGHUP)
    assert "nothing" in gateway.line("the configuration is refused: ")


def test_what_an_operator_asked_for_outlives_a_worker(run: Run, config: Path, upstream: str) -> None:
    gateway = run("serve", "-c", str(config))
    admin, url = gateway.admin(), gateway.ready()
    place = f"{admin}/api/v1/upstreams/app/targets/{quote(upstream, safe='')}"
    assert admin_request(f"{place}/weight", "PUT", {"weight": 7})[0] == 200
    assert admin_request(f"{place}/drain")[0] == 200
    for victim in pids(admin):
        os.kill(victim, signal.SIGKILL)
        until_replaced(admin, victim)
    (target,) = json.loads(get(f"{admin}/api/v1/upstreams"))["upstreams"][0]["targets"]
    assert (target["state"], target["weight"]) == ("draining", 7)
    assert "state_by_worker" not in target
    assert [code(f"{url}/x") for _ in range(10)] == [503] * 10


def test_a_stream_of_events_outlives_every_worker(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    admin = gateway.admin()
    gateway.ready()
    with urlopen(f"{admin}/api/v1/events?type=config.*", timeout=20) as stream:
        for victim in pids(admin):
            os.kill(victim, signal.SIGKILL)
            until_replaced(admin, victim)
        gateway.send(signal.SIGHUP)
        while b"event: config.reloaded" not in (line := stream.readline()):
            assert line, "the stream ended"


def test_without_a_worker_it_is_not_ready(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    admin = gateway.admin()
    gateway.ready()
    for pid in children(gateway):
        os.kill(pid, signal.SIGKILL)
    assert code(f"{admin}/readyz") in (200, 503)
    assert code(f"{admin}/api/v1/status") in (200, 503)
    until(lambda: code(f"{admin}/readyz") == 200)
