"""Lists, numbers and quoted strings of fields that are not structured ones (RFC 9110 section 5.6).

Origins write these by hand. What cannot be read is told apart from what is not there, since RFC 9111 asks to take an
unreadable freshness for staleness (section 4.2.1), never for a reason to go on guessing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST = 2**31  # seconds; larger numbers are taken for this one (RFC 9111 section 1.2.2)

_DIGITS = re.compile(r"[0-9]+")
_MEMBER = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])*')
_ESCAPE = re.compile(r"\\(.)")
_SPACES = re.compile(r"[ \t]+")


def members(values: Iterable[str]) -> list[str]:
    """The members of a comma-separated field, in order, without empty ones; commas in quoted strings part nothing.

    A quoted string that does not end hides nothing: such a line is parted at every comma.
    """
    found: list[str] = []
    for value in values:
        found += value.split(",") if '"' not in value else _quoted(value)
    return [member for member in (one.strip(" \t") for one in found) if member]


def _quoted(value: str) -> list[str]:
    parts, at = [], 0
    while True:
        match = _MEMBER.match(value, at)
        end = at if match is None else match.end()
        parts.append(value[at:end])
        if end == len(value):
            return parts
        if value[end] != ",":
            return value.split(",")
        at = end + 1


def unquoted(text: str) -> str:
    """The text of a quoted string; any other text as it is (RFC 9110 section 5.6.4)."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return _ESCAPE.sub(r"\1", text[1:-1])
    return text


def seconds(text: str) -> int | None:
    """Delta-seconds (RFC 9111 section 1.2.2), at most `MOST`; None when it is none."""
    if _DIGITS.fullmatch(text) is None:
        return None
    return MOST if len(text.lstrip("0")) > 10 else min(int(text), MOST)


def names(text: str) -> frozenset[str]:
    """The lower-case field names in a directive's argument."""
    return frozenset(name.lower() for name in members([text]))


def normal(values: list[str]) -> str:
    """The lines of a field as one value, without the whitespace that means nothing (RFC 9111 section 4.1)."""
    return ",".join(_SPACES.sub(" ", member) for member in members(values))
