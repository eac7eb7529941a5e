"""Subcommands of plugins, found by entry points as a stranger's package would bring them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from proxy.cli.plugin_commands import Rivals, commands
from proxy.registry import GROUP, Registry

MODULE = """
from proxy.api import Plugin, PluginConfig
from proxy.plugin import Command

class Greets(Plugin[PluginConfig]):
    commands = (Command("greet", "Say hello", len),)

class GreetsToo(Plugin[PluginConfig]):
    commands = (Command("greet", "Say hello too", len),)

class Serves(Plugin[PluginConfig]):
    commands = (Command("serve", "Serve otherwise", len),)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = "commands_of_a_stranger"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def registry(module: str, **classes: str) -> Registry:
    return Registry(EntryPoint(name, f"{module}:{cls}", GROUP) for name, cls in classes.items())


def test_each_is_found_by_its_name(module: str) -> None:
    found = commands(registry(module, greets="Greets"), ["serve"])
    assert found["greet"].summary == "Say hello"
    assert found["greet"].run(["a", "b"]) == 2


def test_two_of_one_name_are_refused(module: str) -> None:
    with pytest.raises(Rivals, match='"greet" of the plugin greets_too is taken by greets'):
        commands(registry(module, greets="Greets", greets_too="GreetsToo"), [])


def test_the_engine_s_own_names_are_not_to_be_had(module: str) -> None:
    with pytest.raises(Rivals, match='"serve" of the plugin serves is taken by passerelle itself'):
        commands(registry(module, serves="Serves"), ["serve"])


def test_a_plugin_that_cannot_be_imported_brings_none(module: str) -> None:
    assert set(commands(registry(module, broken="Missing", greets="Greets"), [])) == {"greet"}
