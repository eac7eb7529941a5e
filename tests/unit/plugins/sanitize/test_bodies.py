from __future__ import annotations

import json
import time

import pytest

from plugins.sanitize.bodies import kind_of, values
from plugins.sanitize.config import Config
from plugins.sanitize.judge import Judge

JSON = "application/json"


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/json; charset=utf-8", "json"),
        ("application/vnd.api+JSON", "json"),
        ("application/x-www-form-urlencoded", "form"),
        ("multipart/form-data; boundary=x", "multipart"),
        ("multipart/mixed; boundary=x", "multipart"),
        ("application/x-www-form-urlencoded, x", "form"),
        (" Application/JSON\tx", "json"),
        ("application/graphql", "graphql"),
        ("text/xml", "xml"),
        ("application/soap+xml", "xml"),
        ("image/svg+xml", "xml"),
        ("image/png", ""),
        ("text/plain", ""),
        ("", ""),
    ],
)
def test_kinds(content_type: str, kind: str) -> None:
    assert kind_of(content_type) == kind


def seen(kind: str, data: bytes, content_type: str = "") -> list[tuple[str, str, bool]]:
    return [(value.field, value.text, value.is_name) for value in values(kind, data, content_type)]


def test_json_gives_strings_and_names_with_their_ways() -> None:
    data = json.dumps({"a": {"b'c": ["x'y", 1, None, True, {"d": "<"}, "x y"]}, "$ne": 2, "plain": "abc"}).encode()
    assert seen("json", data) == [
        ("a.b'c", "b'c", True),
        ("a.b'c[]", "x'y", False),
        ("a.b'c[].d", "<", False),
        ("$ne", "$ne", True),
    ]


def test_escapes_hide_nothing() -> None:
    assert seen("json", b'{"a": "\\u003cscript\\u003e", "\\u0024ne": "\\u0061bc"}') == [
        ("a", "<script>", False),
        ("$ne", "$ne", True),
    ]


@pytest.mark.parametrize("data", [b"{not json", b"[" * 100_000, b"\xff\xfe{"])
def test_what_is_no_json_is_one_text(data: bytes) -> None:
    (value,) = values("json", data, JSON)
    assert value.field == ""
    assert len(value.text) == len(data)


def test_json_deeper_than_is_followed_is_looked_at_as_text() -> None:
    for depth in (100, 900):
        data = b'{"a":' * depth + b'"<script>"' + b"}" * depth
        assert any("<script>" in text for _, text, _ in seen("json", data))


@pytest.mark.parametrize(
    "data", ['{"constructor": "Ferrari"}', '{"prototype": {"a": 1}}', '["constructor", {"prototype": 1}]']
)
def test_words_of_pollution_are_words_elsewhere(data: str) -> None:
    judge = Judge(Config(mode="block", paranoia=3))
    assert not judge.look(values("json", data.encode(), JSON))


def test_ways_have_an_end() -> None:
    name = "k" * 30_000
    data = json.dumps({name: {"a": {f"b'{number}": 1 for number in range(1000)}}}).encode()
    fields = [value.field for value in values("json", data, JSON) if value.text]
    assert len(fields) == 1000
    assert sum(map(len, fields)) < 600_000


FILLER = json.dumps("it's fine, isn't it? " * 60)


@pytest.mark.parametrize(
    "body",
    [
        f'\ufeff{{"z": {FILLER}, "a": "1\' or \'1\'=\'1"}}',
        f'{{"n": {"9" * 5000}, "z": {FILLER}, "a": "1\' or \'1\'=\'1"}}',
        f'{{"n": {"[" * 5000}{"]" * 5000}, "z": {FILLER}, "a": "1\' or \'1\'=\'1"}}',
        f'{{"z": {FILLER}, "a": "1\' or \'1\'=\'1",}}',
        f"{{z: {FILLER}, a: '1\\' or \\'1\\'=\\'1'}}",
        f'{{"z": {FILLER}, "a": "1\' or \'1\'=\'1',
    ],
    ids=["byte order mark", "long number", "deep", "comma", "single quotes", "open"],
)
def test_a_string_of_what_some_parsers_take_for_json_is_seen_by_itself(body: str) -> None:
    assert "1' or '1'='1" in [text for _, text, _ in seen("json", body.encode())]


def test_strings_of_a_document_with_a_byte_order_mark_keep_their_ways() -> None:
    assert seen("json", '\ufeff{"a": {"b": "x\'y"}}'.encode()) == [("a.b", "x'y", False)]


@pytest.mark.parametrize("odd", ['"\\"', "'\\'", '"' + "\\\\" * 2, "\\'"])
def test_strings_without_an_end_are_read_once(odd: str) -> None:
    data = ("[" + odd * 60_000).encode()
    begin = time.process_time()
    found = list(values("json", data, JSON, lambda _: True))
    assert len(found) < 60_000
    assert time.process_time() - begin < 10


def test_names_below_what_is_followed_are_names() -> None:
    data = b'{"a":' * 70 + b'{"$ne": ["x\'y", 1]}' + b"}" * 70
    assert [(text, is_name) for _, text, is_name in seen("json", data)] == [("$ne", True), ("x'y", False)]


def test_whoever_names_twice_is_heard_twice() -> None:
    assert seen("json", b'{"a": "x\'y", "a": "x", "b": {"c": "<", "c": 1}}') == [
        ("a", "x'y", False),
        ("b.c", "<", False),
    ]
    twice = b'{"query": "{ a(b: \\"x\'y\\") }", "query": "{ a }<"}'
    assert [text for _, text, _ in seen("json", twice)] == ["x'y", "{ a }<"]


def test_graphql_gives_its_literals_and_variables() -> None:
    document: dict[str, object] = {"query": '{ user(id: "1\' or 1=1") { name } }'}
    document["variables"] = {"x": "a'b", "y": [{"z": "1' or 1=1"}]}
    assert seen("json", json.dumps(document).encode()) == [
        ("", "1' or 1=1", False),
        ("variables.x", "a'b", False),
        ("variables.y[].z", "1' or 1=1", False),
    ]
    assert seen("graphql", b'query { a(b: """x "y" z""") }') == [("", 'x "y" z', False)]


MULTIPART = (
    b'--XX\r\nContent-Disposition: form-data; name="t"\r\n\r\n1\' or 1=1\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="f"; filename="../x.php"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG<script>\r\n"
    b"--XX--\r\n"
)


def test_multipart_gives_fields_and_file_names_but_no_files() -> None:
    assert seen("multipart", MULTIPART, "multipart/form-data; boundary=XX") == [
        ("t", "1' or 1=1", False),
        ("f", "../x.php", True),
    ]


def test_multipart_without_a_boundary_is_one_text() -> None:
    assert len(seen("multipart", MULTIPART, "multipart/form-data")) == 1
