"""`passerelle serve`, as far as its options go; that it serves is tested with the real command."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from proxy.registry import Registry
from proxy.server import run as server
from proxy.server.source import Source
from proxy.settings import Loaded

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Loaded]:
    """What would have been served."""
    found: list[Loaded] = []

    def run(loaded: Loaded, registry: Registry, *, source: Source | None = None, **_more: object) -> int:
        assert (source is not None) == bool(loaded.files)
        found.append(loaded)
        return 0

    monkeypatch.setattr(server, "run", run)
    return found


def test_a_file(command: Command, served: list[Loaded]) -> None:
    assert command("serve", "-c", "good.yaml")[0] == 0
    assert [route.name for route in served[0].settings.routes] == ["api", "gone"]


def test_an_upstream_without_a_file(command: Command, served: list[Loaded]) -> None:
    assert command("serve", "--to", "http://127.0.0.1:3000")[0] == 0
    settings = served[0].settings
    assert settings.upstreams["upstream"].targets[0].url == "http://127.0.0.1:3000"
    assert settings.listen[0].url == "http://127.0.0.1:8080"
    assert settings.admin is not None


@pytest.mark.parametrize("pid", [1, 4711])
def test_as_process_one_it_heeds_term_before_it_serves(
    command: Command, served: list[Loaded], monkeypatch: pytest.MonkeyPatch, pid: int
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: pid)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert command("serve", "-c", "good.yaml")[0] == 0
        handler = signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    if pid != 1:
        assert handler == before
        return
    assert callable(handler)
    with pytest.raises(SystemExit) as ended:
        handler(signal.SIGTERM, None)
    assert ended.value.code == 0


def test_where_it_listens_without_a_file(command: Command, served: list[Loaded]) -> None:
    to = ("serve", "--to", "http://127.0.0.1:3000", "--listen", "http://0.0.0.0:80")
    command(*to, "--admin", "http://127.0.0.1:0")
    command(*to, "--admin", "off")
    assert served[0].settings.listen[0].url == "http://0.0.0.0:80"
    assert served[0].settings.admin is not None
    assert served[0].settings.admin.listen == "http://127.0.0.1:0"
    assert served[1].settings.admin is None


@pytest.mark.parametrize(
    "wrong",
    [
        ["--listen", "http://a"],
        ["--admin", "off"],
        ["--to", "http://a", "-c", "good.yaml"],
        ["--to", "http://a", "--watch"],
        [],
    ],
)
def test_options_that_do_not_go_together(command: Command, served: list[Loaded], wrong: list[str]) -> None:
    code, _, err = command("serve", *wrong)
    assert (code, served) == (2, [])
    assert err.startswith("passerelle: ")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--to", "127.0.0.1:3000"], "--to: "),
        (["--to", "http://a", "--listen", "nowhere"], "--listen: "),
        (["--to", "http://a", "--admin", "nowhere"], "--admin: "),
        (["--to", "http://a", "--admin", "http://0.0.0.0:9090"], "--admin: is open to other machines without a token"),
        (["-c", "missing.yaml"], "missing.yaml: "),
    ],
)
def test_what_cannot_be_served_is_told(command: Command, served: list[Loaded], options: list[str], says: str) -> None:
    code, _, err = command("serve", *options)
    assert (code, served) == (1, [])
    assert err.startswith(says)
    assert "Traceback" not in err


def test_recording_stands_in_front_of_the_chain(command: Command, served: list[Loaded]) -> None:
    assert command("serve", "-c", "good.yaml", "--record", "requests.jsonl")[0] == 0
    assert command("serve", "--to", "http://127.0.0.1:3000", "--record", "requests.jsonl")[0] == 0
    for loaded in served:
        first = loaded.settings.plugins[0]
        assert (first.name, first.id) == ("record", "recording")
        assert first.options["file"].endswith("/requests.jsonl")
        assert len(loaded.settings.plugins) > 1
