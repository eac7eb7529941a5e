"""Cut text into the elements that a browser would make of it, after the states of the HTML standard's tokenizer.

Only what matters to an attack is given: names of elements, and those attributes that a reader asks for; all others are
skipped by the pattern engine, for a text can be made of nothing but attributes. Whatever stands before `<` is text; a
tag that does not end is read as well, for the page that the text is put into may end it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proxy.sanitize.late import Late, Pattern

TAG = re.compile(r"<(/?[\x00-\x1f]*+[A-Za-z][^\s/>\x00-\x20]*+)")
TAG_WITH = Late(rf"{TAG.pattern}(?=[\s/\x00-\x20])")  # something behind its name
_GAP = r"[\s/\x00]*+"
_NAME = r"(?:[^\s/>=\x00]++|=[^\s/>=\x00]*+)"
_EQUALS = r"[\s\x00]*+=[\s\x00]*+"
_VALUE = r"(?:\"[^\"]*+\"?+|'[^']*+'?+|`[^`]*+`?+|[^\s>]++)"
_CODE = r"[\"'`>]*+(?:on[a-z0-9_]{3}|style(?![^\s/>=\x00])|srcdoc(?![^\s/>=\x00]))"
_URL = rf"{_NAME}{_EQUALS}(?=[^:>]{{1,200}}:)"


def _attributes(wanted: str) -> Late[str]:
    """Skips attributes up to one that is wanted, which is group 1 with its value in group 2; or up to their end."""
    skipped = rf"(?:{_GAP}(?!{wanted}){_NAME}(?:{_EQUALS}{_VALUE}?+)?+)*+{_GAP}"
    return Late(rf"{skipped}(?:(?={wanted})({_NAME})(?:{_EQUALS}({_VALUE})?+)?+)?+")


MOST = 100  # attributes of one tag that are wanted; nobody honest writes as many
CODE = _attributes(_CODE)
WITH_URLS = _attributes(rf"(?:{_CODE}|{_URL})")


class Attribute(NamedTuple):
    """An attribute; `start` and `end` are its place in the text. A value is without its quotes."""

    name: str
    value: str
    start: int
    end: int


def has_tag(text: str) -> bool:
    """Whether there is any tag."""
    return TAG.search(text) is not None


def names(text: str) -> dict[str, None]:
    """The names of all tags, each once, in order; with a slash before those of end tags. Tags in the values of
    attributes count: what shows the text may see them first."""
    return dict.fromkeys(TAG.findall(text))


def attributes_of(text: str, at: int, wanted: Pattern) -> tuple[list[Attribute], int]:
    """The wanted attributes from `at` on, to `>` or the end.

    :param text: in lower case.
    :param wanted: `CODE` for handlers, styles and documents, `WITH_URLS` for what may be a URL too.
    :returns: them, at most `MOST`, and where they ended.
    """
    made: list[Attribute] = []
    while len(made) < MOST and (found := wanted.match(text, at)) is not None:
        at = found.end()
        name, value = found.groups()
        if name is None:
            break
        if value is None:
            value = ""
        elif value[0] in "'\"`":
            value = value[1:].removesuffix(value[0])
        made.append(Attribute(name.strip("\"'`>"), value, found.start(1), at))
        if text[at : at + 1] == ">":
            break
    return made, at
