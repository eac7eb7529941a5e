"""Cut text into the tokens that a database would see. One pass, no backtracking.

Tokens are cut out and told apart by the pattern engine and by look-ups; where each stands is worked out only when
somebody asks, for most texts are read and forgotten.
"""

from __future__ import annotations

import re
import string
from typing import TypeVar

from proxy.sanitize.sql_words import FUNCTIONS, KINDS

T = TypeVar("T")

_TOKEN = re.compile(
    r"""(?!(?:[nxbeq]|u&|_[a-z0-9]{2,8})')[^\W\d][\w$]*+(?:\.{1,2}[^\W\d][\w$]*+)*+(?:[\s\x00-\x20\xa0\x85]*+\()?+
    | [(),;{}%^+\]]
    | 0x[0-9a-f]++ | 0b[01]++ | [0-9]++(?:\.(?:[0-9]++|e(?!\w))?+)?+(?:e[+-]?[0-9]++)?+ | \.[0-9]++
    | (?:\b(?:[nxbe]|u&|_[a-z0-9]{2,8}))?'(?:[^'\\]++|\\.|'')*+(?:'|\\?\Z) | "(?:[^"\\]++|\\.|"")*+(?:"|\\?\Z)
    | q'(?:\[[^\]]*+\]|\{[^}]*+\}|\([^)]*+\)|<[^>]*+>|!|\|)'?+ | [nxbeq](?=')
    | /\*![0-9]*+ | \*/                                                             # a comment that is none
    | /\*(?:[^*]++|\*(?!/))*+(?:\*/)?+ | (?:--|\#(?!>))[^\n]*+
    | ::[\s\x00]*+[a-z_]\w*+(?:\[\])?+                                               # a cast
    | <=>|<>|!=|<@|<<|>>|[<>]=?+|={1,3}+|!<|!>|~\* | \|\||&&|:= | @>|->>?+|\#>>?+|\?[|&]
    | @@?+[\w.$]*+
    | `[^`]*+`? | \[[a-z_][\w\ .$]{0,60}\]
    | \$\$[^$\s]{0,40}\$\$ | \$[a-z_]{0,8}\$(?=[^$])
    | [^\s\x00-\x20\xa0\x85]""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"(?:--|\#|/\*)[\s\-+*/#;!)'\"]*+(?:\w{1,6}[\s\x00'\"]*+)?+")
_BLANKS = "".join(map(chr, range(33))) + "\xa0\x85"
_BY_TEXT = {
    **KINDS,
    **dict.fromkeys(("<=>", "<>", "!=", "<", ">", "<=", ">=", "=", "==", "===", "!<", "!>", "~*"), "o"),
    **dict.fromkeys(("<@", "@>", "->", "->>", "#>", "#>>", "?|", "?&"), "o"),
    **dict.fromkeys(("<<", ">>", *"-+*/%^|&!~"), "a"),
    **dict.fromkeys("0123456789", "n"),
    **{mark: mark for mark in "(),;{}"},
    "]": "}",
    ":=": "a",
}
_BY_START = {
    **dict.fromkeys("0123456789.", "n"),
    **dict.fromkeys("'\"$", "s"),
    **dict.fromkeys("`[abcdefghijklmnopqrstuvwxyz_", "w"),
    "@": "v",
}


class Tokens:
    """The tokens of a text from a place on; spaces and comments within are none.

    :ivar shape: one letter a token (see `sql_words`).
    """

    __slots__ = ("_kinds", "_lowered", "_spans", "_start", "_texts", "_words", "shape")

    def __init__(self, lowered: str, start: int = 0) -> None:
        """:param lowered: the text in lower case."""
        self._lowered = lowered
        self._start = start
        self._texts: list[str] = _TOKEN.findall(lowered, start)
        known = _BY_TEXT.get
        self._kinds = kinds = [known(text) or _kind(text) for text in self._texts]
        if "" in kinds:
            self._call_across_comments()
        self.shape = "".join(kinds)
        self._spans: list[tuple[int, int]] | None = None
        self._words: list[str] | None = None

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each began and ended, one for each letter of the shape."""
        if self._spans is None:
            self._spans = self._spread([found.span() for found in _TOKEN.finditer(self._lowered, self._start)])
        return self._spans

    @property
    def words(self) -> list[str]:
        """The tokens' texts, one for each letter of the shape."""
        if self._words is None:
            self._words = self._spread(self._texts)
        return self._words

    def _spread(self, of_tokens: list[T]) -> list[T]:
        """One for each letter: a kind may have two of them, or none."""
        if "" not in self._kinds and len(self.shape) == len(self._kinds):
            return of_tokens
        return [one for one, kind in zip(of_tokens, self._kinds, strict=True) for _ in kind]

    def name(self, index: int) -> str:
        """The word at a place in the shape, without the parenthesis that makes it a call; empty behind the end."""
        return self.words[index].rstrip(f"({_BLANKS}") if index < len(self.words) else ""

    def _call_across_comments(self) -> None:
        """A comment may stand between a function's name and its parenthesis."""
        last = -1
        for index, kind in enumerate(self._kinds):
            if kind == "(" and last >= 0:
                self._kinds[last] = _called(self._texts[last], self._kinds[last])
            if kind:
                last = index


def _kind(text: str) -> str:
    first = text[0]
    if first in "'\"`" or text[1:2] == "'" or (first in "u_" and "'" in text):
        return "w" if first == "`" else "s"
    if first in "-#/*":
        return _comment(text)
    if text.startswith("::"):
        return ""
    if text[-1] == "(":
        word = text[:-1].rstrip(_BLANKS)
        return _called(word, KINDS.get(word, "w")) + "("
    if len(text) == 1 and first in "$.[:?":
        return "?"
    return _BY_START.get(first) or ("w" if first.isalpha() else "?")


def _called(word: str, kind: str) -> str:
    """A parenthesis makes a function of the word before it."""
    if word in ("mod", "glob"):
        return "F" if word == "mod" else "f"
    if kind in ("w", "T", "G", "v"):
        return FUNCTIONS.get(word.rpartition("..")[2], "F" if kind in ("w", "v") else kind)
    return kind


def _comment(text: str) -> str:
    """Empty for what is read on across; a comment up to the end tells more."""
    if (text.startswith("/*!") and text[3:].isdigit()) or text in ("/*!", "*/"):
        return ""
    if text[0] == "/" and text.endswith("*/") and len(text) > 3:
        return ""
    return "c" if _NOTHING.fullmatch(text) else "C"


_BY_TEXT |= {mark: _kind(mark) for mark in string.printable if not mark.isspace() and mark not in _BY_TEXT}
