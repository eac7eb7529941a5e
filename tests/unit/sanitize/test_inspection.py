from __future__ import annotations

import os
import time

import pytest

from proxy.sanitize import FAMILIES, RULES, examine, inspect, is_plain, is_safe, score
from tests.unit.sanitize.families import rules

FULL = "SOAK_SECONDS" in os.environ  # the full form is started by make soak

# what readers of text trip over when they look back, again and again
ADVERSARIES = (
    *(
        "'",
        '"',
        "' or ",
        "(",
        "/*",
        "/**/",
        "<",
        "<a ",
        "<a a='",
        "&#",
        "&lt;",
        "%",
        "%25",
        "%c0",
        "\\",
        "\\u{0",
        "../",
        ".",
    ),
    *(
        "..",
        "\\\\",
        "; cat ",
        "|",
        "$(",
        "${",
        "${a:",
        "{{",
        "[][",
        "union ",
        "select ",
        "union select(",
        " or (",
        " onx=",
        "onload=",
    ),
    *(
        "javascript",
        "j a",
        "data:",
        "\r\n",
        "\0",
        "--",
        "a+",
        "1,",
        "case a when b ",
        "ascii(",
        "sleep(",
        "0x",
        "a ",
        "<!--",
    ),
    *(
        "<?php ",
        "@",
        "t(",
        "alert/*",
        "eval (",
        "this.a",
        "function ( ) { ",
        "c''",
        "/?",
        "*)",
        "=*",
        "nc -",
        "\n",
        "{{a ",
        "${a:x}",
        "|c?t",
        "/?",
        "&id=",
        "\xff",
        "\u0130",
        "<a onabc=",
        "`a`",
        "C:\\a\\",
        "''",
        "where 1=1 ",
    ),
)


@pytest.mark.parametrize(
    "text", ["", "abc", "red shoes", "2024-05-06", "a_b.c", "user@example.com", "naïve", "日本語 テキスト"]
)
def test_plain_values_are_cleared_by_one_look(text: str) -> None:
    assert is_plain(text)
    assert rules(text, paranoia=3) == set()


@pytest.mark.parametrize(
    "text",
    [
        *("a'b", "1 or 2", "a..b", "x--y", "<", "__proto__", "a b%20c", "/x", "1+or+1", "union b"),
        *("DOCUMENT.COOKIE", "WP-CONFIG.PHP", "C:BOOT.INI", "PING -n 4 10.0.0.1", "NetStat -AN", "child_process.x"),
        *(
            "1or 1 is 1",
            "1or-2-2",
            "case when 1 then 2 else 3 end",
            "delete from a where b",
            "sudo -l",
            "nc 10.0.0.1 4444",
        ),
        *("drop us a line", "SH -i", "ls+-la", "order it by name"),
    ],
)
def test_others_get_a_second_one(text: str) -> None:
    assert not is_plain(text)


def test_nothing_is_found_in_an_empty_text() -> None:
    assert examine("", 3) == ()


def test_only_families_that_are_asked_for_are_told() -> None:
    text = "' or 1=1 -- <script>"
    assert {finding.rule.family for finding in inspect(text)} == {"sql", "xss"}
    assert {finding.rule.family for finding in inspect(text, families={"xss"})} == {"xss"}
    assert inspect(text, families=()) == ()


def test_a_rule_is_told_once_with_the_reading_that_shows_it() -> None:
    findings = inspect("%3Cscript%3E%3Cscript%3E")
    assert [finding.rule.name for finding in findings].count("xss.tag") == 1
    assert findings[0].reading == "<script><script>"
    assert findings[0].span.startswith("<script")


def test_scores_add_up() -> None:
    findings = inspect("<script>alert(1)</script>")
    assert score(findings) == sum(finding.rule.score for finding in findings) >= 10
    assert score(()) == 0


def test_is_safe_says_yes_or_no() -> None:
    assert is_safe("O'Brien")
    assert not is_safe("' or 1=1--")
    assert not is_safe("../x", paranoia=2)


def test_double_encoding_is_told_at_level_2_and_endless_encoding_always() -> None:
    assert rules("a%2520b") == set()
    assert rules("a%2520b", paranoia=2) == {"encoding.double"}
    assert "encoding.deep" in rules("%25252525252541")


def test_every_rule_has_a_level_a_score_and_words() -> None:
    for name, rule in RULES.items():
        assert rule.name == name
        assert rule.level in (1, 2, 3)
        assert 2 <= rule.score <= 5
        assert rule.summary
        assert rule.family in FAMILIES


def _seconds(text: str) -> float:
    began = time.process_time()
    inspect(text, paranoia=3)
    return time.process_time() - began


@pytest.mark.parametrize("unit", ADVERSARIES)
def test_time_is_linear_whatever_the_text(unit: str) -> None:
    """Four times the text may take eight times as long, for the machine is shared; sixteen would be quadratic."""
    small, large = unit * (2048 // len(unit)), unit * (8192 // len(unit))
    limit = 8 * max(_seconds(small), 0.005)
    assert any(_seconds(large) < limit for _ in range(4))  # a collection of garbage may fall into one of them


# beginnings that wake every detector, and make the text be read again decoded
START = "%27%2525252527 union document.x javascript: style= etc/passwd $where jndi system "


@pytest.mark.parametrize("unit", ["(", "<a ", "{{a ", "select(1),"])
def test_a_mebibyte_is_done_soon(unit: str) -> None:
    assert _seconds((START + unit * 2**20)[: 2**20]) < 20


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("unit", ADVERSARIES if FULL else ADVERSARIES[:3])
def test_a_mebibyte_of_anything_is_done_in_time(unit: str) -> None:
    size = 2**20 if FULL else 2**14
    for start in ("", "'", "a "):
        assert _seconds(start + unit * (size // len(unit))) < 30
