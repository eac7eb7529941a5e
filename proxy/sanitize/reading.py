"""One way to read a text, with what every detector asks of it first: its words.

Detectors have costly patterns. Almost all of them need some word to match at all, so the words are taken out once, and
a set operation tells which patterns need not be tried.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

_WORD = re.compile(r"[a-z_][a-z0-9_]*+")


class Reading:
    """A text and its words.

    :ivar text: the text.
    :ivar level: the paranoia level; rules of higher ones need not be looked for.
    :ivar lowered: the text in lower case; of the same length, or else what `text` is, so that places agree.
    :ivar words: runs of ASCII letters, digits and underscores in it that begin with no digit.
    """

    __slots__ = ("level", "lowered", "text", "words")

    def __init__(self, text: str, level: int = 3) -> None:
        lowered = text.lower()
        if len(lowered) != len(text):  # one capital becomes two characters
            lowered = text.replace("\u0130", "i").lower()
        self.text = text
        self.level = level
        self.lowered = lowered
        self.words: AbstractSet[str] = set(_WORD.findall(lowered))
