from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from plugins.sanitize.config import Config
from plugins.sanitize.judge import Judge
from plugins.sanitize.targets import is_plain_target
from plugins.sanitize.values import of_path
from proxy.sanitize import inspect


def lines(name: str) -> list[str]:
    folder = Path(__file__).parents[2] / "sanitize" / "texts"
    return [line for line in (folder / f"{name}.txt").read_text("utf-8").split("\n") if line]


@pytest.mark.parametrize("name", ["sql", "xss", "command", "path", "harmless"])
def test_the_look_at_a_target_clears_nothing_that_is_found(name: str) -> None:
    found = [case for text in lines(name) for case in (text, text.upper()) if inspect(case, paranoia=3)]
    assert not [
        text for text in found if is_plain_target("/?q=" + quote_plus(text)) or is_plain_target("/?q=" + quote(text))
    ]
    judge = Judge(Config(mode="block"))
    ways = ["/" + quote(text.removeprefix("/")) for text in lines(name)]
    assert not [way for way in ways if is_plain_target(way) and judge.look(of_path(way))]


@pytest.mark.parametrize(
    "target",
    [
        "/?q=drop+table+users",
        "/?q=document.cookie",
        "/?q=.htaccess",
        "/?q=id_rsa",
        "/?q=nslookup+evil.example",
        "/?ps+aux",
        "/wp-config.php",
        "/?q=1or-2-2",
        "/?q=1OR.5",
        "/?q=7and-1",
        "/etc/passwd",
    ],
)
def test_targets_that_are_looked_at_closely(target: str) -> None:
    assert not is_plain_target(target)


@pytest.mark.parametrize("target", ["/", "/a/b.js?v=1.2&x", "/search?q=red+shoes%20x&lang=en"])
def test_targets_that_one_look_clears(target: str) -> None:
    assert is_plain_target(target)
