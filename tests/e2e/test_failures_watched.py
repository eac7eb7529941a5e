"""Targets that are watched, with the real command: probes, names that change, and what a reload keeps."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.e2e.peers import COMMAND, Gateway, running
from tests.e2e.test_failures_targets import CONFIG, PATIENCE, Target, Traffic

NAMES = Path(__file__).with_name("names_app.py")


@pytest.fixture
def target() -> Iterator[Callable[..., Target]]:
    """Makes targets, which are killed afterwards."""
    with ExitStack() as stack:

        def make(way: str = "ok", at: str = "127.0.0.1", port: int = 0) -> Target:
            made = Target(way, at, port)
            stack.callback(made.kill)
            return made

        yield make


@contextmanager
def gateway(
    path: Path, policy: str, *urls: str, command: tuple[str, ...] = (str(COMMAND),), more: str = ""
) -> Iterator[Gateway]:
    """The real command before the targets of these URLs."""
    file = path / "passerelle.yaml"
    file.write_text(CONFIG.format(targets=", ".join(urls), policy=policy) + more)
    with running([*command, "serve", "-c", str(file)], "passerelle listening on", "stderr") as (process, told):
        ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", "".join(told))]
        yield Gateway(process.pid, ports[-1], ports[0])


def until(what: Callable[[], bool]) -> None:
    """Look again and again."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it did not happen"


def ready(gate: Gateway, url: str) -> bool:
    return gate.metric(f'passerelle_upstream_target_ready{{endpoint="{url}",upstream="app"}}') == 1


def revision_of(gate: Gateway) -> str:
    """Of the configuration that is served."""
    with urlopen(f"http://127.0.0.1:{gate.admin}/metrics", timeout=PATIENCE) as answer:
        found = re.search(r'passerelle_config_info\{revision="(.*?)"\}', answer.read().decode())
    assert found is not None
    return found[1]


PROBED = "eject: false, retry: {attempts: 1}, health: {path: /, every: 200ms, timeout: 500ms, fall: 2, rise: 2}"


@pytest.mark.parametrize("over", ["tcp", "unix"])
def test_probes_find_a_process_that_dies_and_one_that_is_back(
    over: str, target: Callable[..., Target], tmp_path: Path
) -> None:
    """While it is known to be gone no request is sent there: nothing has to be tried again."""
    at = [str(tmp_path / name) for name in ("a.sock", "b.sock")] if over == "unix" else ["127.0.0.1"] * 2
    one, other = (target("ok", where) for where in at)
    with gateway(tmp_path, PROBED, one.url, other.url) as gate, Traffic(gate.port) as traffic:
        traffic.more(20)
        one.kill()
        until(lambda: not ready(gate, one.url))
        before = gate.metric('passerelle_retries_total{cause="connect",outcome="retried",upstream="app"}')
        traffic.more(60)
        assert gate.metric('passerelle_retries_total{cause="connect",outcome="retried",upstream="app"}') == before
        one.start()
        until(lambda: ready(gate, one.url))
        other.kill()
        traffic.more(60)
    assert traffic.failed == []


def test_probes_find_a_process_that_stands_still(target: Callable[..., Target], tmp_path: Path) -> None:
    """Its connections stand, and new ones are taken by the system for it."""
    one, other = target(), target()
    policy = PROBED.replace("{attempts: 1}", "{attempts: 1, per_try_timeout: 300ms}")
    with gateway(tmp_path, policy, one.url, other.url) as gate, Traffic(gate.port) as traffic:
        one.process.send_signal(signal.SIGSTOP)
        until(lambda: not ready(gate, one.url))
        traffic.more(40)
        one.process.send_signal(signal.SIGCONT)
        until(lambda: ready(gate, one.url))
        traffic.more(20)
    assert traffic.failed == []


@pytest.mark.parametrize("resolve", ["first", "all"])
def test_a_name_that_moves_to_another_address(resolve: str, target: Callable[..., Target], tmp_path: Path) -> None:
    """The first address is gone, process and all, a moment after the name has left it."""
    one = target("ok", "127.0.0.2")
    other = target("ok", "127.0.0.3", one.port)
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"app.test": ["127.0.0.2"]}))
    policy = f"resolve: {resolve}, retry: {{attempts: 1}}"
    command = (sys.executable, str(NAMES), str(names))
    url = f"http://app.test:{one.port}"
    with (
        gateway(tmp_path, policy, url, command=command, more="dns: {ttl: 1s}\n") as gate,
        Traffic(gate.port) as traffic,
    ):
        traffic.more(40)
        assert other.count() == 0
        names.write_text(json.dumps({"app.test": ["127.0.0.3"]}))
        asked = itertools.count(1)  # the look above was the first
        until(lambda: other.count() - next(asked) > 20)
        one.kill()
        traffic.more(60)
    assert traffic.failed == []


def test_a_reload_keeps_what_is_known_of_targets(target: Callable[..., Target], tmp_path: Path) -> None:
    """Two are ejected for an hour; settings beside them change, so that the upstream is made anew."""
    well, failing, ill = target(), target("fails"), target("fails")
    policy = "retry: {attempts: 2}, eject: {for: 1h, at_most: 100%}"
    with gateway(tmp_path, policy, well.url, failing.url, ill.url) as gate, Traffic(gate.port) as traffic:
        until(lambda: not ready(gate, failing.url) and not ready(gate, ill.url))
        traffic.more(2)  # what was under way has ended
        asked = failing.count(), ill.count()
        file = tmp_path / "passerelle.yaml"
        file.write_text(file.read_text().replace("retry: ", "timeouts: {connect: 3s}, retry: "))
        revision = revision_of(gate)
        os.kill(gate.pid, signal.SIGHUP)
        until(lambda: revision_of(gate) != revision)
        traffic.more(60)
        assert [ready(gate, one.url) for one in (well, failing, ill)] == [True, False, False]
        assert [one.count() for one in (failing, ill)] == [number + 1 for number in asked]
    assert traffic.failed == []
