"""A server of several processes when things go wrong around it: hangs, signals to all, deaths at the worst moment."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import pytest

from tests.e2e.conftest import Process, Run
from tests.e2e.crew import Crew, admin_request, code, get, gone, pids, status, until, who, written


@pytest.fixture
def config(tmp_path: Path, upstream: str) -> Path:
    """Two workers that say who they are, in a gateway of the test's own."""
    return written(tmp_path, upstream, 2)


@pytest.fixture(scope="module")
def two(run_once: Run, module_path: Path, upstream: str) -> Crew:
    """Two workers for those tests after which there are two again."""
    return Crew(run_once, written(module_path, upstream, 2))


@pytest.fixture
def crew(two: Crew) -> Iterator[Crew]:
    """Two workers; what the test changes in their file is undone."""
    yield two
    two.restore()


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


def test_a_worker_that_hangs_is_replaced_and_a_reload_that_it_tries_survives(crew: Crew) -> None:
    admin = crew.admin
    victim, before = pids(admin)[0], status(admin)["reload"]
    os.kill(victim, signal.SIGSTOP)
    crew.change("bye")
    crew.gateway.send(signal.SIGHUP)
    assert "hangs" in crew.gateway.line(f"(pid {victim}) ")
    until_replaced(admin, victim)
    assert gone(victim)
    until(lambda: len(pids(admin)) == 2 and status(admin)["reload"] != before)
    assert status(admin)["reload"]["ok"] is True
    assert {word for word, _ in who(crew.url)} == {"bye"}


def test_a_pause_of_the_supervisor_is_no_fault_of_its_workers(crew: Crew) -> None:
    before = pids(crew.admin)
    crew.gateway.send(signal.SIGSTOP)
    assert {pid for _, pid in who(crew.url, 20)} <= set(before), "they serve on meanwhile"
    crew.gateway.send(signal.SIGCONT)
    assert pids(crew.admin) == before


def test_a_file_that_is_broken_is_told_in_the_log(crew: Crew) -> None:
    crew.file.write_text(crew.text + "nothing: here\n")
    crew.gateway.send(signal.SIGHUP)
    assert "nothing" in crew.gateway.line("the configuration is refused: ")


def test_what_an_operator_asked_for_and_a_stream_of_events_outlive_every_worker(crew: Crew, upstream: str) -> None:
    admin = crew.admin
    place = f"{admin}/api/v1/upstreams/app/targets/{quote(upstream, safe='')}"
    assert admin_request(f"{place}/weight", "PUT", {"weight": 7})[0] == 200
    assert admin_request(f"{place}/drain")[0] == 200
    with urlopen(f"{admin}/api/v1/events?type=config.*", timeout=60) as stream:
        for victim in pids(admin):
            os.kill(victim, signal.SIGKILL)
            until_replaced(admin, victim)
        (target,) = json.loads(get(f"{admin}/api/v1/upstreams"))["upstreams"][0]["targets"]
        assert (target["state"], target["weight"]) == ("draining", 7)
        assert "state_by_worker" not in target
        assert [code(f"{crew.url}/x") for _ in range(10)] == [503] * 10
        crew.gateway.send(signal.SIGHUP)
        while b"event: config.reloaded" not in (line := stream.readline()):
            assert line, "the stream ended"
    assert admin_request(f"{place}/weight", "PUT", {"weight": 1})[0] == 200
    assert admin_request(f"{place}/undrain")[0] == 200


def test_without_a_worker_it_is_not_ready(crew: Crew) -> None:
    for pid in children(crew.gateway):
        os.kill(pid, signal.SIGKILL)
    assert code(f"{crew.admin}/readyz") in (200, 503)
    assert code(f"{crew.admin}/api/v1/status") in (200, 503)
    until(lambda: code(f"{crew.admin}/readyz") == 200)
    until(lambda: len(serving(crew.admin)) == 2)


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
