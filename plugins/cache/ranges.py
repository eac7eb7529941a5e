"""Parts of a stored answer (RFC 9110 section 14). One range of bytes is served; several get the whole."""

from __future__ import annotations

import re
from typing import NamedTuple

_ONE = re.compile(r"bytes=[ \t]*(?:(?P<first>\d{1,18})-(?P<last>\d{1,18})?|-(?P<suffix>\d{1,18}))[ \t]*", re.IGNORECASE)


class Span(NamedTuple):
    """Bytes from `first` to before `end`."""

    first: int
    end: int


class Unsatisfiable(ValueError):
    """None of the bytes that are asked for exist (RFC 9110 section 15.5.17)."""


def span_of(value: str, size: int) -> Span | None:
    """What a Range field asks for; None when it is to be ignored.

    :param size: bytes of the whole.
    :raises Unsatisfiable: when it lies behind the end.
    """
    match = _ONE.fullmatch(value)
    if match is None:
        return None
    if match["suffix"] is not None:
        length = int(match["suffix"])
        if not length or not size:
            raise Unsatisfiable
        return Span(max(0, size - length), size)
    first = int(match["first"])
    last = size - 1 if match["last"] is None else int(match["last"])
    if match["last"] is not None and last < first:
        return None  # malformed (section 14.1.2)
    if first >= size:
        raise Unsatisfiable
    return Span(first, min(last + 1, size))
