"""Lists of texts, written from the grammars of what they attack: what of them is found may only become more."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.sanitize import inspect, score
from proxy.sanitize.inspection import examine, is_plain
from proxy.sanitize.rules import FAMILIES

FOLDER = Path(__file__).parent / "texts"


def texts(name: str) -> list[str]:
    return [line for line in (FOLDER / f"{name}.txt").read_text("utf-8").split("\n") if line]


def refused(text: str) -> bool:
    return score(inspect(text)) >= 5


@pytest.mark.parametrize(("name", "missed"), [("sql", 56), ("xss", 13), ("command", 42), ("path", 25)])
def test_attacks_are_found(name: str, missed: int) -> None:
    left = [text for text in texts(name) if not refused(text)]
    assert len(left) <= missed, left


def test_the_harmless_pass() -> None:
    wronged = [text for text in texts("harmless") if refused(text)]
    assert len(wronged) <= 7, wronged


@pytest.mark.parametrize("name", ["sql", "xss", "command", "path", "harmless"])
def test_what_one_look_clears_is_found_by_no_rule(name: str) -> None:
    """At any level, in any case; is_plain is there to save time, and may hide nothing."""
    written = {case for text in texts(name) for case in (text, text.upper(), text.lower(), text.title())}
    hidden = [text for text in written if is_plain(text) and examine(text, 3, FAMILIES)]
    assert hidden == []


@pytest.mark.parametrize("name", ["sql", "xss", "command"])
def test_padding_hides_nothing(name: str) -> None:
    """Long texts are not read as a whole: an attack that begins with its own way out is found behind any of them."""
    found = [text for text in texts(name)[:120] if text[:1] in "'\"<;|" and refused(text)]
    hidden = [
        text
        for text in found
        if not refused("lorem ipsum dolor sit amet " * 3 + text) and not refused("9" * 3000 + text)
    ]
    assert len(found) > 20
    assert len(hidden) <= len(found) // 10, hidden
