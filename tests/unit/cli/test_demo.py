"""`passerelle demo`: its configuration, its upstream, and what it says to try."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.request import urlopen

import pytest

from proxy.cli.demo import FILES, demo_configuration, sample_upstream, tour
from proxy.server.sockets import bind, url_of

CONFIG = Path(__file__).parents[3] / "config"


def test_what_is_installed_is_the_file_that_people_see() -> None:
    assert FILES[1].read_text() == (CONFIG / "demo.yaml").read_text()


def test_the_upstream_ends_with_the_demo() -> None:
    with sample_upstream() as url:
        assert url is not None
        with urlopen(f"{url}/healthz", timeout=5) as answer:
            assert answer.read() == b"ok\n"
    with pytest.raises(OSError, match="refused"):
        urlopen(f"{url}/healthz", timeout=5)


def test_its_own_ports_are_used_unless_they_are_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (taken,) = bind("127.0.0.1", 0)
    (free,) = bind("127.0.0.1", 0)
    free_url = url_of("127.0.0.1", free)
    free.close()
    with taken:
        taken.listen()
        url = url_of("127.0.0.1", taken)
        file = tmp_path / "demo.yaml"
        file.write_text(
            f"listen: {url}\nadmin: {{listen: {free_url}}}\n"
            'upstreams: {sample: {targets: ["${DEMO_UPSTREAM}"]}}\nplugins: []\n'
        )
        settings = demo_configuration(file, {"DEMO_UPSTREAM": "http://127.0.0.1:7"}).settings
    assert settings.listen[0].url == "http://127.0.0.1:0"
    assert settings.admin is not None
    assert settings.admin.listen == free_url
    assert settings.upstreams["sample"].targets[0].url == "http://127.0.0.1:7"
    assert capsys.readouterr().err == f"passerelle: {url} is taken; using another port\n"


def test_every_line_of_the_tour_can_be_pasted() -> None:
    text = tour("http://127.0.0.1:8080", "http://127.0.0.1:9090", Path("config/demo.yaml"))
    commands = [shlex.split(line, comments=True) for line in text.splitlines() if line.startswith("  ")]
    assert len(commands) == 13
    assert {command[0] for command in commands} == {"curl", "passerelle"}
    assert all(any("127.0.0.1" in word for word in command) for command in commands)


def test_without_an_admin_listener_nothing_is_said_of_it() -> None:
    assert "metrics" not in tour("http://127.0.0.1:8080", None, Path("config/demo.yaml"))
