from __future__ import annotations

import json

import pytest

from plugins.sanitize.bodies import values
from plugins.sanitize.config import Config
from plugins.sanitize.graphql import literals
from plugins.sanitize.judge import Judge

JUDGE = Judge(Config(mode="block"))

DOCUMENTS = [
    "{ a }",
    "query { a b, c }",
    "query Q($a: [Int!]! = [1, 2], $b: T = {x: 1.5e-3, y: $z}) @d(if: true) { a: b(x: $a, y: null) @e { ...F } }",
    "fragment F on T @d { a }\nquery { ...F ... @include(if: $x) { b } ... { c } ... on T { d } }",
    "mutation M { like(id: -12) { story { likes } } }",
    "subscription { a(in: {b: [], c: {}}) { d } }",
    "\ufeff{ on fragment query }",
]


@pytest.mark.parametrize("text", DOCUMENTS)
def test_documents_hold_no_values_but_literals(text: str) -> None:
    assert literals(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "query' union select password from users--",
        "query union select password from users",
        "{{7*7}}",
        "{{config}}",
        "{1' or 1=1--",
        "{a} or 1=1",
        "{ 1 or 1 }",
        "mutation; cat /etc/passwd",
        "query<script>alert(1)</script>",
        "{ a(x: 1 or 1) }",
        "{ a(x: 1=1) }",
        "{ a(x: 01) }",
        "{ a",
        "{ a }}",
        "{ a) }",
        "{ }",
        "query",
        '{ a(b: "x }',
        '{ a(b: """x }',
        "{ a(b: ${jndi:ldap://x}) }",
        "{" * 5000,
        "{ a(b: " + "[" * 5000,
        "{a" * 100 + "}" * 100,
    ],
    ids=lambda text: text[:40],
)
def test_what_only_begins_like_one_is_none(text: str) -> None:
    assert literals(text) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{ u(id: """x\\""" 1\' or \'1\'=\'1""") }', ["x\"\"\" 1' or '1'='1"]),
        ('{ u(id: "\\" or \\u0027", b: "") }', ["\" or '", ""]),
        ('{ u(id: "\\u{27} x") }', ["\\u{27} x"]),
        ("{ u } # 1' or 1=1--\n", [" 1' or 1=1--"]),
        ('"""said"""query { u(a: ["b" "c"]) }', ["said", "b", "c"]),
    ],
)
def test_literals_and_comments_are_given_as_they_are_meant(text: str, wanted: list[str]) -> None:
    assert [value.text for value in literals(text) or ()] == wanted


@pytest.mark.parametrize(
    "text",
    [
        "query' union select password from users--",
        "{{7*7}}",
        "{1' or 1=1--",
        "mutation; cat /etc/passwd",
        "query<script>alert(1)</script>",
        '{ u(id: """x\\""" 1\' or \'1\'=\'1""") }',
    ],
)
@pytest.mark.parametrize("kind", ["json", "graphql"])
def test_attacks_are_found_in_fields_named_query_and_in_documents(kind: str, text: str) -> None:
    data = json.dumps({"query": text}).encode() if kind == "json" else text.encode()
    assert JUDGE.look(values(kind, data, ""))


def test_overlong_bytes_of_a_document_are_told() -> None:
    assert [value.overlong for value in values("graphql", b'{ a(b: "\xc0\xaf") }', "")] == [True]
