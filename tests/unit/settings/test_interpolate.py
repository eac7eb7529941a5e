"""`${…}` in all its forms, and what is said when there is no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.settings.document import Document, Source
from proxy.settings.interpolate import MAX_FILE, Interpolation, Unresolved, interpolate
from proxy.settings.yaml_source import parse

ENV = {"HOST": "example.com", "PORT": "80", "EMPTY": "", "NESTED": "${HOST}"}


def expand(text: str, base: Path = Path()) -> str:
    return Interpolation(ENV, base).expand(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${HOST}", "example.com"),
        ("http://${HOST}:${PORT}/", "http://example.com:80/"),
        ("${EMPTY}", ""),
        ("${EMPTY:-default}", "default"),
        ("${NONE:-default}", "default"),
        ("${NONE:-}", ""),
        ("${NONE:-${HOST}}", "example.com"),
        ("${NONE:-${NONE:-x}y}z", "xyz"),
        ("${HOST:-unused}", "example.com"),
        ("${HOST:?needed}", "example.com"),
        ("5 $$", "5 $"),
        ("$${HOST}", "${HOST}"),
        ("^/old$", "^/old$"),
        ("$HOST", "$HOST"),
        ("${exchange.id}", "${exchange.id}"),
        ("${exchange.request.headers.X-A} ${HOST}", "${exchange.request.headers.X-A} example.com"),
        ("${NESTED}", "${HOST}"),
        ("}", "}"),
    ],
)
def test_values(text: str, value: str) -> None:
    assert expand(text) == value


FORMS = "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:path}, and $$ for a dollar sign"


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("${NONE}", "the variable NONE is not set", "set it, or write ${NONE:-default}"),
        ("${NONE:?ask the operator}", "the variable NONE is not set: ask the operator", ""),
        ("${EMPTY:?}", "the variable EMPTY is not set: it is needed", ""),
        ("${HOST", '"${" is never closed', FORMS),
        ("${NONE:-${HOST}", '"${" is never closed', FORMS),
        ("${}", '"${}" is not a variable', FORMS),
        ("${HOST-x}", '"${HOST-x}" is not a variable', FORMS),
        ("${1A}", '"${1A}" is not a variable', FORMS),
    ],
)
def test_what_has_no_value(text: str, message: str, remedy: str) -> None:
    with pytest.raises(Unresolved) as raised:
        expand(text)
    assert (raised.value.message, raised.value.remedy) == (message, remedy)


@pytest.mark.parametrize("content", ["s3cret", "s3cret\n", "s3cret\r\n"])
def test_a_file_is_read_without_its_line_end(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_bytes(content.encode())
    assert expand("Bearer ${file:token}", tmp_path) == "Bearer s3cret"
    assert expand(f"${{file:{tmp_path}/token}}") == "s3cret"


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (MAX_FILE + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, message in [
        ("none", f"cannot read {tmp_path}/none: no such file or directory"),
        ("big", f"{tmp_path}/big is larger than 64 KiB"),
        ("binary", f"{tmp_path}/binary is not UTF-8 text"),
    ]:
        with pytest.raises(Unresolved) as raised:
            expand(f"${{file:{name}}}", tmp_path)
        assert raised.value.message == message


def test_a_tree_is_replaced_in_place_with_all_problems_and_sources(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    root, _ = parse("a: ${HOST}\nb: [x, '${NONE}', '${ALSO}']\nc: ${file:token}${HOST}\nd: 5\n", "f.yaml")
    assert root is not None
    problems = interpolate(root, Interpolation(ENV, tmp_path))
    document = Document.of(root)
    assert document.data == {"a": "example.com", "b": ["x", "${NONE}", "${ALSO}"], "c": "s3cretexample.com", "d": 5}
    assert [problem.render() for problem in problems] == [
        "f.yaml:2:8: b[1]: the variable NONE is not set; set it, or write ${NONE:-default}",
        "f.yaml:2:19: b[2]: the variable ALSO is not set; set it, or write ${ALSO:-default}",
    ]
    assert document.from_source(Source.ENVIRONMENT) == {("a",)}
    assert document.from_source(Source.FILE) == {("c",)}


def test_an_aliased_value_is_replaced_once() -> None:
    root, _ = parse("a: &x $$$$\nb: *x\n", "f.yaml")
    assert root is not None
    assert interpolate(root, Interpolation(ENV, Path())) == []
    assert Document.of(root).data == {"a": "$$", "b": "$$"}
