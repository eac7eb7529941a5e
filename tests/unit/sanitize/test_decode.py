from __future__ import annotations

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sanitize import from_bytes, readings, unquoted


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("%3Cscript%3E", "<script>"),
        ("%253Cscript%253E", "<script>"),
        ("%u003cscript%u003e", "<script>"),
        ("&lt;script&gt;", "<script>"),
        ("&#60;script&#x3e;", "<script>"),
        ("&#0000060script&#X00003E", "<script>"),
        ("\\u003cscript\\x3e", "<script>"),
        ("\\u{3c}script\\u{00003e}", "<script>"),
        ("x\\r\\nSet-Cookie: a", "x\r\nSet-Cookie: a"),
        ("\uff1cscript\uff1e", "<script>"),
        ("%26lt;script%26gt;", "<script>"),
        ("%c0%bcscript%c0%be", "<script>"),
        ("..%c0%af..%e0%80%af..%f0%80%80%af", "../../../"),
        ("%%32%65%%32%65/", "../"),
    ],
)
def test_what_an_encoding_hides_is_among_the_readings(text: str, meant: str) -> None:
    assert meant in readings(text).forms


@pytest.mark.parametrize(
    "text", ["plain", "100% sure", "a & b", "AT&T", "C:\\users\\bob", "&nosuch;", "%zz", "naïve ☃", ""]
)
def test_what_is_no_encoding_stays(text: str) -> None:
    assert readings(text).forms == (text,)


def test_the_given_text_comes_first_and_none_comes_twice() -> None:
    read = readings("%2541")
    assert read.forms == ("%2541", "%41", "A")
    assert read.percents == 2


def test_overlong_sequences_are_told() -> None:
    assert readings("..%c0%af").overlong
    assert not readings("%c3%a9").overlong


def test_rounds_are_limited_and_what_is_left_is_told() -> None:
    text = "a"
    for _ in range(8):
        text = "".join(f"%{ord(character):02x}" for character in text)[:900]
    read = readings(text)
    assert read.deep
    assert len(read.forms) == 5
    assert not readings("%2541").deep


def test_a_plus_is_read_as_a_space_only_where_there_is_none() -> None:
    assert "1 or 1=1" in readings("1+or+1=1").forms
    assert readings("a + b").forms == ("a + b",)


def test_numbers_that_are_no_characters_stay() -> None:
    assert readings("&#9999999;").forms == ("&#9999999;",)
    assert readings("&#" + "9" * 5000 + ";").forms[0].startswith("&#9")


@pytest.mark.parametrize(
    ("data", "text", "overlong"),
    [
        (b"plain", "plain", False),
        ("naïve".encode(), "naïve", False),
        (b"\xc0\xae\xc0\xae/", "../", True),
        (b"\xe9t\xe9", "été", False),
        ("é".encode() + b"\xff", "éÿ", False),
        (b"\xc0", "\xc0", False),
        ("😀".encode() + b"\xc0\xaf", "😀/", True),
    ],
)
def test_bytes_are_read_leniently(data: bytes, text: str, overlong: bool) -> None:
    assert from_bytes(data) == (text, overlong)


def test_targets_are_unquoted_by_one_round() -> None:
    assert unquoted("a%2520b+c") == ("a%20b+c", False)
    assert unquoted("na\u00c3\u00afve") == ("naïve", False)
    assert unquoted("%c0%af") == ("/", True)
    assert unquoted("\u00c3%a9") == ("é", False)


@given(st.text(st.sampled_from("%0123456789abcdefABCDEF=+_ \n\r.u"), max_size=24))
def test_escapes_are_undone_as_everybody_undoes_them(text: str) -> None:
    """Whatever stands between them, and what is no escape stays (RFC 3986 section 2.1)."""
    if "%u" not in text:
        assert unquoted(text)[0] == from_bytes(unquote_to_bytes(text))[0]
