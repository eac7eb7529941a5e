"""Which of several stored answers suits a request: Vary, and codings (RFC 9111 section 4.1).

Values are compared in a normal form, so that spellings of the same wish share an answer. Accept-Encoding is not
compared at all: what counts is whether the coding that an answer has is one that the client takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from plugins.cache.parsing import members, normal
from proxy.api import Accepted, Headers, accepted

CODINGS = ("zstd", "br", "gzip", "deflate")  # the better first, where a client likes them equally
ENCODING = "accept-encoding"

_WEIGHED = frozenset({"accept", "accept-language", "accept-charset"})


def vary_names(headers: Headers) -> tuple[str, ...]:
    """The lower-case names in an answer's Vary, sorted, each once."""
    return tuple(sorted({name.lower() for name in members(headers.getall("vary"))}))


def normalised(name: str, headers: Headers) -> str | None:
    """A request field's value in the form in which it is compared; None when there is none.

    :param name: in lower case.
    """
    values = headers.getall(name)
    if not values:
        return None
    return _weighed(values) if name in _WEIGHED else normal(values)


def _weighed(values: list[str]) -> str:
    """A list of wishes in the order of their weights; the order of equal ones has no meaning (RFC 9110 section 12)."""
    wishes = sorted((-weight, wish) for wish, weight in weights(values))
    return ",".join(f"{wish};{-weight:g}" for weight, wish in wishes)


def weights(values: Iterable[str]) -> list[tuple[str, float]]:
    """The wishes of an Accept field in lower case, each with its weight (RFC 9110 section 12.4.2)."""
    found = []
    for member in members(values):
        wish, *parameters = (part.strip(" \t").lower() for part in member.split(";"))
        weight, kept = 1.0, [wish]
        for parameter in parameters:
            if parameter.startswith("q="):
                weight = _quality(parameter[2:])
            elif parameter:
                kept.append(parameter)
        found.append((";".join(kept), weight))
    return found


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def selecting(headers: Headers, names: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    """What a later request must agree in: each name with its normal value; Accept-Encoding is judged by `accepted`."""
    return tuple((name, normalised(name, headers)) for name in names if name != ENCODING)


def liking(coding: str, told: Accepted) -> float:
    """How much a client wants a coding: 0 when it does not take it.

    Identity (`""`) is wanted least of what is liked equally, and goes unless it was refused. Who says nothing gets it.
    """
    if coding == "":
        return 0.0 if told.refuses_identity else max(told.weight("identity"), 0.5)
    return min(told.weight(one) for one in coding.split(","))


class Variant(Protocol):
    """What is chosen among."""

    @property
    def selecting(self) -> tuple[tuple[str, str | None], ...]: ...
    @property
    def coding(self) -> str: ...
    @property
    def by_coding(self) -> bool: ...


V = TypeVar("V", bound=Variant)


def select(variants: Sequence[V], headers: Headers, order: Sequence[str] = CODINGS) -> V | None:
    """The stored answer for a request, or None: the newest of those that suit it best.

    :param variants: newest first.
    :param order: codings, that first which is taken of those that a client likes equally.
    """
    coded: list[V] = []
    for variant in variants:
        if matches(variant.selecting, headers):
            if not variant.by_coding:
                return next(iter(_by_liking(coded, headers, order)), variant)
            coded.append(variant)
    return next(iter(_by_liking(coded, headers, order)), None)


def _by_liking(variants: Sequence[V], headers: Headers, order: Sequence[str]) -> list[V]:
    """Those whose coding the client takes, the one that it likes best first."""
    told = accepted(headers.getall(ENCODING))
    ranked = [(liking(variant.coding, told), variant) for variant in variants]
    liked = [(-like, _place(variant.coding, order), variant) for like, variant in ranked if like > 0.0]
    return [variant for _, _, variant in sorted(liked, key=lambda one: one[:2])]


def _place(coding: str, order: Sequence[str]) -> int:
    return order.index(coding) if coding in order else len(order)


def matches(wanted: tuple[tuple[str, str | None], ...], headers: Headers) -> bool:
    """Whether a request agrees in every field that an answer was selected by."""
    return all(normalised(name, headers) == value for name, value in wanted)
