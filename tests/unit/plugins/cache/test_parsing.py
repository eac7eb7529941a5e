from __future__ import annotations

import pytest

from plugins.cache.parsing import MOST, members, names, normal, seconds, unquoted


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["a, b ,c"], ["a", "b", "c"]),
        (["a", "b,"], ["a", "b"]),
        ([" , ,"], []),
        (['x="a, b", c'], ['x="a, b"', "c"]),
        (['x="a\\", b", c'], ['x="a\\", b"', "c"]),
        (['x="a, no-store'], ['x="a', "no-store"]),  # a string without an end hides nothing
    ],
)
def test_members(values: list[str], found: list[str]) -> None:
    assert members(values) == found


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("003600", 3600),
        ("2147483648", MOST),
        ("99999999999", MOST),
        ("9" * 400, MOST),
        ("-1", None),
        ("1.0", None),
        ("a1", None),
        ("1a", None),
        (" 1", None),
        ("'1'", None),
        ("", None),
        ("\u0661", None),
    ],
)
def test_seconds(text: str, number: int | None) -> None:
    assert seconds(text) == number


def test_a_quoted_string_is_its_text() -> None:
    assert unquoted('"a\\"b"') == 'a"b'
    assert unquoted("'a'") == "'a'"


def test_names_and_normal_values() -> None:
    assert names("A, b ,") == {"a", "b"}
    assert normal(["1 ,  2", "3"]) == "1,2,3"
    assert normal(["a   b"]) == "a b"
