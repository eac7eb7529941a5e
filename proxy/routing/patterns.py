"""What may stand in a route's `match`: path and host patterns, compiled once and strict about mistakes.

A pattern that could never match, or that reads as something it is not (a `*` in the middle, a query), is refused
when it is written rather than wondered about when a request gets 404.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum
from functools import cached_property

from proxy.errors import BadRequest
from proxy.routing.paths import aligned, plain_path, readings

_PARAMETER = re.compile(r"\{([^{}/]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"(\*\.)?([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Kind(IntEnum):
    """The forms of a path, the most definite first."""

    EXACT = 0
    PATTERN = 1
    PATTERN_PREFIX = 2
    PREFIX = 3


class PathPattern:
    """A path as it stands in `match`.

    `/a/b` is that path; `/api/*` everything that begins with `/api/` (not `/api` itself); `/api*` everything that
    begins so; `{name}` one segment that is not empty. Case matters; `*` may stand only at the end.

    :ivar text: the pattern as written.
    :ivar literals: the fixed text before, between and after the parameters: one more than there are names.
    :ivar names: the parameters, in order.
    :ivar star: whether anything may follow; it is then the parameter `rest`.
    :ivar length: how many literal characters it has.
    :raises ValueError: with one sentence on what is wrong.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.star = text.endswith("*")
        body = text.removesuffix("*")
        _check_path(text, body)
        parts = _PARAMETER.split(aligned(_encoded(body))[0])
        self.literals = tuple(parts[::2])
        self.names = tuple(parts[1::2])
        _check_parameters(self)
        self.length = sum(map(len, self.literals))

    @property
    def kind(self) -> Kind:
        """Which form it has."""
        if self.names:
            return Kind.PATTERN_PREFIX if self.star else Kind.PATTERN
        return Kind.PREFIX if self.star else Kind.EXACT

    @property
    def fixed(self) -> str:
        """The literal text of a pattern without parameters, else nothing.

        Of one kind and length, patterns with different ones share no path; so a thousand routes are soon compared.
        """
        return "" if self.names else self.literals[0]

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        parts = [re.escape(self.literals[0])]
        for name, literal in zip(self.names, self.literals[1:], strict=True):
            parts.append(f"(?P<{name}>[^/]+){re.escape(literal)}")
        return re.compile("".join(parts) + ("(?P<rest>.*)" if self.star else ""), re.DOTALL)

    def matches(self, path: str) -> bool:
        """Whether a normalised path fits."""
        return self._regex.fullmatch(path) is not None

    def captures(self, target: str) -> dict[str, str] | None:
        """What the parameters, and `rest`, stand for in a target: its own bytes, undecoded; None if it does not fit."""
        path = target.partition("?")[0]
        if plain_path(target) is not None:
            found = self._regex.fullmatch(path)
            return None if found is None else found.groupdict()
        normal, places = aligned(path)
        found = self._regex.fullmatch(normal)
        if found is None:
            return None
        return {name: path[places[found.start(name)] : places[found.end(name)]] for name in found.groupdict()}

    def overlaps(self, other: PathPattern) -> bool:
        """Whether some path fits both; asked only of patterns of one kind."""
        mine, theirs = sorted((self._segments, other._segments), key=len)
        if not self.star:
            return len(mine) == len(theirs) and all(map(_agree, mine, theirs))
        tail, counterpart = mine[-1], theirs[len(mine) - 1]
        if not all(map(_agree, mine[:-1], theirs)):
            return False
        if len(mine) == len(theirs):
            return tail.startswith(counterpart) or counterpart.startswith(tail)
        return counterpart == "{}" or counterpart.startswith(tail)

    @cached_property
    def _segments(self) -> list[str]:
        return "{}".join(self.literals).split("/")

    def __repr__(self) -> str:
        return f"PathPattern({self.text!r})"


class PathSet:
    """Paths for which something holds, for who would rather take one too many than miss one.

    :param patterns: as in a route's `match.path`.
    :raises ValueError: for one that is malformed.
    """

    __slots__ = ("_patterns",)

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(PathPattern(text) for text in patterns)

    def covers(self, target: str) -> bool:
        """Whether a target's path fits one of the patterns in any honest reading: decoded, its dots resolved or not.

        One that cannot be read counts as covered.
        """
        if not self._patterns:
            return False
        try:
            kept, other, _, _ = readings(target)
        except BadRequest:
            return True
        return any(pattern.matches(kept) or pattern.matches(other) for pattern in self._patterns)


def parse_host(text: str) -> str:
    """A host pattern in the form it is looked up by: lower-case, A-labels, with its port only if one was written.

    :param text: `example.com`, `example.com:8443`, `*.example.com` (any number of labels), `[::1]`.
    :raises ValueError: when it is none of these.
    """
    host = text.lower()
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    name, colon, port = host.partition(":") if not host.startswith("[") else (host, "", "")
    host = name.removesuffix(".") + colon + port
    if _HOST.fullmatch(host) is None:
        raise ValueError(f"not a host: {text!r}; write example.com, *.example.com or example.com:8443")
    return host


def _encoded(text: str) -> str:
    """Text of a configuration file as a path on the wire: beyond ASCII it is UTF-8, percent-encoded."""
    return "".join(char if char.isascii() else "".join(f"%{b:02X}" for b in char.encode()) for char in text)


def _check_path(text: str, body: str) -> None:
    """:raises ValueError: when a pattern is malformed, or no normalised path could ever fit it."""
    if not text.startswith("/"):
        raise ValueError(f"a path begins with '/': {text!r}")
    if "*" in body:
        raise ValueError(f"'*' may stand only at the end of a path: {text!r}")
    if any(char in body for char in "?#\\") or not body.isprintable() or " " in body:
        raise ValueError(f"a path holds no query, fragment, backslash, space or control character: {text!r}")
    if _BROKEN_ESCAPE.search(body) is not None or re.search("%(00|2F|5C)", body, re.IGNORECASE) is not None:
        raise ValueError(f"a path holds no broken escape and no encoded slash, backslash or NUL: {text!r}")
    literal = re.sub("%2E", ".", body, flags=re.IGNORECASE)
    if "//" in text or any(segment in (".", "..") for segment in literal.split("/")):
        raise ValueError(f"a path holds no empty or dot segment, since no request is matched with one: {text!r}")


def _check_parameters(pattern: PathPattern) -> None:
    """:raises ValueError: when a brace is no parameter, or a parameter is no whole segment of its own name."""
    before, after = pattern.literals[:-1], pattern.literals[1:]
    if any("{" in literal or "}" in literal for literal in pattern.literals):
        raise ValueError(f"a brace without its partner: {pattern.text!r}")
    if not all(_NAME.fullmatch(name) for name in pattern.names) or "rest" in pattern.names:
        raise ValueError(
            f"a parameter is named by a word other than 'rest', which is what '*' stands for: {pattern.text!r}"
        )
    if len(set(pattern.names)) < len(pattern.names):
        raise ValueError(f"two parameters of one name: {pattern.text!r}")
    ends_whole = all(part.startswith("/") for part in after[:-1]) and (not after or after[-1][:1] in ("", "/"))
    if (
        not all(part.endswith("/") for part in before)
        or not ends_whole
        or (pattern.star and pattern.literals[-1] == "")
    ):
        raise ValueError(f"a parameter is a whole segment, as in /users/{{id}}/*: {pattern.text!r}")


def _agree(one: str, other: str) -> bool:
    return one == other or (one == "{}" and other != "") or (other == "{}" and one != "")
