from __future__ import annotations

import pytest

from proxy.sanitize.sql_tokens import Tokens
from proxy.sanitize.sql_whole import whole
from tests.unit.sanitize.families import families, rules


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1=1",
            "user()",
            "@@version",
            "0||1",
            "drop table users",
            "5 asc -- ",
            "(7113=7113)*1",
            "1 or current_user",
            "1 and null",
        ),
        *("'foo'||'bar'", "load_file('\\\\\\\\x.example\\\\a')", "0^(length(database())>3)", "1 not between 0 and 3"),
    ],
)
def test_values_that_only_try_a_database_are_told(text: str) -> None:
    assert whole(Tokens(text)) > 0
    assert "sql" in families(text)


@pytest.mark.parametrize(
    "text",
    [
        "1-2",
        "current_user",
        "1 or 2",
        "1 or (2)",
        "(1+2)*3",
        "(a=b)*2",
        "5 asc",
        "concat('a','b')",
        "2 and 3",
        "user",
        "'a' or 'b'",
        "drop me a line",
    ],
)
def test_arithmetic_names_and_choices_are_not(text: str) -> None:
    assert whole(Tokens(text)) == 0
    assert "sql.whole" not in rules(text)
