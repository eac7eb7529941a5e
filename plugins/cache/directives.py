"""What caches are told: Cache-Control of both directions, and the fields that speak to gateways alone.

A targeted field (RFC 9213) that is well-formed and not empty takes the place of Cache-Control and Expires; the first
of `TARGETED` that an answer carries counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from plugins.cache.parsing import MOST, members, names, seconds, unquoted
from plugins.cache.structured import Malformed, dictionary
from proxy.api import Headers

OWN = "passerelle-cache-control"  # for us alone, and so not passed on
TARGETED = (OWN, "cdn-cache-control")

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_ODD = "\x00"  # an argument that is there and no argument


class Directives:
    """Directives by lower-case name.

    :ivar targeted: name of the targeted field that they are from, or `""`.
    """

    __slots__ = ("_found", "targeted")

    def __init__(self, found: dict[str, str | None], targeted: str = "") -> None:
        self._found = found
        self.targeted = targeted

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def __bool__(self) -> bool:
        return bool(self._found)

    def argument(self, name: str) -> str | None:
        """A directive's argument; None when it has none or is not there."""
        return self._found.get(name)

    def seconds(self, name: str) -> int | None:
        """The number that a directive tells: 0 when what it tells is no number (RFC 9111 section 4.2.1).

        :returns: None when the directive is not there.
        """
        if name not in self._found:
            return None
        return seconds(self._found[name] or "") or 0

    def fields(self, name: str) -> frozenset[str]:
        """The lower-case field names that a directive such as `no-cache="Set-Cookie"` is about.

        :returns: empty when it is about the whole message, as it is too when what it names are no fields.
        """
        told = names(self._found.get(name) or "")
        return told if all(map(_TOKEN.fullmatch, told)) else frozenset()

    def whole(self, name: str) -> bool:
        """Whether a directive is there and about the whole message, not about some of its fields."""
        return name in self._found and not self.fields(name)


_NONE = Directives({})


def cache_control(values: Iterable[str]) -> Directives:
    """Read Cache-Control (RFC 9111 section 5.2).

    A directive that comes twice with two values tells nothing that could be relied on: it is taken for a number that
    is none, and so for stale. Space around `=` breaks the argument; it does not hide the directive.
    """
    found: dict[str, str | None] = {}
    for member in members(values):
        name, equals, argument = member.partition("=")
        key = name.strip(" \t").lower()
        value = unquoted(argument) if equals else None
        if name != name.strip(" \t") or argument[:1] in (" ", "\t"):
            value = _ODD
        if key in found and found[key] != value:
            value = _joined(found[key], value)
        found[key] = value
    return Directives(found) if found else _NONE


def _joined(before: str | None, value: str | None) -> str | None:
    """What two occurrences of a directive say together: lists of names add up, and without one it is about all."""
    if before is None or value is None:
        return None
    if seconds(before) is None and seconds(value) is None and _ODD not in (before, value):
        return f"{before},{value}"
    return _ODD


def of_request(headers: Headers) -> Directives:
    """What a client asks for; Pragma counts only without Cache-Control (RFC 9111 section 5.4)."""
    values = headers.getall("cache-control")
    if values:
        return cache_control(values)
    pragma = headers.getall("pragma")
    if pragma and "no-cache" in cache_control(pragma):
        return Directives({"no-cache": None})
    return _NONE


def of_response(headers: Headers) -> Directives:
    """What an origin tells a shared cache that is a gateway."""
    for name in TARGETED:
        values = headers.getall(name)
        if values:
            found = _targeted(name, values)
            if found is not None:
                return found
    return cache_control(headers.getall("cache-control"))


def _targeted(name: str, values: list[str]) -> Directives | None:
    """A targeted field; None when it is empty or malformed, or a number in it is of another type."""
    try:
        told = dictionary(values)
    except Malformed:
        return None
    found: dict[str, str | None] = {}
    for key, value in told.items():
        if key in _NUMBERS:
            if type(value) is not int:
                return None
            found[key] = str(min(max(value, 0), MOST))
        elif value is not False:
            found[key] = value if isinstance(value, str) else None
    return Directives(found, name) if told else None


_NUMBERS = frozenset({"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"})
