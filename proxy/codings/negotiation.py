"""Who takes which content coding: Accept-Encoding read as RFC 9110 section 12.5.3 says, and the best of what there is.

What is malformed is read so that a client never gets a coding that it did not ask for: a member that breaks the grammar
counts as not written, and of two that name the same coding the lower weight counts. The answer without any coding is
always there to fall back to, so nothing here ends in a 406.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from proxy.headers import Headers

IDENTITY = "identity"
MOST = 1000  # a weight of 1, in thousandths

_ANY = "*"
_OLD_NAMES = {"x-gzip": "gzip", "x-compress": "compress"}  # RFC 9110 section 8.4.1
_MEMBER = re.compile(
    r"[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*"
)
_REMEMBERED = 512  # characters of a field that is worth remembering; strangers write it


class Accepted:
    """What a client said of content codings.

    :ivar stated: whether it said anything: an empty field says that it wants none.
    """

    __slots__ = ("_others", "_weights", "stated")

    def __init__(self, weights: Mapping[str, int], stated: bool) -> None:
        self._weights = dict(weights)
        self._others = self._weights.pop(_ANY, 0)
        self.stated = stated

    def weight(self, coding: str) -> int:
        """How much a coding is wanted, in thousandths: 0 is not at all.

        For `identity` 0 only says that it is not named; it is acceptable unless `refuses_identity`.
        """
        return self._weights.get(coding, self._others)

    @property
    def refuses_identity(self) -> bool:
        """Whether an answer without any coding is not wanted: `identity;q=0`, or `*;q=0` and no word of identity."""
        return self._weights.get(IDENTITY) == 0


def accepted(values: Sequence[str]) -> Accepted:
    """Read Accept-Encoding.

    :param values: the field's values in the order of the request, one for each line; empty when there is none.
    """
    field = ",".join(values)
    read = _read if len(field) <= _REMEMBERED else _read.__wrapped__
    return read(field, bool(values))


@lru_cache(maxsize=1024)
def _read(field: str, stated: bool) -> Accepted:
    weights: dict[str, int] = {}
    for member in field.split(","):
        match = _MEMBER.fullmatch(member)
        if match is None:
            continue
        name = match[1].lower()
        name = _OLD_NAMES.get(name, name)
        weight = MOST if match[2] is None else round(float(match[2]) * MOST)
        weights[name] = min(weight, weights.get(name, MOST))
    if weights.get(_ANY) == 0:
        weights.setdefault(IDENTITY, 0)
    return Accepted(weights, stated)


def choose(values: Sequence[str], available: Sequence[str]) -> str:
    """The coding to answer with: the one most wanted, and among those wanted alike the first of `available`.

    A client that says nothing gets identity: RFC 9110 would allow it any coding, but who does not ask seldom decodes.
    Identity is also what is left when nothing fits, even to a client that refuses it.

    :param values: the values of Accept-Encoding, as `Headers.getall` gives them.
    :param available: lower-case names in order of preference; `identity` need not be among them, and comes last then.
    :returns: one of `available`, or `"identity"`.
    """
    field = ",".join(values)
    best = _best if len(field) <= _REMEMBERED else _best.__wrapped__
    return best(field, bool(values), tuple(available))


@lru_cache(maxsize=2048)
def _best(field: str, stated: bool, available: tuple[str, ...]) -> str:
    known = accepted((field,) if stated else ())
    best, most = IDENTITY, 0
    for coding in (*available, IDENTITY):
        weight = known.weight(coding)
        if weight > most:
            best, most = coding, weight
    return best


def applied(headers: Headers) -> tuple[str, ...]:
    """What a message's content was coded with, in the order in which it was done (RFC 9110 section 8.4).

    :returns: lower-case names, old ones in their new form; empty for identity.
    """
    values = headers.getall("content-encoding")
    if not values:
        return ()
    names = (name.strip(" \t").lower() for name in ",".join(values).split(","))
    return tuple(_OLD_NAMES.get(name, name) for name in names if name not in ("", IDENTITY))
