"""The Forwarded field (RFC 7239): what proxies before us have said, and what we say.

Elements are separated at every comma, quoted or not, and each is read for itself. So what a stranger has written,
which stands to the left, cannot swallow what a trusted proxy has appended to it: a quote that is never closed spoils
no element but its own. Nothing that an element can rightly say holds a comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from proxy.frontend.addresses import parse_address

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 (of RFC 9110 section 5.6.2)
_PAIR = re.compile(rf'[ \t]*({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")[ \t]*(;|$)')
_PLAIN = re.compile(_TOKEN)
_PROTO = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_HOST = re.compile(r"[A-Za-z0-9\-._~]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")


def split(values: Iterable[str]) -> list[str]:
    """The elements of all the fields, as they are written, leftmost first."""
    return [element for value in values for element in (part.strip(" \t") for part in value.split(",")) if element]


def read(element: str) -> dict[str, str]:
    """What an element says, by lower-case parameter; nothing when it is malformed or says something twice."""
    said: dict[str, str] = {}
    at = 0
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None or pair[1].lower() in said:
            return {}
        said[pair[1].lower()] = re.sub(r"\\(.)", r"\1", pair[3]) if pair[2] is None else pair[2]
        at = pair.end()
    return said


def proto(said: dict[str, str]) -> str:
    """The scheme that an element tells, or `""`."""
    value = said.get("proto", "")
    return value.lower() if _PROTO.fullmatch(value) else ""


def host(said: dict[str, str]) -> str:
    """The Host that an element tells, or `""`."""
    value = said.get("host", "")
    return value if _HOST.fullmatch(value) else ""


def node(address: str) -> str:
    """An address as `for` writes it (RFC 7239 section 6); whatever is none is unknown."""
    parsed = parse_address(address)
    if parsed is None:
        return "unknown"
    return str(parsed) if parsed.version == 4 else f'"[{parsed}]"'


def text(value: str) -> str:
    """A value as a token or, where it is none, as a quoted string."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = re.sub(r'(["\\])', r"\\\1", value)
    return f'"{escaped}"'
