from __future__ import annotations

from dataclasses import dataclass

import pytest

from plugins.cache.selecting import liking, normalised, select, selecting, vary_names
from proxy.api import Headers, accepted


@dataclass(frozen=True)
class Kept:
    name: str
    selecting: tuple[tuple[str, str | None], ...] = ()
    coding: str = ""
    by_coding: bool = False


def test_names_of_vary() -> None:
    assert vary_names(Headers([("Vary", "Foo, bar,"), ("Vary", "foo")])) == ("bar", "foo")


@pytest.mark.parametrize(
    ("name", "one", "other", "alike"),
    [
        ("foo", ["1,2"], ["1, 2 "], True),
        ("foo", ["1, 2"], ["1", "2"], True),
        ("foo", ["1, 2"], ["2, 1"], False),
        ("foo", ["A"], ["a"], False),
        ("accept-language", ["en, de"], ["de,en"], True),
        ("accept-language", ["en, DE;q=0.5"], ["de; q=0.50, EN"], True),
        ("accept-language", ["en;q=0.5, de"], ["en, de;q=0.5"], False),
        ("accept", ["text/html;level=1, */*;q=.1"], ["*/*;q=0.1,text/html;level=1"], True),
        ("accept", ["text/html;level=1"], ["text/html;level=2"], False),
    ],
)
def test_values_that_mean_the_same(name: str, one: list[str], other: list[str], alike: bool) -> None:
    first, second = (normalised(name, Headers([(name, value) for value in values])) for values in (one, other))
    assert (first == second) is alike


def test_a_field_that_is_missing_is_no_empty_one() -> None:
    assert normalised("foo", Headers()) is None
    assert normalised("foo", Headers({"Foo": ""})) == ""


def test_accept_encoding_is_not_compared() -> None:
    headers = Headers({"Accept-Encoding": "gzip", "Foo": "1"})
    assert selecting(headers, ("accept-encoding", "bar", "foo")) == (("bar", None), ("foo", "1"))


@pytest.mark.parametrize(
    ("field", "coding", "takes"),
    [
        (None, "", True),
        (None, "gzip", False),
        ("gzip", "gzip", True),
        ("GZIP;q=0.5", "gzip", True),
        ("x-gzip", "gzip", True),
        ("gzip;q=0", "gzip", False),
        ("*", "br", True),
        ("*;q=0", "br", False),
        ("*;q=0", "", False),
        ("identity;q=0, *", "", False),
        ("gzip", "", True),
        ("gzip", "br", False),
        ("gzip, br", "gzip,br", True),
        ("gzip", "gzip,br", False),
        ("", "gzip", False),
        ("", "", True),
    ],
)
def test_codings_that_a_client_takes(field: str | None, coding: str, takes: bool) -> None:
    told = accepted([] if field is None else [field])
    assert (liking(coding, told) > 0) is takes


IDENTITY, GZIP, BR = (Kept(name or "identity", coding=name, by_coding=True) for name in ("", "gzip", "br"))


@pytest.mark.parametrize(
    ("variants", "fields", "chosen"),
    [
        ([], {}, None),
        ([Kept("new"), Kept("old")], {}, "new"),
        ([Kept("1", (("foo", "1"),)), Kept("2", (("foo", "2"),))], {"Foo": "2"}, "2"),
        ([Kept("1", (("foo", "1"),))], {}, None),
        ([Kept("none", (("foo", None),))], {}, "none"),
        ([IDENTITY, GZIP, BR], {"Accept-Encoding": "gzip, br"}, "br"),
        ([IDENTITY, GZIP, BR], {"Accept-Encoding": "gzip, br;q=0.5"}, "gzip"),
        ([IDENTITY, GZIP, BR], {"Accept-Encoding": "gzip"}, "gzip"),
        ([IDENTITY, GZIP, BR], {}, "identity"),
        ([IDENTITY], {"Accept-Encoding": "gzip"}, "identity"),
        ([GZIP], {"Accept-Encoding": "br"}, None),
        ([GZIP], {}, None),
        ([Kept("new"), GZIP], {"Accept-Encoding": "gzip"}, "new"),  # it does not vary any more
    ],
)
def test_the_best_of_several(variants: list[Kept], fields: dict[str, str], chosen: str | None) -> None:
    found = select(variants, Headers(fields))
    assert (found and found.name) == chosen
