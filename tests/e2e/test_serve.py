"""`passerelle serve`: starts, signals, exit codes."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from proxy.cli.main import main
from tests.e2e.conftest import Process, written

Run = Callable[..., Any]


class Served(NamedTuple):
    """A gateway that runs, and its file."""

    gateway: Process
    url: str
    file: Path


@pytest.fixture(scope="module")
def served(run_once: Run, module_path: Path, upstream: str) -> Served:
    """For those tests that do not end it."""
    file = written(module_path, upstream)
    gateway = run_once("serve", "-c", str(file))
    return Served(gateway, gateway.ready(), file)


def get(url: str) -> tuple[int, bytes]:
    """Status and body of an answer."""
    with urlopen(url, timeout=60) as answer:
        return answer.status, answer.read()


def slow_request(url: str, milliseconds: int) -> tuple[socket.socket, bytes]:
    """A request under way, whose answer takes that long."""
    parts = urlsplit(url)
    sock = socket.create_connection((parts.hostname, parts.port), timeout=60)
    sock.sendall(f"GET /stream?events=2&ms={milliseconds} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return sock, sock.recv(65536)


def rest(sock: socket.socket) -> bytes:
    """What comes until the other side closes."""
    found = b""
    while piece := sock.recv(65536):
        found += piece
    return found


def test_a_file_is_served(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    admin, url = gateway.admin(), gateway.ready()
    assert get(f"{url}/hello") == (200, b"hello")
    assert b'"total": 11' in get(f"{url}/users")[1]
    assert get(f"{admin}/readyz") == (200, b"ok\n")
    assert b'passerelle_requests_total{route="app",status="200"} 1.0' in get(f"{admin}/metrics")[1]
    gateway.send(signal.SIGTERM)
    assert gateway.ended() == 0


def test_an_upstream_is_served_without_a_file(run: Run, upstream: str) -> None:
    gateway = run("serve", "--to", upstream, "--listen", "http://127.0.0.1:0", "--admin", "off")
    assert b'"total": 11' in get(f"{gateway.ready()}/users")[1]
    gateway.send(signal.SIGINT)
    assert gateway.ended() == 0
    assert not any("Traceback" in line for line in gateway.told)


def test_the_usual_place_is_looked_at(run: Run, config: Path) -> None:
    config.rename(config.with_name("passerelle.yaml"))
    assert get(f"{run('serve').ready()}/hello")[0] == 200


def test_a_request_under_way_is_finished_before_it_ends(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    url = gateway.ready()
    sock, begin = slow_request(url, 700)
    with sock:
        assert begin.startswith(b"HTTP/1.1 200")
        gateway.send(signal.SIGTERM)
        gateway.line("draining: 1 requests under way")
        with pytest.raises(OSError, match="refused"):
            get(f"{url}/hello")
        assert b'"tick": 2' in rest(sock)
    assert gateway.ended() == 0


def test_a_second_signal_ends_it_at_once(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config))
    sock, _ = slow_request(gateway.ready(), 30_000)
    with sock, suppress(ConnectionResetError):
        gateway.send(signal.SIGTERM)
        gateway.line("draining")
        gateway.send(signal.SIGINT)
        assert gateway.ended() == 0
        assert not rest(sock).endswith(b"0\r\n\r\n")  # cut, and told so by the missing last chunk


def test_other_signals_do_not_end_it(served: Served) -> None:
    served.gateway.send(signal.SIGUSR1)
    served.gateway.send(signal.SIGHUP)
    served.gateway.line("is served (signal): nothing is different")
    assert get(f"{served.url}/hello")[0] == 200


def test_a_hangup_reloads_and_a_refusal_keeps_what_was(served: Served) -> None:
    gateway, url, text = served.gateway, served.url, served.file.read_text()
    served.file.write_text(text.replace("body: hello", "body: changed"))
    gateway.send(signal.SIGHUP)
    gateway.line("is served (signal): ")
    assert get(f"{url}/hello") == (200, b"changed")
    served.file.write_text(text.replace("status: 200", "status: 2000"))
    gateway.send(signal.SIGHUP)
    assert "gateway.yaml:5:" in gateway.line("the configuration is refused: ")
    assert get(f"{url}/hello") == (200, b"changed")
    served.file.write_text(text)
    gateway.send(signal.SIGHUP)
    gateway.line("is served (signal): ")
    assert get(f"{url}/hello") == (200, b"hello")


def test_requests_side_by_side(served: Served) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(get(f"{served.url}/users")[0])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 20


def test_a_watched_file_is_served_once_it_is_saved(run: Run, config: Path) -> None:
    gateway = run("serve", "-c", str(config), "--watch")
    url = gateway.ready()
    other = config.with_name("new.yaml")
    other.write_text(config.read_text().replace("body: hello", "body: changed"))
    other.replace(config)
    gateway.line("is served (file): ")
    assert get(f"{url}/hello") == (200, b"changed")


def test_a_taken_address_is_three(run: Run, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(
            config.read_text().replace("listen: http://127.0.0.1:0", f"listen: http://127.0.0.1:{port}", 1)
        )
        gateway = run("serve", "-c", str(config))
        assert gateway.ended() == 3
    assert gateway.told == [f"passerelle: cannot listen on 127.0.0.1:{port}: Address already in use"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("plugins: {respond", "plugins: {respnd"), 'no plugin is called "respnd"; did you mean "respond"?'),
        (("targets", "tragets"), 'unknown key; did you mean "targets"?'),
        (("status: 200", "status: 2000"), "gateway.yaml:5:"),
        (("http://127.0.0.1:0}", "http://0.0.0.0:0}"), "is open to other machines without a token"),
    ],
)
def test_a_wrong_file_is_one_and_told_in_words(run: Run, config: Path, change: tuple[str, str], says: str) -> None:
    config.write_text(config.read_text().replace(*change))
    gateway = run("serve", "-c", str(config))
    assert gateway.ended() == 1
    assert any(says in line for line in gateway.told)
    assert not any("Traceback" in line or "listening" in line for line in gateway.told)


def test_a_failing_test_of_the_file_refuses_the_start(run: Run, config: Path) -> None:
    with config.open("a") as file:
        file.write("tests: [{request: GET http://a/hello, expect: {route: app}}]\n")
    gateway = run("serve", "-c", str(config))
    assert gateway.ended() == 1
    assert any("the route is hello, not app" in line for line in gateway.told)


def test_a_plugin_that_does_not_start_is_told_in_words(run: Run, config: Path) -> None:
    (config.parent / "bad.py").write_text(
        "from proxy.api import *\n\nclass Bad(Plugin[PluginConfig]):\n"
        "    async def start(self, services):\n        raise RuntimeError('no database')\n"
    )
    config.write_text(f"{config.read_text()}plugins: [./bad.py]\n")
    gateway = run("serve", "-c", str(config))
    assert gateway.ended() == 1
    assert gateway.told[-1].endswith(': the plugin "bad" does not start: RuntimeError: no database')
    assert "gateway.yaml:7:11: plugins[0]" in gateway.told[-1]
    assert not any(line.startswith("Traceback") for line in gateway.told)


def test_wrong_usage_is_two(run: Run) -> None:
    gateway = run("serve")  # no file, and none where one is looked for
    assert gateway.ended() == 2
    assert len(gateway.told) == 1
    assert main(["serve", "--listen", "http://127.0.0.1:0"]) == 2
    assert main(["serve", "--to", "http://127.0.0.1:1", "--watch"]) == 2


def test_an_upstream_that_is_not_there_is_a_502(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    url = run("serve", "--to", f"http://127.0.0.1:{port}", "--listen", "http://127.0.0.1:0", "--admin", "off").ready()
    with pytest.raises(HTTPError) as failed:
        get(f"{url}/")
    with failed.value as error:
        assert (error.code, error.headers["Content-Type"]) == (502, "application/problem+json")
