"""Tell GraphQL from what only begins like it, and take its literals out.

A GraphQL document looks like much that is looked for, so that only its literals and comments are shown to the
detectors. Attackers would like that for any text, so it is read by the grammar of executable documents (GraphQL,
October 2021, section 2) to its end: what is left beside the literals then are names, numbers and brackets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from plugins.sanitize.values import Value

_DEPTH = 64  # levels of brackets that are followed
_TOKEN = re.compile(
    r'(?P<block>"""(?:[^"\\]++|\\"""|\\|"(?!""))*+""")|(?P<string>"(?:[^"\\\r\n]++|\\[^\r\n])*+")'
    r"|(?P<comment>#[^\r\n]*+)|(?P<blank>[\s,\ufeff]++)|(?P<name>[A-Za-z_][A-Za-z0-9_]*+)"
    r"|(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)(?![\w.])|(?P<mark>\.\.\.|[!$():=@\[\]{}])"
)
_BEGINS = re.compile(r'[\s,\ufeff]*+(?:query|mutation|subscription|fragment|[{#"])')
_OPERATIONS = ("query", "mutation", "subscription")


class _NotGraphql(Exception):
    """What was read is no executable document."""


def literals(text: str) -> list[Value] | None:
    """The literals and comments of a document; None when the text is none."""
    if _BEGINS.match(text) is None:
        return None
    try:
        tokens, found = _cut(text)
        _Reader(tokens).document()
    except _NotGraphql:
        return None
    return found


def _cut(text: str) -> tuple[list[str], list[Value]]:
    """The tokens of a text, numbers as `0` and literals as a quote; and what literals and comments say."""
    tokens: list[str] = []
    found: list[Value] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise _NotGraphql
        at = token.end()
        kind, written = token.lastgroup, token[0]
        if kind in ("name", "mark"):
            tokens.append(written)
        elif kind == "number":
            tokens.append("0")
        elif kind != "blank":
            if kind != "comment":
                tokens.append('"')
            found.append(Value("graphql", "", _meaning(kind, written)))
    return tokens, found


def _meaning(kind: str | None, written: str) -> str:
    if kind == "comment":
        return written[1:]
    if kind == "block":
        return written[3:-3].replace('\\"""', '"""')
    try:
        return str(json.loads(written, strict=False))
    except ValueError:
        return written[1:-1]  # with an escape of GraphQL's own, which the detectors know


class _Reader:
    """Reads tokens by the grammar, each once."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, ""]
        self._at = 0

    def document(self) -> None:
        """:raises _NotGraphql: when it is none."""
        self._definition()
        while self._now:
            self._definition()

    @property
    def _now(self) -> str:
        return self._tokens[self._at]

    def _took(self, token: str) -> bool:
        """Whether this came next; it is behind then."""
        if self._now != token:
            return False
        self._at += 1
        return True

    def _want(self, token: str) -> None:
        if not self._took(token):
            raise _NotGraphql

    def _name(self) -> None:
        if not self._is_name():
            raise _NotGraphql
        self._at += 1

    def _is_name(self) -> bool:
        return self._now.isidentifier()

    def _definition(self) -> None:
        self._took('"')  # a description
        if self._took("fragment"):
            self._name()
            self._want("on")
            self._name()
            self._directives()
        elif self._now in _OPERATIONS:
            self._at += 1
            if self._is_name():
                self._at += 1
            self._variables()
            self._directives()
        self._selections(_DEPTH)

    def _variables(self) -> None:
        if self._took("("):
            self._variable()
            while not self._took(")"):
                self._variable()

    def _variable(self) -> None:
        self._want("$")
        self._name()
        self._want(":")
        self._type(_DEPTH)
        if self._took("="):
            self._value(_DEPTH)
        self._directives()

    def _type(self, depth: int) -> None:
        if self._took("["):
            self._type(_less(depth))
            self._want("]")
        else:
            self._name()
        self._took("!")

    def _directives(self) -> None:
        while self._took("@"):
            self._name()
            self._arguments()

    def _arguments(self) -> None:
        if self._took("("):
            self._pair(_DEPTH)
            while not self._took(")"):
                self._pair(_DEPTH)

    def _pair(self, depth: int) -> None:
        self._name()
        self._want(":")
        self._value(depth)

    def _value(self, depth: int) -> None:
        if self._took("["):
            while not self._took("]"):
                self._value(_less(depth))
        elif self._took("{"):
            while not self._took("}"):
                self._pair(_less(depth))
        elif self._took("$") or not (self._took("0") or self._took('"')):
            self._name()

    def _selections(self, depth: int) -> None:
        self._want("{")
        self._selection(_less(depth))
        while not self._took("}"):
            self._selection(_less(depth))

    def _selection(self, depth: int) -> None:
        if self._took("..."):
            self._spread(depth)
            return
        self._name()
        if self._took(":"):
            self._name()
        self._arguments()
        self._directives()
        if self._now == "{":
            self._selections(depth)

    def _spread(self, depth: int) -> None:
        if self._is_name() and not self._took("on"):
            self._name()
            self._directives()
            return
        if self._tokens[self._at - 1] == "on":
            self._name()
        self._directives()
        self._selections(depth)


def _less(depth: int) -> int:
    if depth == 0:
        raise _NotGraphql
    return depth - 1


def values(text: str, overlong: bool) -> Iterator[Value]:
    """The values of a body that says it is GraphQL: its literals, or all of it as one when it is something else."""
    found = None if overlong else literals(text)
    if found is None:
        yield Value("graphql", "", text, overlong)
    else:
        yield from found
