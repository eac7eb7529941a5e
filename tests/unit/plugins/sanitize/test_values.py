from __future__ import annotations

import time

import pytest

from plugins.sanitize.values import Value, of_cookies, of_pairs, of_path


def test_queries_are_cut_and_decoded_once() -> None:
    assert list(of_pairs("query", "a=1%27+x&n=7&b&&c%5B%5D=%2541&=-")) == [
        Value("query", "a", "1' x"),
        Value("query", "c[]", "c[]", is_name=True),
        Value("query", "c[]", "%41"),
        Value("query", "", "", is_name=True),
        Value("query", "", "-"),
    ]


def test_overlong_bytes_are_told() -> None:
    (value,) = of_pairs("form", "f=..%c0%af")
    assert value == Value("form", "f", "../", overlong=True)


@pytest.mark.parametrize(("path", "texts"), [("/a/b%20c", ["a/b c"]), ("/a'b/c", ["a'b/c", "", "a'b", "c"])])
def test_paths_are_looked_at_whole_and_by_segment(path: str, texts: list[str]) -> None:
    assert [value.text for value in of_path(path)] == texts


def test_cookies_are_cut() -> None:
    assert list(of_cookies('a=1; b="x%27y"; c; d=;')) == [
        Value("cookie", "a", "1"),
        Value("cookie", "b", "x'y"),
        Value("cookie", "", "c"),
    ]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (r'a="\074script\076"', "<script>"),
        (r'$Version=1; a="1\' \or 1=1"', "1' or 1=1"),
        ("b=1; a = \"1' or ';'='\"; c", "1' or ';'='"),
        ('a="1\' or 1=1;-- "', "1' or 1=1;-- "),
        (r'a="1\' or \"1\"=\"1', '1\' or "1"="1'),
    ],
    ids=["octal", "escaped", "quotes", "semicolon", "open"],
)
def test_quoted_cookies_are_read_with_their_escapes_too(text: str, seen: str) -> None:
    assert [value.text for value in of_cookies(text) if value.field == "a"][-1] == seen


@pytest.mark.parametrize("odd", ["a", " ", '"', "=", 'a="', 'a="\\', ";\\"])
def test_the_time_for_cookies_is_linear(odd: str) -> None:
    begin = time.process_time()
    assert len(list(of_cookies('\\"' + odd * 200_000))) < 500_000
    assert time.process_time() - begin < 10
