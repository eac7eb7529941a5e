from __future__ import annotations

import pytest

from proxy.sanitize.late import Pattern
from proxy.sanitize.markup import CODE, MOST, TAG, WITH_URLS, attributes_of, has_tag, names


def tags(text: str, wanted: Pattern) -> list[tuple[str, dict[str, str]]]:
    """Every tag that has something wanted, with that."""
    made, at = [], 0
    while (found := TAG.search(text, at)) is not None:
        attributes, at = attributes_of(text, found.end(), wanted)
        made.append((found[1], {attribute.name: attribute.value for attribute in attributes}))
    return [tag for tag in made if tag[1]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<a href='x:' b>", [("a", {"href": "x:"})]),
        ("<a href=x:>y</a>", [("a", {"href": "x:"})]),
        ("<a href=x>y:</a>", []),
        ("<img/src=x:/onerror=y>", [("img", {"src": "x:/onerror=y"})]),
        ("<img/src='x:'/onerror=y>", [("img", {"src": "x:", "onerror": "y"})]),
        ("<svg:script a=b:>", [("svg:script", {"a": "b:"})]),
        ("a < b", []),
        ("<3", []),
        ("<x\ny = z:", [("x", {"y": "z:"})]),
        ("<a b=`c d:`>", [("a", {"b": "c d:"})]),
        ("<a b='c:", [("a", {"b": "c:"})]),
        ("<a b c d onload>", [("a", {"onload": ""})]),
        ("<a b><c d=e:><f>", [("c", {"d": "e:"})]),
    ],
)
def test_tags_are_read_as_browsers_read_them(text: str, found: list[tuple[str, dict[str, str]]]) -> None:
    assert tags(text, WITH_URLS) == found


def test_attributes_that_nobody_asks_for_are_skipped() -> None:
    text = "<a x=1 href='javascript:y' onclick=z style='b' title='<i onx=1>'>"
    assert tags(text, CODE) == [("a", {"onclick": "z", "style": "b"})]


def test_names_are_told_once_and_wherever_they_stand() -> None:
    assert list(names("<a title='<b>'></a><a><\x01c>")) == ["a", "b", "/a", "\x01c"]
    assert has_tag("x<a")
    assert not has_tag("a < b <3")


def test_where_attributes_end_tells_whether_the_tag_does() -> None:
    assert attributes_of("<a b=':'>", 2, WITH_URLS)[1] == 8
    assert attributes_of("<a b=':'", 2, WITH_URLS)[1] == 8
    assert attributes_of("<a b=':'/ >", 2, WITH_URLS)[1] == 10


def test_very_many_attributes_are_not_all_read() -> None:
    attributes, end = attributes_of(" onabc=1" * 1000, 0, CODE)
    assert len(attributes) == MOST
    assert end == 8 * MOST


def test_attributes_are_read_from_the_middle_of_a_tag() -> None:
    attributes, end = attributes_of('" onload=1 y>z', 1, CODE)
    assert [(at.name, at.value, at.start, at.end) for at in attributes] == [("onload", "1", 2, 10)]
    assert end == 12
