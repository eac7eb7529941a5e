"""Take out of a text what only fills it, so that an attack cannot hide behind more of nothing than anybody reads.

Detectors look at the neighbourhood of what they find, for time must stay linear. Blanks, comments and endless words
cost a sender nothing and an interpreter ignores them; folded, what stands on both sides of them is near again.
"""

from __future__ import annotations

import re

from proxy.sanitize.late import Late

_BLANKS = r"(?<![\s\x00-\x1f])[\s\x00-\x1f]{8,}+"  # as many as nobody types; the look back keeps searches linear
_WORD = r"(?<!\w)(\w{32})\w{33,}+"
_PADDED = re.compile(rf"{_BLANKS}|{_WORD}")
_COMMENT = r"(?:/\*(?!!)[^*]*+(?:\*(?!/)[^*]*+)*+\*/[\s\x00-\x1f]*+)++"
_WIDTH = 64  # of a word; in a shorter text there is none to be cut
_GAP = " " * 8
_COMMENTED = Late(rf"{_COMMENT}|{_BLANKS}|{_WORD}")


def folded(text: str) -> str:
    """The text with runs of 8 blanks and more, comments of SQL, and the rest of words behind 64 characters taken out.

    A blank is left of the first two, a line break where there was one among the blanks; 32 characters of such words.
    """
    if len(text) <= _WIDTH and text.isprintable() and _GAP not in text and "/*" not in text:
        return text  # a printable text has no other blanks
    end = text.rfind("*/") if "/*" in text else -1
    if end < 0:
        return _PADDED.sub(_left, text)
    return _COMMENTED.sub(_left, text[: end + 2]) + _PADDED.sub(
        _left, text[end + 2 :]
    )  # no comment is searched in vain


def _left(found: re.Match[str]) -> str:
    filler = found[0]
    if filler.startswith("/*"):
        return " "
    return found[1] or ("\n" if "\n" in filler or "\r" in filler else " ")
