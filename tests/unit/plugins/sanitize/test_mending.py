from __future__ import annotations

import json
import time

import pytest

from plugins.sanitize import bodies
from plugins.sanitize.mending import Changes, mended, mended_pairs, mended_target
from plugins.sanitize.values import Value

MULTIPART = (
    b'--XX\r\nContent-Disposition: form-data; name="t"\r\n\r\n1\' or 1=1\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="f"; filename="../x.php"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG<script>\r\n"
    b"--XX--\r\n"
)


TYPE = "multipart/form-data; boundary=XX"


def test_json_is_mended_at_its_place_without_another_byte_changed() -> None:
    data = b'{ "a" : "<b>\\u0000x", "n": 1.50e3, "k": ["<b>\\u0000x", {"a": "<b>\\u0000x"}], "b": "\\u00e9\xe9" }'
    changes = Changes({Value("json", "a", "<b>\0x"): "<b>x</b>", Value("json", "k[].a", "<b>\0x"): "é"})
    assert mended("json", data, "", changes) == (
        b'{ "a" : "<b>x</b>", "n": 1.50e3, "k": ["<b>\\u0000x", {"a": "\xc3\xa9"}], "b": "\\u00e9\xe9" }'
    )
    assert len(changes.made) == 2


def test_names_of_json_are_mended_and_what_stands_below_them_keeps_its_way() -> None:
    changes = Changes({Value("json", "a.b\0", "b\0", is_name=True): "b", Value("json", "a.b\0[]", "\0"): ""})
    assert mended("json", b'{"a":{"b\\u0000":["\\u0000","x"]},"b\\u0000":1}', "", changes) == (
        b'{"a":{"b":["","x"]},"b\\u0000":1}'
    )


@pytest.mark.parametrize("data", [b'{"a": "x\0",', b"]]}", b'{"a"}', b"[" * 50_000 + b'"x"', b'"\\u12"'])
def test_what_is_no_json_makes_it_not_fail(data: bytes) -> None:
    assert mended("json", data, "", Changes({Value("json", "", "none"): ""})) == data


def test_strings_that_do_not_end_are_read_once() -> None:
    data = b"[" + b'"\\"' * 60_000
    begin = time.process_time()
    assert mended("json", data, "", Changes({Value("json", "", "none"): ""})) == data
    assert time.process_time() - begin < 10


def test_forms_are_mended_pair_by_pair() -> None:
    changes = Changes({Value("query", "a", "\0x y"): "x y", Value("query", "n\0", "n\0", is_name=True): "n"})
    assert mended_pairs("query", "a=%00x+y&b=%00x+y&c&n%00=%7e", changes) == "a=x+y&b=%00x+y&c&n=%7e"
    assert mended_target("/%00?a=%00x+y", changes) == "/%00?a=x+y"
    assert mended("form", b"a=1&b=%00", "", Changes({Value("form", "b", "\0"): ""})) == b"a=1&b="


def test_file_names_and_fields_are_mended_in_their_part_only() -> None:
    file = Value("form", "f", "../x.php", is_name=True)
    assert mended("multipart", MULTIPART, TYPE, Changes({file: "x.php"})) == MULTIPART.replace(b"../x.php", b"x.php")
    field = Value("form", "t", "1' or 1=1")
    assert mended("multipart", MULTIPART, TYPE, Changes({field: "1"})) == MULTIPART.replace(b"1' or 1=1", b"1")


def test_parts_in_other_codings_are_left_and_not_told_as_made() -> None:
    data = MULTIPART.replace(b'name="t"\r\n', b'name="t"\r\nContent-Type: text/plain; charset=utf-7\r\n')
    changes = Changes({Value("form", "t", "1' or 1=1"): "1"})
    assert mended("multipart", data, TYPE, changes) == data
    assert not changes.made


@pytest.mark.parametrize("kind", ["xml", "graphql"])
def test_documents_stay(kind: str) -> None:
    data = json.dumps("<a>\0</a>").encode()
    assert mended(kind, data, "", Changes({Value(kind, "", "\0"): ""})) == data


def test_strings_below_long_names_are_mended() -> None:
    data = json.dumps({"k" * 300: {"a": {"b": "\0x"}}}).encode()
    (value,) = bodies.values("json", data, "")
    assert mended("json", data, "", Changes({value: "x"})) == data.replace(b"\\u0000", b"")


def test_a_part_with_very_many_names_is_left() -> None:
    data = MULTIPART.replace(b'name="t"', b"; ".join(b'name="\0%d"' % number for number in range(5000)))
    wanted = {Value("form", "\0" + "0", f"\0{number}", is_name=True): "x" for number in range(5000)}
    begin = time.process_time()
    assert mended("multipart", data, TYPE, Changes(wanted)) == data
    assert time.process_time() - begin < 3
