from __future__ import annotations

import sys

import pytest
from pydantic import ValidationError

from plugins.sanitize.config import Config
from plugins.sanitize.judge import Judge
from plugins.sanitize.opinion import MODULE, is_installed
from plugins.sanitize.values import Value

ONLY_THERE = "1 UNION ALL"  # a beginning of SQL that none of our rules minds


def test_where_it_is_installed_it_is_asked_and_elsewhere_that_is_told() -> None:
    """The extra is in no lock, so that both can be: each machine proves its own half."""
    if not is_installed():
        with pytest.raises(ValidationError, match=r"libinjection is not installed here: pip install 'passerelle\[lib"):
            Config(second_opinion="libinjection")
        return
    judge = Judge(Config(mode="block", second_opinion="libinjection"))
    told = {
        text: [one.rule.name for one in judge.look([Value("query", "q", text)])] for text in (ONLY_THERE, "a 'b' c")
    }
    assert told == {ONLY_THERE: ["sql.libinjection"], "a 'b' c": []}
    assert not judge.clears(ONLY_THERE)
    assert judge.clears("a 'b' c")
    assert judge.look([Value("query", "q", "\ud800 'x")]) == []
    only = Judge(Config(mode="block", second_opinion="libinjection", rules={"sql": "off"}))
    assert only.look([Value("query", "q", ONLY_THERE)]) == []


def test_without_it_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    monkeypatch.setattr(
        sys, "path", [folder for folder in sys.path if "site-packages" not in folder and "pkgs" not in folder]
    )
    with pytest.raises(ValidationError, match="second_opinion"):
        Config.model_validate({"second_opinion": "libinjection"})


def test_nobody_is_asked_unless_that_is_written() -> None:
    assert Judge(Config(mode="block")).look([Value("query", "q", ONLY_THERE)]) == []
