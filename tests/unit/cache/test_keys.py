from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.cache.keys import namespace, raw

NAMES = st.lists(st.text(alphabet=st.sampled_from("a1:\u00e9"), max_size=4), min_size=2, max_size=2)


@given(NAMES, NAMES, st.binary(max_size=4), st.binary(max_size=4))
def test_no_two_names_meet_whatever_the_keys_are(
    one: list[str], other: list[str], one_key: bytes, other_key: bytes
) -> None:
    if namespace(*one) + one_key == namespace(*other) + other_key:
        assert (one, one_key) == (other, other_key)


def test_a_name_says_where_it_ends() -> None:
    assert namespace("cache", "http") == b"5:cache4:http"
    assert namespace("é") == b"2:\xc3\xa9"


def test_keys_are_bytes() -> None:
    assert (raw("é"), raw(b"\xff"), raw("\udcff")) == (b"\xc3\xa9", b"\xff", b"\xff")
