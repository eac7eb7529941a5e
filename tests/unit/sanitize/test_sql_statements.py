from __future__ import annotations

import pytest

from proxy.sanitize.sql_statements import is_statement
from proxy.sanitize.sql_tokens import Tokens
from tests.unit.sanitize.families import families, rules


@pytest.mark.parametrize(
    "text",
    [
        *("drop table users", "create temporary table x(a int)", "insert into t values(1)", "update users set a=1"),
        *("do $$ begin perform pg_sleep(5); end $$", "exec master..xp_cmdshell 'dir'", "(select 1)", "shutdown"),
    ],
)
def test_statements_are_told(text: str) -> None:
    assert is_statement(Tokens(text), 0)


@pytest.mark.parametrize("text", ["drop me a line", "create a table", "update your profile", "set off"])
def test_what_only_begins_like_one_is_not(text: str) -> None:
    assert not is_statement(Tokens(text), 0)


@pytest.mark.parametrize(
    "text",
    [
        *("1 drop table users", "' drop table users", "1) insert into users values(1)", "x'delete from users"),
        *("1 exec master..xp_cmdshell 'dir'", "x' exec sp_configure 'a',1", "exec (xp_regread 1)"),
        *("'; desc users; --", "1';do $$ begin null; end $$--", "';create unique index x on t(a)", "1;select *"),
    ],
)
def test_statements_behind_a_value_are_found_with_and_without_a_semicolon(text: str) -> None:
    assert "sql" in families(text)


@pytest.mark.parametrize(
    "text",
    [
        *("please drop table reservations at the desk", "it's 2; insert coin", "the users' update of 2024"),
        *("execute order 66", "exec summary", "don't delete from here; really -- don't", "what's new; what's not"),
    ],
)
def test_prose_with_verbs_is_left_alone(text: str) -> None:
    assert families(text) == set()


def test_a_dollar_quoted_block_is_a_statement_of_its_own_only_behind_do() -> None:
    assert "sql.stacked" in rules("1; do $$ begin null; end $$")
    assert "sql.stacked" not in rules("1; pay $$ later $$")
