"""A late pattern is compiled once, when it is asked, and is then the compiled one."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from proxy.sanitize.late import Late

# Everything that looks at texts is loaded; what only a suspicious text gets to is not made yet, and most is that.
SCRIPT = """
import re, sys
compiled, compiles = [], re.compile
def counting(*pattern):
    if sys._getframe(1).f_globals["__name__"].startswith("proxy.sanitize"):
        compiled.append(pattern)
    return compiles(*pattern)
re.compile = counting
import proxy.sanitize
from proxy.sanitize import decode, inspection, shell, sql_shapes, xss
def made(late):
    try:
        return bool(object.__getattribute__(late, "search"))
    except AttributeError:
        return False
late = [shell._INTERPRETER, sql_shapes.STRICT, decode._RUNS, xss._REACH]
before, few = [made(one) for one in late], len(compiled) < 70
xss._REACH.search("")
print(before, [made(one) for one in late], few, "nh3" in sys.modules)
"""


def test_it_does_what_a_pattern_does() -> None:
    late, pattern = Late(r"(?i)b+"), re.compile(r"(?i)b+")
    text = "aBba b"
    found, wanted, further = late.search(text), pattern.search(text), late.search(text, 4)
    assert found is not None
    assert wanted is not None
    assert further is not None
    assert found.group() == wanted.group() == "Bb"
    assert further.start() == 5
    assert (late.match(text), late.fullmatch(text)) == (None, None)
    assert [found.span() for found in late.finditer(text)] == [(1, 3), (5, 6)]
    assert late.sub("-", text) == "a-a -"
    assert late.findall(text) == ["Bb", "b"]


def test_it_may_be_one_of_bytes() -> None:
    found = Late(rb"(?s)a.b").fullmatch(b"a\nb")
    assert found is not None
    assert found.group() == b"a\nb"


def test_it_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    compiles = re.compile

    def counting(text: str) -> Any:
        compiled.append(text)
        return compiles(text)

    monkeypatch.setattr("proxy.sanitize.late.re.compile", counting)
    late = Late("x")
    assert compiled == []
    for _ in range(2):
        assert late.search("x") is not None
        assert late.fullmatch("x") is not None
    assert compiled == ["x"]


def test_what_a_pattern_here_does_not_do_is_no_attribute_of_it() -> None:
    with pytest.raises(AttributeError, match="'Late' object has no attribute 'split'"):
        _ = Late("x").split


def test_loading_the_detectors_makes_none_of_the_large_ones() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[0] == "[False, False, False, False] [False, False, False, True] True False"
