from __future__ import annotations

import random

import pytest

from proxy.sanitize import FAMILIES
from tests.unit.sanitize.families import families, rules


@pytest.mark.parametrize(
    "text",
    [
        *("1' or '1'='1", "1 or 1=1", "1) or (1=1", "x' or 'a'='a' -- ", "' or ''='", '" or ""="', "1' AND SLEEP(5)#"),
        *(
            "admin'--",
            "admin' #",
            "admin'/*",
            "') or ('1'='1",
            "1' or 1=1 limit 1 -- -",
            "1/**/or/**/1=1",
            "1 oR 1=1--",
        ),
        *("' || 'a'='a", "1 && 1=1", "1' xor 1=1#", "' or 1 like 1", "' or 2 between 1 and 3--", "1+or+1=1", "0'or'1"),
        *(
            "a'or?--",
            "a'or:b--",
            "a'*rowid or?--",
            "' and mod(29,9) order by 1--",
            "' and x from v$version--",
            "1::int=1",
        ),
        *("admin';", "')", "'))", "1'\"", "x')--", "\"' or 1 --'\"", "1' or 2 not in (1)--", "1 procedure analyse()"),
        *("1';use master--", "1/1--", "1 as a where 1=1 and 2=2", "1 or.1", "1 or 1 sounds like 1", "'(", "x'();"),
        *(
            "' union select a || '~' || b from users--",
            "' union select current_user;--",
            "case sleep(9) when 1 then 2 end",
        ),
        *("1; select * into x from openrowset('a')", "dbms_pipe.receive_message(('a'),10)"),
        *("1 union--\nselect 1", "1 union#x\nselect 1", "1''union select 1", "1 union select.1", "1/*", "\\'"),
        *("updatexml(null,concat(0x0a,version()),null)", "1 and '{\"a\":1}'::jsonb ? 'a'", "1 or{x 1}=1"),
        *("1 or glob('a*','ab')", "1 or 1 collate utf8_bin=1", "'a'='a", "name='x' or 'a'='a'", "*/1=1--"),
        *("1 into @a,@b", "version()#", "1 is null", "1||'a'", "1;use mysql", "1;if 1=1 select 1"),
        *(
            "0' oorr 1=1-- ",
            "1' anandd 1=1#",
            "0' uniunionon seselectlect 1,2",
            "x' and 0b1=1#",
        ),
        *("x' and 'a' collate utf8_bin='a", "alter table a drop column b"),
        *("1 offset 1", "1 collate nocase", "1 fetch first 1 rows only", "' offset 1#", "x' for update#", "1 && (1)"),
        *("-1 xor not false;--", "1-- x\nor-- x\n1=1", "1'#\nor#\n1=1-- "),
        *("from information_schema.tables where 1=1", "id asc limit 1 procedure analyse()"),
        *("' or not 1=2--", "1' or true--", "' or x=x--", "1 and exists(select 1)", "1' or @@version--", "'='", "'-'"),
    ],
)
def test_conditions_are_found(text: str) -> None:
    assert "sql" in families(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("1 union select 1,2,3", "sql.union"),
        ("-1' UNION ALL SELECT NULL,NULL-- -", "sql.union"),
        ("1 union(select(1),2)", "sql.union"),
        ("1/*!50000union*//*!50000select*/1,2", "sql.union"),
        ("1' union distinct select user, password from users#", "sql.union"),
        ("1; drop table users", "sql.stacked"),
        ("'; exec master..xp_cmdshell 'dir'--", "sql.stacked"),
        ("1';shutdown--", "sql.stacked"),
        ("1); insert into t values (1)--", "sql.stacked"),
        ("1'; waitfor delay '0:0:5'--", "sql.time"),
        ("1-sleep(5)", "sql.time"),
        ("(select*from(select(sleep(5)))a)", "sql.time"),
        ("1 and benchmark(5000000,md5(1))", "sql.time"),
        ("'||pg_sleep(5)--", "sql.time"),
        ("1 and (select 1 from dual)=1", "sql.subselect"),
        ("1 and extractvalue(1,concat(0x7e,(select user())))", "sql.boolean"),
        ("1 order by 10--", "sql.clause"),
        ("1' having 1=1--", "sql.clause"),
        ("1' into outfile '/tmp/x'--", "sql.file"),
        ("1 union select table_name from information_schema.tables", "sql.catalogue"),
        ("1 and case when 1=1 then 1 else 0 end", "sql.boolean"),
        ("'+(select 1)+'", "sql.operator"),
        ("1 union(values row(1,2))", "sql.union"),
        ("1 union table users", "sql.union"),
        ("1' union all table users-- -", "sql.union"),
        ("exec xp_cmdshell('dir')", "sql.whole"),
        ("1 between 0 and 2", "sql.whole"),
        ("1 in (1,2)", "sql.whole"),
        ("id=1 or id is not null", "sql.whole"),
    ],
)
def test_statements_are_found_by_their_rules(text: str, rule: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        *("select the best from the menu or drop by", "O'Brien & Sons", "rock 'n' roll", "it's 1 or 2, and 3 = 1 + 2"),
        *("the union selects its delegates", "Dave's and Mary's", "don't stop -- never", "drop the table off at Bob's"),
        *(
            "insert a coin; update your bio; delete from memory",
            "C# or F#",
            "James' #1 fan",
            "and/or",
            "1 or 2",
            "2 and 3",
        ),
        *(
            "the dogs' bowls and the cats' toys",
            "5' 11\" tall",
            "x = a'b",
            "the '-' flag",
            '"quoted" and more',
            "f' = 2x",
        ),
        *(
            "order by phone",
            "having a good time",
            "who's like that?",
            "sleep(3) in section 3",
            "time.sleep(5)",
            "limit 10",
        ),
        *(
            "European Union select committee on trade",
            "2024: union table tennis",
            "select option from dropdown where available",
            "50' or 60' wide",
            "6'2\" or 6'3\"",
            '12" or 14"',
            "boards of 5' or 6', please",
            "3 in 10",
            "between 1 and 10",
            "he said 'or else'",
            "L'Oréal; D'Angelo",
            "'\"'",
            "see ('/x') or ('a')",
            "from tables where we sat",
            "procedure (surgical)",
            "5; use it wisely",
            "into @home",
            "id is null",
            "'a' = 'b'",
            "a glob of paint",
            "select one # of these\nor two -- of those\nunion members only",
            "version 1.2 or v1.3",
            "group by size, please",
        ),
    ],
)
def test_prose_is_left_alone(text: str) -> None:
    assert families(text) == set()


