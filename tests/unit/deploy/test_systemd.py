"""The units against the configuration beside them, and against what they promise."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from proxy.cli.check import check
from proxy.cli.main import _parser
from proxy.settings import Settings
from proxy.settings.units import parse_duration

PLACE = Path(__file__).parents[3] / "deploy/systemd"

# Each of them takes something away that a gateway does not need.
HARDENING = {
    **dict.fromkeys(("NoNewPrivileges", "PrivateDevices", "PrivateTmp", "PrivateUsers", "ProtectHome"), "yes"),
    **dict.fromkeys(("ProtectControlGroups", "ProtectKernelModules", "ProtectKernelTunables"), "yes"),
    **dict.fromkeys(("MemoryDenyWriteExecute", "RestrictNamespaces", "RestrictSUIDSGID", "LockPersonality"), "yes"),
    "DynamicUser": "yes",
    "ProtectSystem": "strict",
    "CapabilityBoundingSet": "",
}


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """The sections of a unit, with every value of each key."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in (PLACE / name).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[section][key].append(value)
    return found


@pytest.fixture
def service() -> dict[str, list[str]]:
    return unit("passerelle.service")["Service"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "admin_token").write_text("a-token-of-a-test")
    text = (PLACE / "passerelle.yaml").read_text()
    text = text.replace("/run/credentials/passerelle.service", str(tmp_path)).replace(
        "/var/log/passerelle", str(tmp_path)
    )
    (tmp_path / "passerelle.yaml").write_text(text)
    loaded, problems = check(tmp_path / "passerelle.yaml")
    assert problems == []
    assert loaded is not None
    return loaded.settings


def test_systemd_takes_them(tmp_path: Path) -> None:
    """By its own checker where there is one; the rest of this file needs none."""
    names = ("passerelle.service", "passerelle.socket")
    for name in names:
        text = (PLACE / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/passerelle/bin/passerelle", sys.executable))
    if checker := shutil.which("systemd-analyze"):
        command = [checker, "verify", "--man=no", *(str(tmp_path / name) for name in names)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
    assert unit("passerelle.service")["Unit"]["Requires"] == ["passerelle.socket"]
    assert unit("passerelle.service")["Install"]["Also"] == ["passerelle.socket"]


def test_the_sockets_are_what_it_listens_on(settings: Settings) -> None:
    held = unit("passerelle.socket")["Socket"]
    assert [f"http://{address}" for address in held["ListenStream"]] == [listener.url for listener in settings.listen]
    assert held["BindIPv6Only"] == ["ipv6-only"], "else the second would take what is the first one's"


def test_it_starts_what_there_is(service: dict[str, list[str]]) -> None:
    (command,) = service["ExecStart"]
    name, *arguments = command.split()
    assert Path(name).name == "passerelle"
    parsed = _parser(("serve",), {}).parse_args(arguments)
    assert parsed.config == Path("/etc/passerelle/passerelle.yaml")
    assert service["Type"] == ["notify"]


def test_nothing_is_killed_that_would_have_ended(service: dict[str, list[str]], settings: Settings) -> None:
    (stop,) = service["TimeoutStopSec"]
    assert parse_duration(f"{stop}s") >= settings.drain.delay + settings.drain.timeout + 5
    assert service["KillMode"] == ["mixed"], "workers act on what the supervisor says"


def test_it_writes_where_systemd_made_it_a_place(service: dict[str, list[str]], settings: Settings) -> None:
    assert str(settings.state) == f"/var/lib/{service['StateDirectory'][0]}"
    text = (PLACE / "passerelle.yaml").read_text()
    assert f"file: /var/log/{service['LogsDirectory'][0]}/" in text
    name, _, _ = service["LoadCredential"][0].partition(":")
    assert f"${{file:/run/credentials/passerelle.service/{name}}}" in text


@pytest.mark.parametrize(("key", "value"), HARDENING.items())
def test_it_can_do_no_more_than_it_must(service: dict[str, list[str]], key: str, value: str) -> None:
    assert service[key] == [value]
