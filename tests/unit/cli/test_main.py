"""The entry point: which subcommand runs, and how failures are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import pytest

from proxy.cli import check
from proxy.cli import main as entry
from proxy.cli.version import described

Command = Callable[..., tuple[int, str, str]]


def test_the_version(command: Command) -> None:
    assert command("--version") == (0, f"passerelle {described()}\n", "")


def test_help_names_every_subcommand(command: Command) -> None:
    code, out, _ = command("--help")
    assert code == 0
    for name in ("demo", "serve", "check", "explain", "plugin", "schema"):
        assert f"\n    {name} " in out


@pytest.mark.parametrize("arguments", [[], ["frob"], ["serve", "--nonsense"], ["explain", "GET"], ["plugin"]])
def test_wrong_usage_is_two(command: Command, arguments: Sequence[str]) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: passerelle")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (KeyboardInterrupt(), 130, ""),
        (PermissionError(13, "Permission denied", "x.yaml"), 1, "Permission denied: 'x.yaml'"),
        (RuntimeError("oops"), 1, "internal error: RuntimeError: oops"),
    ],
)
def test_nobody_sees_a_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, says: str
) -> None:
    def fails(_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(check, "run", fails)
    ended = command("check", "good.yaml")
    assert ended[0] == code
    assert says in ended[2]
    assert "Traceback" not in ended[2]


def test_a_plugin_s_subcommand_gets_the_rest_of_the_line(
    command: Command, monkeypatch: pytest.MonkeyPatch, place: object
) -> None:
    from proxy.plugin import Command as PluginCommand

    seen: list[Sequence[str]] = []

    def run(arguments: Sequence[str]) -> int:
        seen.append(arguments)
        return 7

    brought = {"greet": PluginCommand("greet", "Say hello", run)}
    monkeypatch.setattr(entry, "commands", lambda registry, own: brought)
    assert command("greet", "--loud", "you")[0] == 7
    assert seen == [["--loud", "you"]]
    assert "Say hello" in command("--help")[1]