def test_whole_statements_are_told_at_level_2() -> None:
    assert "sql.statement" not in rules("select name from users")
    assert "sql.statement" in rules("select name from users", paranoia=2)


@pytest.mark.parametrize("text", ["1 or colour", "x' like me", "1 and colour"])
def test_fragments_are_told_at_level_2(text: str) -> None:
    assert families(text) == set()
    assert "sql.fragment" in rules(text, paranoia=2)


def test_odd_quotes_are_told_at_level_3() -> None:
    assert "sql.quote" not in rules("O'Brien", paranoia=2)
    assert "sql.quote" in rules("O'Brien", paranoia=3)
    assert "sql.quote" not in rules("it's Ann's", paranoia=3)


def test_the_span_is_what_matched() -> None:
    from proxy.sanitize import inspect

    (finding, *_) = inspect("x' or 1=1 -- ")
    assert finding.span.startswith("' or 1=")


@pytest.mark.parametrize(
    "tokens",
    [
        "1 ' \" ( ) , ; -- # /**/ ^ - = or and if( ascii( select union user() x @@y not case :: $$ do exec xp_a",
        "1 1 1 ^ - = || ( ( if( mid( user() ) ~ @@y",
        "' 1 x or ? :a * - rowid ( ) -- ; drop table",
    ],
)
def test_no_order_of_tokens_is_too_odd_to_be_read(tokens: str) -> None:
    """A detector that raises would answer every such request by an error."""
    chance = random.Random(7)
    for _ in range(1500):
        text = "".join(chance.choices([*tokens.split(), " "], k=chance.randint(1, 8)))
        assert families(text, paranoia=3) <= set(FAMILIES)


def test_an_expression_whose_first_operand_is_a_call_in_parentheses_is_read() -> None:
    assert "sql" in families("1^(if((ascii(substr(x,1,1))=97),1,0))")
