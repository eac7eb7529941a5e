from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.compress.tags import Style, clients_form, is_ours, of_coded, tags_in, upstreams_forms, widened


@pytest.mark.parametrize("tag", ["abc", '"abc', "W/abc", "", '"a"b"', 'w/"abc"'])
def test_what_is_no_tag_stays_as_it_is(tag: str) -> None:
    assert of_coded(tag, "gzip", "weak") == tag
    assert upstreams_forms(tag, "suffix") == [tag]


@pytest.mark.parametrize(
    ("values", "tags"),
    [
        (['"a"'], ['"a"']),
        (['"a", W/"b"'], ['"a"', 'W/"b"']),
        (['"a"', '"b"'], ['"a"', '"b"']),
        (['"a,b"'], ['"a,b"']),
        ([', ,"a",'], ['"a"']),
        (["*"], []),
        (['"a" "b"'], []),
        (["a"], []),
        ([], []),
    ],
)
def test_lists_of_tags(values: list[str], tags: list[str]) -> None:
    assert tags_in(values) == tags


def test_a_list_that_says_all_stays_as_it_is() -> None:
    assert widened(['"a"'], "weak") is None
    assert widened(['W/"a", "a"'], "weak") is None
    assert widened(["*"], "weak") is None


def test_the_clients_own_word_wins() -> None:
    assert clients_form('"a"', ['W/"a"', '"a"'], "weak") == '"a"'
    assert clients_form('"a"', ['"b"', '"a-br"', '"a-gzip"'], "suffix") == '"a-br"'
    assert clients_form('"c"', ['"b"'], "weak") == '"c"'


def test_which_may_be_ours() -> None:
    assert is_ours('W/"a"', "weak")
    assert is_ours('"a-zstd"', "suffix")
    assert not is_ours('"a"', "weak")
    assert not is_ours('"a-7"', "suffix")


@given(
    st.text(alphabet="ab-gzip,W/!", max_size=9),
    st.sampled_from(["gzip", "br", "identity"]),
    st.sampled_from(["weak", "suffix"]),
)
def test_there_and_back(opaque: str, coding: str, style: Style) -> None:
    upstreams = f'"{opaque}"'
    out = of_coded(upstreams, coding, style)
    assert out != upstreams
    field = widened([out], style)
    assert field is not None
    assert upstreams in tags_in([field])
    assert clients_form(upstreams, [out], style) == out
