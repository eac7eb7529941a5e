"""Which file is used, and building without starting."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.cli.configuration import NoConfiguration, built, find_config
from proxy.registry import Registry
from proxy.settings import SettingsError, load


def test_the_named_file_is_used_whether_it_is_there_or_not(place: Path) -> None:
    assert find_config(Path("other.yaml")) == Path("other.yaml")


def test_else_the_one_where_it_is_looked_for(place: Path) -> None:
    with pytest.raises(NoConfiguration, match=r"config/passerelle\.yaml"):
        find_config(None)
    Path("passerelle.yaml").touch()
    assert find_config(None) == Path("passerelle.yaml")
    Path("config").mkdir()
    Path("config/passerelle.yaml").touch()
    assert find_config(None) == Path("config/passerelle.yaml")


async def test_what_is_built_is_closed_again(place: Path) -> None:
    async with built(load("good.yaml", {}), Registry.installed()) as (made, runtime):
        assert [plan.name for plan in made.snapshot.plans] == ["api", "gone"]
    assert runtime.session.closed


async def test_a_runtime_is_closed_when_nothing_can_be_built(place: Path) -> None:
    Path("bad.yaml").write_text("plugins: [nothing]\nupstreams: {a: {targets: [http://127.0.0.1:1]}}\n")
    with pytest.raises(SettingsError):
        async with built(load("bad.yaml", {}), Registry.installed()):
            pytest.fail("it must not be built")
