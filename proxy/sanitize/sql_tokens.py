"""Cut text into the tokens that a database would see. One pass, no backtracking."""

from __future__ import annotations

import re
from typing import NamedTuple

from proxy.sanitize.sql_words import FUNCTIONS, KINDS

_TOKEN = re.compile(
    r"""(?P<space>[\s\x00-\x20\xa0\x85]++ | /\*![0-9]*+ | \*/)
    | (?P<block>/\*(?:[^*]++|\*(?!/))*+(?:\*/)?+)
    | (?P<line>(?:--|\#)[^\n]*+)
    | (?P<string>(?:\b[nNxXbBeE])?'(?:[^'\\]++|\\.|'')*+(?:'|\\?\Z) | "(?:[^"\\]++|\\.|"")*+(?:"|\\?\Z)
        | \$(?P<tag>[A-Za-z_]{0,8})\$(?=[^$]) | [qQ]'[\[({<!|])
    | (?P<name>`[^`]*+`? | \[[A-Za-z_][\w\ .$]{0,60}\])
    | (?P<number>0[xX][0-9A-Fa-f]++ | [0-9]++(?:\.[0-9]*+)?+(?:[eE][+-]?[0-9]++)?+ | \.[0-9]++)
    | (?P<variable>@@?+[\w.$]*+)
    | (?P<word>[^\W\d][\w$]*+(?:\.{1,2}[\w$]++)*+)
    | (?P<compare><=>|<>|!=|[<>]=?+|={1,3}+|!<|!>|~\*?)
    | (?P<logical>\|\||&&)
    | (?P<arithmetic>[-+*/%^|&!]|:=)
    | (?P<mark>[(),;{}])
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = {
    "string": "s",
    "name": "w",
    "number": "n",
    "variable": "v",
    "compare": "o",
    "logical": "L",
    "arithmetic": "a",
    "other": "?",
}
_NOTHING = re.compile(r"(?:--|\#|/\*)[\s\-+*/#;!)]*+(?:\w{1,6}[\s\x00]*+)?+")


class Tokens(NamedTuple):
    """A token stream.

    :ivar shape: one letter a token (see `sql_words`).
    :ivar words: the tokens' texts, in lower case.
    :ivar spans: where each began and ended.
    """

    shape: str
    words: list[str]
    spans: list[tuple[int, int]]


def tokens(text: str, start: int = 0) -> Tokens:
    """The tokens of `text` from `start` on; spaces and comments within are no tokens."""
    shape: list[str] = []
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    for found in _TOKEN.finditer(text, start):
        group = found.lastgroup
        if group == "space":
            continue
        word = found[0]
        if group == "word":
            word = word.lower()
            kind = KINDS.get(word, "w")
        elif group == "mark":
            kind = word
            if kind == "(" and shape:
                _call(shape, words)
        elif group == "block":
            if word.endswith("*/") and len(word) > 3:
                continue
            kind = _comment(word)
        elif group == "line":
            kind = _comment(word)
        else:
            kind = _PLAIN.get(group or "", "s")
        shape.append(kind)
        words.append(word)
        spans.append(found.span())
    return Tokens("".join(shape), words, spans)


def _call(shape: list[str], words: list[str]) -> None:
    """A parenthesis makes a function of the word before it."""
    if shape[-1] in "wTG":
        shape[-1] = FUNCTIONS.get(words[-1].rpartition("..")[2], "F" if shape[-1] == "w" else shape[-1])


def _comment(word: str) -> str:
    return "c" if _NOTHING.fullmatch(word) else "C"
