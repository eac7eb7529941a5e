"""A late pattern is compiled once, when it is asked, and is then the compiled one."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from proxy.sanitize.late import Late

# Everything that looks at texts is loaded; what only a suspicious text gets to is not made yet.
SCRIPT = """
import sys
import proxy.sanitize
from proxy.sanitize import inspection, shell, sql_shapes, xss
def made(late):
    try:
        return bool(object.__getattribute__(late, "search"))
    except AttributeError:
        return False
late = [shell._INTERPRETER, sql_shapes.STRICT, xss._REACH]
before = [made(one) for one in late]
xss._REACH.search("")
print(before, [made(one) for one in late], "nh3" in sys.modules)
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
    assert ran.stdout.split("\n")[0] == "[False, False, False] [False, False, True] False"
