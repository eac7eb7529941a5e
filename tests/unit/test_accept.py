"""What Accept says, and which of two forms it makes the better one."""

from __future__ import annotations

import pytest

from proxy.accept import Range, best, ranges

JSON = frozenset({"application/problem+json", "application/json"})
PAGE = frozenset({"text/html", "application/xhtml+xml"})
TEXT = frozenset({"text/plain"})


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ((), JSON),
        (("",), JSON),
        (("text/html",), PAGE),
        (("TEXT/HTML",), PAGE),
        (("application/xhtml+xml",), PAGE),
        (("image/png, text/html;q=0.9",), PAGE),
        (("image/png", "text/html"), PAGE),
        (("image/png",), JSON),
        (("*/*",), JSON),
        (("text/*",), PAGE),
        (("text/*, application/*",), JSON),
        (("application/json, text/html",), JSON),
        (("text/html, application/json",), JSON),
        (("text/html;q=0.8, application/json;q=0.9",), JSON),
        (("text/html;q=0.9, application/json;q=0.8",), PAGE),
        (("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",), PAGE),
        (("text/html, */*; q=0.01",), PAGE),
        (("*/*, text/html",), PAGE),
        (("*/*, text/html;q=0.5",), JSON),
        (("text/*;q=0.5, */*;q=0.4",), PAGE),
        (("text/html;q=0, */*",), JSON),
        (("application/json;q=0, application/problem+json;q=0, */*;q=0.1",), PAGE),
        (("text/html;q=0",), JSON),
        (("text/html;level=1",), JSON),
        (("text/html;charset=utf-8;q=1.000",), PAGE),
        (("text/html;charset=utf-8;q=0.1, text/html;q=0.9, application/json;q=0.5",), JSON),
        (("text/html ; q=0.9 , application/json;q=0.90001",), PAGE),
        (("text/html;q=2, application/json;q=0.1",), JSON),
        (("text/html;q=, application/json;q=0.1",), JSON),
        (("*/html, application/json;q=0.1",), JSON),
        (("html, text/, /html, application/json;q=0.1",), JSON),
        (('text/html;x="a,b;q=0", application/json;q=0.1',), JSON),
        (("," * 5000 + "text/html",), JSON),
    ],
)
def test_the_better_form(accept: tuple[str, ...], form: frozenset[str]) -> None:
    assert (JSON, PAGE)[best(accept, (JSON, PAGE))] is form


def test_a_form_of_any_type_is_asked_for_by_its_own_name() -> None:
    assert best(["text/plain, text/html;q=0.5"], (TEXT, PAGE)) == 0
    assert best(["text/html, text/plain;q=0.5"], (TEXT, PAGE)) == 1


def test_ranges_are_ordered_by_how_specific_they_are() -> None:
    found = ranges(["*/*;q=0.1, text/*, text/html;q=0.25", "text/html;charset=utf-8"])
    assert found == [
        Range("*/*", 0.1, 0),
        Range("text/*", 1.0, 1),
        Range("text/html", 0.25, 2),
        Range("text/html", 1.0, 3),
    ]
