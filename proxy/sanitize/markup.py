"""Cut text into the elements that a browser would make of it, after the states of the HTML standard's tokenizer.

Only what matters to an attack is kept: names of elements and attributes, and values. Whatever stands before `<` is
text; a tag that does not end is kept as well, for the page that the text is put into may end it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TAG = re.compile(r"<(/?)[\x00-\x1f]*+([A-Za-z][^\s/>\x00-\x20]*+)")
_SPACE = "\t\n\x0b\x0c\r /\x00\xa0"
_NAME = re.compile(r"[^\s/>=\x00]++|=[^\s/>=\x00]*+")
_GAP = re.compile(r"[\s/\x00]*+")
_EQUALS = re.compile(r"[\s\x00]*+=[\s\x00]*+")
_VALUE = re.compile(r"\"([^\"]*+)\"?+|'([^']*+)'?+|`([^`]*+)`?+|([^\s>]++)")


class Attribute(NamedTuple):
    """An attribute; `start` and `end` are its place in the text."""

    name: str
    value: str
    start: int
    end: int


class Tag(NamedTuple):
    """A tag.

    :ivar name: in lower case, without a namespace's prefix.
    :ivar closing: whether it is an end tag.
    :ivar attributes: in order; names in lower case.
    :ivar whole: whether its `>` was there.
    """

    name: str
    closing: bool
    attributes: tuple[Attribute, ...]
    start: int
    end: int
    whole: bool


def tags(text: str) -> Iterator[Tag]:
    """Every tag in turn. Linear: reading goes on behind the tag's name, for attributes may hide tags in their"
    " values."""
    at = 0
    done = 0  # where the last attributes ended: nothing before is read as attributes again
    while (found := _TAG.search(text, at)) is not None:
        at = found.end()
        attributes: tuple[Attribute, ...] = ()
        end, whole = at, text[at : at + 1] == ">"
        if at >= done:
            attributes, end, whole = attributes_of(text, at)
            done = end
        yield Tag(found[2].lower().rpartition(":")[2], found[1] == "/", attributes, found.start(), end, whole)


def attributes_of(text: str, at: int) -> tuple[tuple[Attribute, ...], int, bool]:
    """The attributes from `at` on, to `>` or the end.

    :returns: them, where they ended, and whether there was a `>`.
    """
    made: list[Attribute] = []
    while True:
        gap = _GAP.match(text, at)
        at = gap.end() if gap is not None else at
        name = _NAME.match(text, at)
        if name is None:
            return tuple(made), at, text[at : at + 1] == ">"
        at = name.end()
        value = ""
        if (equals := _EQUALS.match(text, at)) is not None:
            at = equals.end()
            found = _VALUE.match(text, at)
            if found is not None:
                value, at = found[1] or found[2] or found[3] or found[4] or "", found.end()
        made.append(Attribute(name[0].lower(), value, name.start(), at))
