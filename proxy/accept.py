"""Which of several forms of one answer a client would like best (RFC 9110 section 12.5.1).

Only error answers come in several forms, so this is written for plainness. Where nothing that the client names can be
had it gets the first form all the same: an error in the wrong type tells more than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_MOST = 4096  # bytes of Accept that are looked at; browsers send some 150
_RANGE = re.compile(r"\s*([^\s;/]+)/([^\s;/]+)\s*(?:;(.*))?", re.DOTALL)
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_UTF_8 = frozenset({"charset=utf-8", 'charset="utf-8"'})


class Range(NamedTuple):
    """One media range.

    :ivar specific: 0 for `*/*`, 1 for `text/*`, 2 for a type, 3 for a type with parameters.
    """

    kind: str
    weight: float
    specific: int


def ranges(fields: Iterable[str]) -> list[Range]:
    """What Accept says; what is malformed in it is left out."""
    found = (_range(item) for item in ",".join(fields)[:_MOST].lower().split(","))
    return [one for one in found if one is not None]


def _range(item: str) -> Range | None:
    match = _RANGE.fullmatch(item)
    if match is None or (match[1] == "*" and match[2] != "*"):
        return None
    weight, parameters = 1.0, set()
    for text in (match[3] or "").split(";"):
        name, _, value = text.strip().partition("=")
        if name == "q":
            if _WEIGHT.fullmatch(value) is None:
                return None
            weight = float(value)
            break  # what follows belongs to an obsolete grammar (RFC 7231)
        if name:
            parameters.add(f"{name}={value}")
    if parameters - _UTF_8:
        return None  # a variant of the type that we do not have
    return Range(f"{match[1]}/{match[2]}", weight, 3 if parameters else (match[1] != "*") + (match[2] != "*"))


def best(fields: Sequence[str], forms: Sequence[frozenset[str]]) -> int:
    """Index of the form to send.

    :param fields: values of Accept.
    :param forms: for each form the types that it may be asked for as, the preferred form first.
    """
    if not fields:
        return 0
    wanted = ranges(fields)
    scores = [_score(form, wanted) for form in forms]
    highest = max(scores)
    return scores.index(highest) if highest[0] > 0 else 0


def _score(form: frozenset[str], wanted: list[Range]) -> tuple[float, int]:
    """Weight of the most specific range that names the form, and how specific that is, which decides a tie."""
    names = form | {f"{kind.partition('/')[0]}/*" for kind in form} | {"*/*"}
    matching = [(one.specific, one.weight) for one in wanted if one.kind in names]
    if not matching:
        return 0.0, 0
    specific, weight = max(matching)
    return weight, specific
