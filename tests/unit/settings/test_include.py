"""Several files make one configuration, and never quietly contradict each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.settings.document import Document
from proxy.settings.include import INCLUDABLE, Tree

ONLY = f"only {', '.join(INCLUDABLE)} may stand in an included file"


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(files: dict[str, str], env: dict[str, str] | None = None) -> tuple[dict[str, Any], list[str], Tree]:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    tree = Tree(env or {})
    tree.read(Path("main.yaml"))
    data = Document.of(tree.root).data if tree.root is not None else {}
    return data, [problem.render() for problem in tree.problems], tree


def test_lists_and_upstreams_are_joined_in_alphabetical_order() -> None:
    data, problems, tree = read(
        {
            "main.yaml": "include: [parts/*.yaml]\nworkers: 1\nupstreams: {a: 1}\nroutes: [m]\n",
            "parts/2.yaml": "routes: [two]\ntests: [t]\n",
            "parts/1.yaml": "upstreams: {b: 2}\nroutes: [one]\nplugins: [p]\n",
        }
    )
    assert problems == []
    assert data == {
        "workers": 1,
        "upstreams": {"a": 1, "b": 2},
        "routes": ["m", "one", "two"],
        "plugins": ["p"],
        "tests": ["t"],
    }
    assert [str(file) for file in tree.files] == ["main.yaml", "parts/1.yaml", "parts/2.yaml"]


def test_places_are_those_of_the_included_file() -> None:
    _, _, tree = read({"main.yaml": "include: a/b.yaml\nroutes: [m]\n", "a/b.yaml": "routes:\n  - x\n"})
    assert tree.root is not None
    assert str(Document.of(tree.root).mark(("routes", 1))) == "a/b.yaml:2:5"


def test_included_files_include_relative_to_themselves_and_have_variables() -> None:
    data, problems, _ = read(
        {"main.yaml": "include: a/b.yaml\n", "a/b.yaml": "include: c.yaml\n", "a/c.yaml": "routes: ['${X}']\n"},
        {"X": "x"},
    )
    assert problems == []
    assert data == {"routes": ["x"]}


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        (
            {"main.yaml": "include: a.yaml\nupstreams: {s: 1}\n", "a.yaml": "upstreams:\n  s: 2\n"},
            ["a.yaml:2:3: upstreams.s: is defined twice; it already stands at main.yaml:2:13; rename one of them"],
        ),
        (
            {"main.yaml": "include: a.yaml\n", "a.yaml": "workers: 1\n"},
            [
                f"a.yaml:1:1: workers: belongs in the main file; {ONLY}",
            ],
        ),
        (
            {"main.yaml": "include: a.yaml\n", "a.yaml": "include: main.yaml\n"},
            ["a.yaml:1:10: include: main.yaml includes itself; remove one of the includes"],
        ),
        (
            {"main.yaml": "include: [a.yaml, '*.yml', ./a.yaml]\n", "a.yaml": "routes: [x]\n"},
            [
                'main.yaml:1:19: warning: include[1]: "*.yml" matches no file',
                "main.yaml:1:28: include: a.yaml is included twice; include it once",
            ],
        ),
        ({"main.yaml": "include: no.yaml\n"}, ["main.yaml:1:10: include: there is no file no.yaml; check the path"]),
        ({"main.yaml": "include: [5]\n"}, ['main.yaml:1:11: include[0]: must be a path; write it as "routes/*.yaml"']),
        (
            {"main.yaml": "include: a.yaml\nroutes: [m]\n", "a.yaml": "routes: {x: 1}\n"},
            ["a.yaml:1:9: routes: must be a list"],
        ),
        (
            {"main.yaml": "include: a.yaml\n", "a.yaml": "- x\n"},
            ['a.yaml:1:1: must be a mapping at the top; begin with a key, such as "upstreams:"'],
        ),
        ({"main.yaml": "include: a.yaml\n", "a.yaml": "\n"}, ["a.yaml: is empty; write upstreams and routes"]),
        ({}, ["main.yaml: there is no such file; check the path"]),
        ({"main.yaml/x": ""}, ["main.yaml: cannot be read: is a directory"]),
    ],
)
def test_what_is_refused(files: dict[str, str], lines: list[str]) -> None:
    assert read(files)[1] == lines


def test_bytes_that_are_no_text_have_a_place() -> None:
    Path("main.yaml").write_bytes(b"a: 1\nbc: \xff\n")
    tree = Tree({})
    tree.read(Path("main.yaml"))
    assert tree.root is None
    assert [problem.render() for problem in tree.problems] == ["main.yaml:2:5: is not UTF-8 text; save it as UTF-8"]


def test_a_byte_order_mark_is_no_matter() -> None:
    Path("main.yaml").write_bytes(b"\xef\xbb\xbfworkers: 1\n")
    tree = Tree({})
    tree.read(Path("main.yaml"))
    assert tree.root is not None
    assert Document.of(tree.root).data == {"workers": 1}


def test_keys_without_a_value_are_reported_where_a_value_is_needed() -> None:
    data, problems, _ = read(
        {
            "main.yaml": "routes:\nupstreams:\n  a: {pool: }\nplugins: [{events: }]\n"
            "tests: [{expect: {headers: {X: null}, status: }}]\n"
        }
    )
    assert problems == [
        "main.yaml:1:1: routes: has no value; write one, or remove the key",
        "main.yaml:3:7: upstreams.a.pool: has no value; write one, or remove the key",
        "main.yaml:5:39: tests[0].expect.status: has no value; write one, or remove the key",
    ]
    assert data == {
        "upstreams": {"a": {}},
        "plugins": [{"events": None}],
        "tests": [{"expect": {"headers": {"X": None}}}],
    }
