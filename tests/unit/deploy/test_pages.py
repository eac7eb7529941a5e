"""What the pages about deploying and upgrading say is so."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from setuptools import find_packages

from proxy import __version__
from proxy.server.sockets import _BACKLOG
from proxy.settings import Settings
from tests.unit.deploy import metrics

ROOT = Path(__file__).parents[3]
DEPLOY = (ROOT / "docs/deploy.md").read_text()
UPGRADE = (ROOT / "docs/upgrade.md").read_text()


def test_what_is_installed_at_the_top_level_is_what_the_page_says() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    include = setup["options.packages.find"]["include"].split()
    top = {name.partition(".")[0] for name in find_packages(str(ROOT), include=include)}
    assert top == {"proxy", "plugins"}
    assert "two packages at the top level of an environment: `proxy`, the engine, and `plugins`" in DEPLOY


def test_defaults_are_the_defaults() -> None:
    settings = Settings()
    assert f"`limits.connections` ({settings.limits.connections:,})" in DEPLOY
    assert f"`timeouts.keep_alive` ({settings.timeouts.keep_alive:.0f} s)" in DEPLOY
    assert f"asks for\n  {_BACKLOG:,}" in DEPLOY


@pytest.mark.parametrize("page", [DEPLOY, UPGRADE], ids=["deploy", "upgrade"])
def test_make_knows_what_is_asked_of_it(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = set(re.findall(r"(?:`|^|&& |\S=\S* )make ([a-z-]+)", page, re.MULTILINE))
    assert asked
    assert asked <= targets


async def test_metrics_are_measured(tmp_path: Path) -> None:
    named = set(re.findall(r"`(passerelle_[a-z_]+)", DEPLOY + UPGRADE))
    assert len(named) >= 5
    assert named <= set(await metrics.measured(tmp_path))


def test_what_a_version_is_installed_as_is_what_an_upgrade_exchanges() -> None:
    place = f"/opt/passerelle-{__version__}"
    assert f"python3 -m venv {place}\n" in DEPLOY
    assert f"ln -sfn {place} /opt/passerelle " in DEPLOY
    assert "/opt/passerelle-VERSION" in UPGRADE
    assert "venv /opt/passerelle\n" not in DEPLOY + UPGRADE


def test_files_that_are_named_are_there() -> None:
    named = set(re.findall(r"\b(deploy/[\w./-]+\.(?:sh|yaml|yml|json|service|socket))\b", DEPLOY + UPGRADE))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
