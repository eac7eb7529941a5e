from __future__ import annotations

import pytest

from proxy.sanitize.markup import attributes_of, tags


def shape(text: str) -> list[tuple[str, dict[str, str]]]:
    return [
        (("/" if tag.closing else "") + tag.name, {at.name: at.value for at in tag.attributes}) for tag in tags(text)
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<a href='x' b>", [("a", {"href": "x", "b": ""})]),
        ("<A HREF=x>y</A>", [("a", {"href": "x"}), ("/a", {})]),
        ("<img/src=x/onerror=y>", [("img", {"src": "x/onerror=y"})]),
        ("<img/src='x'/onerror=y>", [("img", {"src": "x", "onerror": "y"})]),
        ("<svg:script>", [("script", {})]),
        ("a < b", []),
        ("<3", []),
        ("<x\ny = z", [("x", {"y": "z"})]),
        ("<a b=`c d`>", [("a", {"b": "c d"})]),
        ("<a b='c", [("a", {"b": "c"})]),
        ("<a title='<b>'>", [("a", {"title": "<b>"}), ("b", {})]),
    ],
)
def test_tags_are_read_as_browsers_read_them(text: str, found: list[tuple[str, dict[str, str]]]) -> None:
    assert shape(text) == found


def test_whether_a_tag_is_whole_is_told() -> None:
    assert [tag.whole for tag in tags("<a b='c'>")] == [True]
    assert [tag.whole for tag in tags("<a b='c'")] == [False]


def test_attributes_are_read_from_the_middle_of_a_tag() -> None:
    attributes, end, whole = attributes_of('" onx=1 y>z', 1)
    assert [(at.name, at.value) for at in attributes] == [("onx", "1"), ("y", "")]
    assert (end, whole) == (9, True)
