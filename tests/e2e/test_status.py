"""`passerelle status` and a gateway, both as they are run."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import command

Run = Callable[..., Any]


def test_a_gateway_is_shown_and_its_refused_reload(run: Run, config: Path, upstream: str) -> None:
    gateway = run("serve", "-c", str(config))
    admin, url = gateway.admin(), gateway.ready()
    shown = run("status", "--admin", admin)
    assert shown.ended() == 0
    assert f"listens on   {url}" in shown.told
    assert any(line.startswith(f"  {upstream}  ready, weight 1, 0 active") for line in shown.told)
    config.write_text(config.read_text().replace("status: 200", "status: 2000"))
    gateway.send(signal.SIGHUP)
    gateway.line("is served on")
    code, told = command("status", "--admin", admin)
    assert code == 0
    assert "last reload  REFUSED (signal)" in told.splitlines()
    assert "gateway.yaml:5:" in told


def test_the_token_of_the_file_goes_to_the_listener_of_the_file(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(config.read_text().replace("admin: {", "admin: {token: s3cret, "))
    gateway = run("serve", "-c", str(config))
    admin = gateway.admin()
    gateway.ready()
    refused = command("status", "--admin", admin, "-c", str(config))
    assert refused == (1, f"passerelle: {admin}: a token is needed; set PASSERELLE_ADMIN_TOKEN\n")
    config.write_text(config.read_text().replace("s3cret, listen: http://127.0.0.1:0", f"s3cret, listen: {admin}"))
    assert command("status", "-c", str(config))[0] == 0
    monkeypatch.setenv("PASSERELLE_ADMIN_TOKEN", "s3cret")
    code, told = command("status", "--admin", admin, "--json")
    assert code == 0
    assert json.loads(told)["ready"] is True


def test_one_that_drains_is_not_ready(run: Run, config: Path) -> None:
    config.write_text(config.read_text() + "drain: {delay: 30s}\n")
    gateway = run("serve", "-c", str(config))
    admin = gateway.admin()
    gateway.ready()
    gateway.send(signal.SIGTERM)
    gateway.line("told to end")
    shown = run("status", "--admin", admin)  # a process of its own: its exit code is what a script looks at
    assert shown.ended() == 1
    assert any(": draining for " in line for line in shown.told)
