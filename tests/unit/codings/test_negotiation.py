from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.codings import IDENTITY, accepted, applied, choose
from proxy.codings.negotiation import _best, _read
from proxy.headers import Headers

HERE = ("br", "zstd", "gzip", "deflate")

CHOICES = {
    "gzip": "gzip",
    "gzip, deflate, br, zstd": "br",  # wanted alike: our own order
    "deflate, gzip": "gzip",
    "gzip;q=1.0, br;q=0.9": "gzip",  # the client's order first
    "br;q=0, gzip": "gzip",
    "br;q=0.001": "br",
    "GZIP": "gzip",
    "x-gzip": "gzip",
    "x-gzip;q=0.5, deflate;q=0.4": "gzip",
    "*": "br",
    "*, br;q=0": "zstd",
    "*;q=0.5, gzip;q=0.8": "gzip",
    "*;q=0": IDENTITY,
    "*;q=0, gzip": "gzip",
    "identity": IDENTITY,
    "identity;q=0": IDENTITY,  # nothing else is acceptable either; there is no 406
    "identity;q=0, gzip;q=0.1": "gzip",
    "identity, gzip": "gzip",  # wanted alike
    "identity;q=1, gzip;q=0.9": IDENTITY,
    "identity;q=0.5, gzip;q=0.9": "gzip",
    "compress, exi": IDENTITY,
    "": IDENTITY,
    ",": IDENTITY,
    ", ,gzip,,": "gzip",  # RFC 9110 section 5.6.1.2: empty members do not count
    "gzip ; q=0.5": "gzip",
    "gzip;Q=0.5": "gzip",
    "\tgzip\t;\tq=1\t": "gzip",
    "gzip;q=1.000": "gzip",
    "gzip;q=0.": IDENTITY,
    "gzip;q=1.": "gzip",
}

MALFORMED = [
    "gzip;q=2",
    "gzip;q=1.001",
    "gzip;q=0.5555",
    "gzip;q=-1",
    "gzip;q=",
    "gzip;q",
    "gzip;level=9",
    "gzip deflate",
]
MALFORMED += [
    "gzip;q=.5",
    "gzip;q=1;q=1",
    '"gzip"',
    "gzip;q= 1",
    "gzip;q =1",
    "gz\x80ip",
    "gzip/1",
    "gzip;q=1e0",
    "gzip;q=\u0661",
]


@pytest.mark.parametrize(("field", "coding"), CHOICES.items())
def test_choices(field: str, coding: str) -> None:
    assert choose([field], HERE) == coding


@pytest.mark.parametrize("member", MALFORMED)
def test_a_malformed_member_counts_as_not_written(member: str) -> None:
    assert choose([member], ["gzip", "deflate"]) == IDENTITY
    assert choose([f"{member}, deflate;q=0.2"], ["gzip", "deflate"]) == "deflate"


def test_no_field_asks_for_nothing() -> None:
    assert choose([], HERE) == IDENTITY
    assert not accepted([]).stated
    assert accepted([""]).stated


def test_several_lines_are_one_list() -> None:
    assert choose(["gzip;q=0.5", "br;q=0.7"], HERE) == "br"
    assert choose(["gzip;q=0.9", "br;q=0.7"], HERE) == "gzip"


def test_of_two_weights_for_one_coding_the_lower_counts() -> None:
    assert choose(["gzip, gzip;q=0"], HERE) == IDENTITY
    assert choose(["gzip;q=0, gzip"], HERE) == IDENTITY
    assert choose(["gzip, x-gzip;q=0.1, deflate;q=0.2"], HERE) == "deflate"


def test_what_is_not_here_is_not_chosen() -> None:
    assert choose(["br, gzip;q=0.1"], ["gzip"]) == "gzip"
    assert choose(["br"], []) == IDENTITY


def test_identity_may_have_a_place_of_its_own() -> None:
    assert choose(["gzip, identity"], [IDENTITY, "gzip"]) == IDENTITY
    assert choose(["gzip"], [IDENTITY, "gzip"]) == "gzip"


def test_weights_are_thousandths() -> None:
    known = accepted(["gzip;q=0.5, br, *;q=0.012"])
    assert [known.weight(name) for name in ("gzip", "br", "zstd", IDENTITY)] == [500, 1000, 12, 12]


@pytest.mark.parametrize(
    ("field", "refuses"),
    [
        ("identity;q=0", True),
        ("*;q=0", True),
        ("*;q=0, identity;q=0.1", False),
        ("gzip", False),
        ("", False),
        ("*", False),
    ],
)
def test_identity_is_refused_only_in_words(field: str, refuses: bool) -> None:
    assert accepted([field]).refuses_identity is refuses


def test_long_fields_are_read_and_not_remembered() -> None:
    field = ", ".join(f"coding-{n}" for n in range(200))
    before = _read.cache_info().currsize, _best.cache_info().currsize
    assert choose([field + ", gzip"], HERE) == "gzip"
    assert accepted([field]).weight("coding-7") == 1000
    assert (_read.cache_info().currsize, _best.cache_info().currsize) == before


@given(st.lists(st.text(alphabet='gzip, ;q=01.5*identybr\t"x-', max_size=40), max_size=4))
def test_any_field_gives_a_coding_that_is_there_and_was_not_refused(values: list[str]) -> None:
    chosen = choose(values, HERE)
    assert chosen == IDENTITY or (chosen in HERE and accepted(values).weight(chosen) > 0)


@pytest.mark.parametrize(
    ("values", "codings"),
    [
        ([], ()),
        (["gzip"], ("gzip",)),
        (["identity"], ()),
        (["X-GZip"], ("gzip",)),
        (["br, gzip"], ("br", "gzip")),
        (["br", "gzip"], ("br", "gzip")),
        (["deflate, , identity,"], ("deflate",)),
        (["aes128gcm"], ("aes128gcm",)),
    ],
)
def test_what_a_message_was_coded_with(values: list[str], codings: tuple[str, ...]) -> None:
    assert applied(Headers([("Content-Encoding", value) for value in values])) == codings
