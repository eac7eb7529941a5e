"""YAML is read strictly, and every value knows its place."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.settings.document import Document, Node
from proxy.settings.yaml_source import MAX_ALIASED, MAX_DEPTH, parse, resolve

PLAIN = "write a plain value; quotes make it text"


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(entry.node) for key, entry in node.value.items()}
    return [plain(item) for item in node.value] if isinstance(node.value, list) else node.value


def read(text: str) -> Any:
    node, problems = parse(text, "f.yaml")
    assert problems == []
    assert node is not None
    return plain(node)


def complaints(text: str) -> list[str]:
    return [problem.render() for problem in parse(text, "f.yaml")[1]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("12", 12),
        ("-3", -3),
        ("0o17", "0o17"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        ("", None),
        ("~", None),
        ("null", None),
        ("9" * 30, float("9" * 30)),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_quotes_and_blocks_make_text() -> None:
    assert read("a: '12'\nb: \"true\"\nc: |\n  5\nd: ''\n") == {"a": "12", "b": "true", "c": "5\n", "d": ""}


def test_keys_are_text_as_written() -> None:
    assert read("200: a\ntrue: b\n") == {"200": "a", "true": "b"}


def test_places_are_of_keys_and_values() -> None:
    node, _ = parse("a:\n  bc: [1, x]\n", "f.yaml")
    assert node is not None
    document = Document.of(node)
    assert str(document.mark(("a", "bc"))) == "f.yaml:2:3"
    assert [str(document.mark(("a", "bc", index))) for index in (0, 1)] == ["f.yaml:2:8", "f.yaml:2:11"]


def test_aliases_stand_for_the_value_again() -> None:
    assert read("a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "a: 1\nb: 2\na: 3\n",
            "f.yaml:3:1: a: the key is written twice; it already stands at f.yaml:1:1; keep one of them",
        ),
        (
            "a: !!python/object:os.system {}\n",
            f'f.yaml:1:4: a: the tag "tag:yaml.org,2002:python/object:os.system" is not allowed; {PLAIN}',
        ),
        ("a: !x 1\n", f'f.yaml:1:4: a: the tag "!x" is not allowed; {PLAIN}'),
        ("a: &x [*x]\n", 'f.yaml:1:8: a[0]: "*x" stands inside what it refers to; write the value out'),
        ("a: 1\n---\nb: 2\n", 'f.yaml:3:1: holds more than one document; remove the line "---" between them'),
        ("b: &b {c: 1}\na: {<<: *b}\n", 'f.yaml:2:5: a: merges with "<<", which is not supported; write the keys out'),
        ("? [a]\n: 1\n", "f.yaml:1:3: has a key that is not plain text; quote keys that hold [, { or *"),
        ("a: \x07\n", "f.yaml: holds a control character; remove it"),
    ],
)
def test_what_is_refused(text: str, line: str) -> None:
    assert complaints(text) == [line]


def test_syntax_errors_have_a_place() -> None:
    node, (problem,) = parse("a: [1\nb: 2\n", "f.yaml")
    assert node is None
    assert problem.message.startswith("is not valid YAML: ")
    assert (problem.line, problem.column) == (2, 2)


def test_unknown_aliases_are_syntax_errors_or_refused() -> None:
    node, problems = parse("a: *nobody\n", "f.yaml")
    assert node is None
    assert len(problems) == 1


def test_aliases_cannot_be_piled_up() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    node, (problem,) = parse("\n".join(levels), "f.yaml")
    assert node is None
    assert problem.message == f"aliases stand for more than {MAX_ALIASED} values"


def test_nesting_is_bounded() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert complaints(f"a: {deepest}") == []
    assert "is nested more than" in complaints(f"a: [{deepest}]")[0]


def test_an_empty_text_is_an_empty_value() -> None:
    assert read("") is None
    assert read("# only a comment\n") is None
