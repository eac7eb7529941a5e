"""What caches are told: Cache-Control of both directions, and the fields that speak to gateways alone.

A targeted field (RFC 9213) that is well-formed and not empty takes the place of Cache-Control and Expires; the first
of `TARGETED` that an answer carries counts. Surrogate-Control, which many origins send, is older than those and has
a grammar of its own (Edge Architecture Specification, W3C Note of 2001).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from plugins.cache.parsing import MOST, members, names, seconds, unquoted
from plugins.cache.structured import Malformed, dictionary
from proxy.api import Headers

OWN = "passerelle-cache-control"  # for us alone, and so not passed on
SURROGATE = "surrogate-control"
TARGETED = (OWN, "cdn-cache-control", SURROGATE)
US = "passerelle"  # by which a surrogate's directive may be aimed at this one

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_ODD = "\x00"  # an argument that is there and no argument


class Directives:
    """Directives by lower-case name.

    :ivar found: each with its argument, or None.
    :ivar targeted: name of the targeted field that they are from, or `""`.
    """

    __slots__ = ("found", "targeted")

    def __init__(self, found: dict[str, str | None], targeted: str = "") -> None:
        self.found = found
        self.targeted = targeted

    def __contains__(self, name: str) -> bool:
        return name in self.found

    def __bool__(self) -> bool:
        return bool(self.found)

    def argument(self, name: str) -> str | None:
        """A directive's argument; None when it has none or is not there."""
        return self.found.get(name)

    def seconds(self, name: str) -> int | None:
        """The number that a directive tells: 0 when what it tells is no number (RFC 9111 section 4.2.1).

        :returns: None when the directive is not there.
        """
        if name not in self.found:
            return None
        return seconds(self.found[name] or "") or 0

    def fields(self, name: str) -> frozenset[str]:
        """The lower-case field names that a directive such as `no-cache="Set-Cookie"` is about.

        :returns: empty when it is about the whole message, as it is too when what it names are no fields.
        """
        told = names(self.found.get(name) or "")
        return told if all(map(_TOKEN.fullmatch, told)) else frozenset()

    def whole(self, name: str) -> bool:
        """Whether a directive is there and about the whole message, not about some of its fields."""
        return name in self.found and not self.fields(name)


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
            found = _surrogate(values) if name == SURROGATE else _targeted(name, values)
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


def _surrogate(values: list[str]) -> Directives | None:
    """Surrogate-Control; None when nothing in it is about storing, and for this gateway.

    A directive may be aimed by `;NAME` behind it; one that is aimed here goes before one that is for all.
    """
    kept: dict[str, list[str]] = {}
    aimed: dict[str, list[str]] = {}
    for member in members(values):
        directive, *targets = (part.strip(" \t") for part in member.split(";"))
        name = directive.partition("=")[0].strip(" \t").lower()
        if name in _STORING and (not targets or US in map(str.lower, targets)):
            (aimed if targets else kept).setdefault(name, []).extend(_extended(directive))
    found = [directive for told in (kept | aimed).values() for directive in told]
    return Directives(cache_control(found).found, SURROGATE) if found else None


def _extended(directive: str) -> list[str]:
    """`max-age=60+30` is fresh for 60 seconds and may be used stale for another 30."""
    fresh, plus, stale = directive.partition("+")
    return [fresh, f"stale-while-revalidate={stale}", f"stale-if-error={stale}"] if plus else [directive]


_STORING = frozenset({"max-age", "no-store"})
_NUMBERS = frozenset({"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"})
