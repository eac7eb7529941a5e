"""`passerelle plugin test`: tells what is wrong with a plugin, by its file or its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]

HEAD = "from proxy.api import Exchange, Plugin, PluginConfig, Services\n\n\nclass Mine(Plugin[PluginConfig]):\n"


def test_one_that_keeps_the_contract(command: Command) -> None:
    assert command("plugin", "test", "headers")[:2] == (0, "headers: fine: HeaderRules keeps the contract of hooks\n")


def test_each_finding_is_a_line(command: Command, place: Path) -> None:
    hook = "    def on_request(self, exchange: Exchange) -> None:\n        exchange.request.headers['x-no'] + 1\n"
    (place / "mine.py").write_text(HEAD + hook)
    code, out, err = command("plugin", "test", "./mine.py")
    assert (code, out) == (1, "")
    assert "passerelle: ./mine.py: HEAD: raises " in err


def test_one_that_does_not_start(command: Command, place: Path) -> None:
    hook = "    async def start(self, services: Services) -> None:\n        raise ValueError('no key')\n"
    (place / "mine.py").write_text(HEAD + hook)
    code, _, err = command("plugin", "test", "mine.py")
    assert code == 1
    assert "mine.py: raises ValueError: no key" in err


def test_options_are_checked_as_a_file_s_are(command: Command) -> None:
    assert command("plugin", "test", "respond", "--options", '{"body": "x"}')[0] == 0
    code, _, err = command("plugin", "test", "respond", "--options", '{"bdy": "x"}')
    assert code == 1
    assert 'options.bdy: unknown key; did you mean "body"?' in err


@pytest.mark.parametrize(("options", "said"), [("{", "not JSON"), ("[1]", "write an object")])
def test_options_are_a_json_object(command: Command, options: str, said: str) -> None:
    code, _, err = command("plugin", "test", "headers", "--options", options)
    assert code == 2
    assert said in err


@pytest.mark.parametrize(("named", "said"), [("nope", 'no plugin is called "nope"'), ("nope.py", "there is no file")])
def test_one_that_is_not_there(command: Command, named: str, said: str) -> None:
    code, _, err = command("plugin", "test", named)
    assert code == 1
    assert said in err
