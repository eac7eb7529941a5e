"""Dictionaries of structured fields (RFC 9651 section 4.2.2), as targeted cache control is written (RFC 9213).

Only the types that a directive can have matter here, but the whole grammar is read, since a field that fails to parse
has to be ignored as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

Bare: TypeAlias = "bool | int | float | str | bytes"
Inner: TypeAlias = "list[Bare]"

_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_NUMBER = re.compile(r"-?(?:\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])")
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_DATE = re.compile(r"@-?\d{1,15}(?![\d.])")
_DISPLAY = re.compile(r'%"((?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*)"')
_COMMA = re.compile(r"[ \t]*,[ \t]*")
_SP = re.compile(" *")


class Malformed(ValueError):
    """The text is no dictionary."""


class Token(str):
    """A token, to be told from a string."""

    __slots__ = ()


def dictionary(values: Iterable[str]) -> dict[str, Bare | Inner]:
    """The members of a dictionary, their parameters left out; of a key that comes again the last one counts.

    :raises Malformed: when it is none.
    """
    text = ",".join(values).strip(" ")
    found: dict[str, Bare | Inner] = {}
    at = 0
    while at < len(text):
        key, at = _take(_KEY, text, at)
        found.pop(key, None)
        found[key] = True
        if text[at : at + 1] == "=":
            found[key], at = _item(text, at + 1)
        at = _parameters(text, at)
        if at < len(text):
            _, at = _take(_COMMA, text, at)
            if at == len(text):
                raise Malformed("a comma at the end")
    return found


def _take(pattern: re.Pattern[str], text: str, at: int) -> tuple[str, int]:
    match = pattern.match(text, at)
    if match is None:
        raise Malformed(f"unexpected text at {at}")
    return match[0], match.end()


def _item(text: str, at: int) -> tuple[Bare | Inner, int]:
    return _inner(text, at + 1) if text[at : at + 1] == "(" else _bare(text, at)


def _inner(text: str, at: int) -> tuple[Inner, int]:
    found: Inner = []
    while True:
        _, at = _take(_SP, text, at)
        if text[at : at + 1] == ")":
            return found, at + 1
        value, at = _bare(text, at)
        at = _parameters(text, at)
        found.append(value)
        if text[at : at + 1] not in (" ", ")"):
            raise Malformed(f"an inner list goes on oddly at {at}")


def _parameters(text: str, at: int) -> int:
    while text[at : at + 1] == ";":
        _, at = _take(_SP, text, at + 1)
        _, at = _take(_KEY, text, at)
        if text[at : at + 1] == "=":
            _, at = _bare(text, at + 1)
    return at


def _bare(text: str, at: int) -> tuple[Bare, int]:
    first = text[at : at + 1]
    if first == "?":
        if text[at + 1 : at + 2] not in ("0", "1"):
            raise Malformed("no boolean")
        return text[at + 1] == "1", at + 2
    if first == '"':
        quoted, end = _take(_STRING, text, at)
        return re.sub(r"\\(.)", r"\1", quoted[1:-1]), end
    if first in ":@%":
        value, end = _take({":": _BYTES, "@": _DATE, "%": _DISPLAY}.get(first, _BYTES), text, at)
        return value.encode(), end
    if first == "-" or first.isdigit():
        number, end = _take(_NUMBER, text, at)
        return (float(number) if "." in number else int(number)), end
    token, end = _take(_TOKEN, text, at)
    return Token(token), end
