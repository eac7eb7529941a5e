from __future__ import annotations

import pytest

from tests.unit.sanitize.families import families, rules


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("<script>alert(1)</script>", "xss.tag"),
        ("<img src='//x.example/?", "xss.markup"),
        ('"><form action="https://x.example/', "xss.markup"),
        ("<ScRiPt/src=//x>", "xss.tag"),
        ("<svg><script>1", "xss.tag"),
        ("</title><iframe src=x>", "xss.tag"),
        ("<img src=x onerror=alert(1)>", "xss.handler"),
        ("<svg/onload=alert`1`>", "xss.handler"),
        ("<body/onpageshow='x()'", "xss.handler"),
        ("<x onclick = x() >", "xss.handler"),
        ("<img src=`x`onerror=alert(1)>", "xss.handler"),
        ("<a href=javascript:alert(1)>x", "xss.uri"),
        ("<a href='&#106;avascript:alert(1)'>", "xss.uri"),
        ("<a href='java\tscript:alert(1)'>", "xss.uri"),
        ("<form action=' vbscript:msgbox(1)'>", "xss.uri"),
        ("<button formaction=data:text/html,x>", "xss.uri"),
        ("javascript:alert(1)", "xss.uri"),
        ("[x](javascript:alert(1))", "xss.uri"),
        ("data:text/html;base64,PHNjcmlwdD4=", "xss.uri"),
        ("<p style='width:expression(alert(1))'>", "xss.style"),
        ('" onmouseover="alert(1)', "xss.breakout"),
        ("x' autofocus onfocus='alert(1)", "xss.breakout"),
        ("1 onmouseover=alert(1)", "xss.breakout"),
        ("';alert(1)//", "xss.script"),
        ("-confirm`1`-", "xss.script"),
        ("x=document.cookie", "xss.script"),
        ("eval(atob('YQ=='))", "xss.script"),
        ("window['al'+'ert'](1)", "xss.script"),
        ("[].constructor.constructor('x')()", "xss.script"),
        ("<!--[if gte IE 4]><script>", "xss.markup"),
        ("%3Csvg%20onload%3Dalert(1)%3E", "xss.handler"),
        ("\\u003cimg src=x onerror=alert(1)\\u003e", "xss.handler"),
    ],
)
def test_attacks_are_found_by_their_rules(text: str, rule: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        *("a < b and b > c", "<3 you", "List<String> names", "<b>bold</b> and <i>italic</i>", "#include <stdio.h>"),
        *(
            "JavaScript: The Good Parts (2008)",
            "one=1, only=true, online=yes",
            "Ann <ann@example.com>",
            "if (a<b) alerts",
        ),
        *('<a href="https://example.com/?a=1">link</a>', '<img src="https://example.com/x.png" alt="x">', "on alert"),
        *(
            "data:image/png;base64,iVBORw0KGgo=",
            "the alert (see below) was raised",
            "a document. Cookie monster",
            "x<y",
        ),
        *(
            "vec![1]<T>",
            "time on = 5",
            "<br/>",
            "the constructor of a house",
            "see <https://example.com/>",
            "!important",
        ),
    ],
)
def test_markup_and_prose_without_script_are_left_alone(text: str) -> None:
    assert families(text) == set()


def test_elements_that_can_be_misused_are_told_at_level_2() -> None:
    assert rules("<form>") == set()
    assert "xss.element" in rules("<form>", paranoia=2)


def test_a_handler_must_be_one_outside_of_tags() -> None:
    assert rules("one=(1)") == set()
    assert "xss.breakout" in rules("x onerror=(1)")


def test_any_markup_is_told_at_level_3() -> None:
    assert rules("see <b>this</b>", paranoia=2) == set()
    assert rules("see <b>this</b>", paranoia=3) == {"xss.html"}
    assert rules("a < b > c", paranoia=3) == set()


def test_more_attributes_than_anybody_writes_are_an_attack_by_themselves() -> None:
    """Otherwise they would hide what stands behind them, or cost too much."""
    assert "xss.handler" in rules("<a " + "onabc=1 " * 200)
    assert "xss.handler" in rules("<a onabc=1>" * 200)
    assert "xss.breakout" in rules('x" ' + "onabc=1 " * 200)
    assert rules("<a onabc=1>" * 20) == set()


@pytest.mark.parametrize("text", ["[1].map(alert)", "[1].forEach(alert)", "x.onerror=alert;throw 1", "(alert)(1)"])
def test_functions_that_are_called_by_others(text: str) -> None:
    assert "xss.script" in rules(text)


@pytest.mark.parametrize("text", ["data: 2024-01-01", "data: 5 of 7; see below", "data:1"])
def test_a_field_that_is_called_data_is_no_url(text: str) -> None:
    assert families(text) == set()
