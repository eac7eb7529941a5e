"""Exit codes and the form of messages, which scripts and editors rely on."""

from __future__ import annotations

import pytest

from proxy.cli.failures import Exit, say, show
from proxy.settings import Problem


def test_exit_codes_are_those_that_are_documented() -> None:
    assert {code.name: int(code) for code in Exit} == {
        "FINE": 0,
        "BAD_CONFIGURATION": 1,
        "USAGE": 2,
        "CANNOT_BIND": 3,
        "INTERRUPTED": 130,
    }


def test_messages_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("no")
    show([Problem(("routes", 0), "is wrong", "do better", "p.yaml", 3, 5)])
    assert capsys.readouterr() == ("", "passerelle: no\np.yaml:3:5: routes[0]: is wrong; do better\n")
