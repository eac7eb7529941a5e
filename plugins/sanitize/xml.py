"""Take XML apart into what an application will read of it.

A document is made of what scripts and markup look like, so as a whole it is shown only to the detectors of entities,
inclusions and encodings; the others see its texts, attributes, comments and instructions, each for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from plugins.sanitize.values import PAUSE, Value

_AT_ONCE = 512  # tokens of which none was shown before others have their turn
_OF_DOCUMENTS = frozenset({"xml", "encoding"})
_TOKEN = re.compile(
    r"<!\[CDATA\[(?P<cdata>(?:[^\]]++|\](?!\]>))*+)(?:\]\](?=>)|\Z)"
    r"|<!--(?P<comment>(?:[^-]++|-(?!->))*+)(?:--(?=>)|\Z)"
    r"|<!(?P<declaration>[A-Za-z](?:[^>\"'\[]++|\"[^\"]*+\"|'[^']*+')*+)"
    r"|(?P<instruction><\?(?!xml\b)(?:[^?]++|\?(?!>))*+)(?:\?(?=>)|\Z)"
    r"|(?:>|\A)(?P<text>[^<]++)|=\s*+(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)')|(?P<tag><)"
)
_LITERAL = re.compile(r"\"([^\"]++)|'([^']++)")
_ZEROS = re.compile(r"(&#[xX]?)0++(?=[0-9A-Fa-f])")
_ENDLESS = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9A-Fa-f]{7,}+);?")  # beyond all characters, and too long for a number


def values(text: str, overlong: bool) -> Iterator[Value]:
    """The values of a document (XML 1.0), with references undone; a text that comments or CDATA sections cut into
    pieces is one, as it is to most applications. A text without a tag is one value."""
    yield Value("xml", "document", text, overlong, families=_OF_DOCUMENTS)
    pieces: list[str] = []
    for count, found in enumerate(_TOKEN.finditer(text), 1):
        kind, said = found.lastgroup or "", found[found.lastgroup or 0]
        if kind == "cdata" or kind == "text":
            pieces.append(said if kind == "cdata" else _undone(said))
        elif kind in ("comment", "instruction"):
            yield from _shown(said)
        elif kind == "declaration":
            yield from _declared(said)
        else:
            if pieces:
                yield from _shown("".join(pieces))
                pieces.clear()
            if kind != "tag":
                yield from _shown(_undone(said))
        if count % _AT_ONCE == 0:
            yield PAUSE
    yield from _shown("".join(pieces))


def _declared(said: str) -> Iterator[Value]:
    """The values that attributes have where none is written, and what some parsers may take for elements; else the
    literals of declarations are nothing that is read."""
    for literal in map("".join, _LITERAL.findall(said)):
        if said.startswith("ATTLIST") or "<" in literal:
            yield from _shown(_undone(literal))


def _undone(text: str) -> str:
    """A text with references undone; those to no character become U+FFFD."""
    if "&#" in text:
        text = _ENDLESS.sub("\ufffd", _ZEROS.sub(r"\1", text))
    return unescape(text)


def _shown(text: str) -> Iterator[Value]:
    text = text.strip()
    if text:
        yield Value("xml", "", text)
