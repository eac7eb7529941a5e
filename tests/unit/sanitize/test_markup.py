from __future__ import annotations

import pytest

from proxy.sanitize.markup import CODE, WITH_VALUES, attributes_of, has_tag, names, tags


def shape(text: str) -> list[tuple[str, dict[str, str]]]:
    return [(tag.name, {at.name: at.value for at in tag.attributes}) for tag in tags(text, WITH_VALUES)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<a href='x' b>", [("a", {"href": "x"})]),
        ("<a href=x>y</a>", [("a", {"href": "x"})]),
        ("<img/src=x/onerror=y>", [("img", {"src": "x/onerror=y"})]),
        ("<img/src='x'/onerror=y>", [("img", {"src": "x", "onerror": "y"})]),
        ("<svg:script a=b>", [("script", {"a": "b"})]),
        ("a < b", []),
        ("<3", []),
        ("<x\ny = z", [("x", {"y": "z"})]),
        ("<a b=`c d`>", [("a", {"b": "c d"})]),
        ("<a b='c", [("a", {"b": "c"})]),
        ("<a b c d onload>", [("a", {"onload": ""})]),
        ("<a b><c d=e><f>", [("c", {"d": "e"})]),
    ],
)
def test_tags_are_read_as_browsers_read_them(text: str, found: list[tuple[str, dict[str, str]]]) -> None:
    assert shape(text) == found


def test_attributes_that_nobody_asks_for_are_skipped() -> None:
    text = "<a x=1 href='javascript:y' onclick=z style='b' title='<i onx=1>'>"
    assert [[at.name for at in tag.attributes] for tag in tags(text, CODE)] == [["onclick", "style"]]


def test_names_are_told_once_and_wherever_they_stand() -> None:
    assert list(names("<a title='<b>'></a><a><\x01c>")) == ["a", "b", "/a", "\x01c"]
    assert has_tag("x<a")
    assert not has_tag("a < b <3")


def test_whether_a_tag_is_whole_is_told() -> None:
    assert [tag.whole for tag in tags("<a b='c'>", WITH_VALUES)] == [True]
    assert [tag.whole for tag in tags("<a b='c'", WITH_VALUES)] == [False]


def test_attributes_are_read_from_the_middle_of_a_tag() -> None:
    attributes, end = attributes_of('" onload=1 y>z', 1, CODE)
    assert [(at.name, at.value, at.start, at.end) for at in attributes] == [("onload", "1", 2, 10)]
    assert end == 12
