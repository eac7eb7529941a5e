"""Take a request apart into the values that an application will see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from proxy.sanitize import unquoted

_QUOTED = re.compile(r'(?<![^\s;,="])(?P<name>[^\s;,="]++)\s*+=\s*+"(?P<value>(?:[^"\\]++|\\.)*+)', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:(?P<octal>[0-3][0-7]{2})|(?P<sign>.))", re.DOTALL)


class Value(NamedTuple):
    """One text of a request.

    :ivar where: the part of the request: path, query, header, cookie, form, json, xml, graphql.
    :ivar field: its name there; of JSON the way to it.
    :ivar text: as the application will see it.
    :ivar overlong: whether its bytes were UTF-8 longer than it may be.
    :ivar is_name: whether it is a name itself: a key, a parameter's name, a file's name.
    :ivar families: the families of rules that it is for; empty for all.
    """

    where: str
    field: str
    text: str
    overlong: bool = False
    is_name: bool = False
    families: frozenset[str] = frozenset()


PAUSE = Value("", "", "")  # none, but so much was done to find the next one that others shall have their turn


def of_path(path: str) -> Iterator[Value]:
    """The whole path, decoded: what matters there goes across its segments, or stands in one."""
    text, overlong = unquoted(path)
    yield Value("path", "", text.removeprefix("/"), overlong)
    if "=" in text or "'" in text or '"' in text or ";" in text:
        for segment in text.split("/"):
            yield Value("path", "", segment)


def of_pairs(where: str, text: str) -> Iterator[Value]:
    """The names and values of a query or of a form (application/x-www-form-urlencoded), by the rules of the URL
    standard: `+` is a space. Those that are nothing but letters and digits are left out.

    :param text: latin-1 reading of its bytes.
    """
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        field = name
        if not (name.isalnum() and name.isascii()):
            field, overlong = unquoted(name.replace("+", " "))
            if pair and not field.isalnum():
                yield Value(where, field, field, overlong, is_name=True)
        if value and not (value.isalnum() and value.isascii()):
            yield Value(where, field, *unquoted(value.replace("+", " ")))


def of_cookies(text: str) -> Iterator[Value]:
    """The cookies of a Cookie field (RFC 6265 section 4.2); quoted ones also as RFC 2109 had them, which Java's and
    Python's libraries still read: with semicolons and escapes."""
    for pair in text.split(";"):
        name, equals, value = pair.partition("=")
        if not equals:
            name, value = "", name  # as browsers send it that were told no name
        if value:
            yield Value("cookie", name.strip(), *unquoted(value.strip().strip('"')))
    if '"' in text and (";" in text or "\\" in text):
        for found in _QUOTED.finditer(text):
            value = _ESCAPE.sub(_escaped, found["value"])
            if value != found["value"] or ";" in value:
                yield Value("cookie", found["name"], *unquoted(value))


def _escaped(found: re.Match[str]) -> str:
    return chr(int(found["octal"], 8)) if found["octal"] else found["sign"]
