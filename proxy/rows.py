"""What is known of a row of field names: a peer sends the same ones in the same order again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Generic, Protocol, TypeAlias, TypeVar

T = TypeVar("T")
Field: TypeAlias = "tuple[bytes, bytes] | tuple[str, str]"

_name_of = itemgetter(0)


class Rows(Generic[T]):
    """What is known of rows of names: a peer sends the same ones in the same order again and again.

    It is bounded in number, fields and length, since names come from strangers.

    :param make: gives what is to be known of a row that was not met before.
    :ivar known: of the rows met before.
    """

    MOST = 512
    FIELDS = 64
    LENGTH = 1024  # bytes of all names of a row, with what is between them; one with more is not remembered

    __slots__ = ("_make", "known")

    def __init__(self, make: Callable[[tuple[bytes, ...]], T]) -> None:
        self._make = make
        self.known: dict[bytes, T] = {}

    def of(self, fields: Iterable[tuple[bytes, bytes]]) -> T:
        """What is known of the names of these fields."""
        row = b":".join(map(_name_of, fields))  # which no name holds; one text is hashed and compared, not a dozen
        found = self.known.get(row)
        return self._learn(row) if found is None else found

    def _learn(self, row: bytes) -> T:
        names = tuple(row.split(b":")) if row else ()
        made = self._make(names)
        if len(names) <= self.FIELDS and len(row) <= self.LENGTH:
            if len(self.known) >= self.MOST:
                self.known.clear()
            self.known[row] = made
        return made


class Taker(Protocol):
    """Takes what stands in certain places of a row."""

    def __call__(self, fields: Sequence[T], /) -> tuple[T, ...]:
        """In the order of the row."""


class Part:
    """Names of a row that somebody asks for.

    :ivar there: those of them that are there, each behind its place, in order.
    :ivar take: takes their fields out of a row's.
    :ivar others: takes all others.
    """

    __slots__ = ("others", "take", "there")

    def __init__(self, row: Sequence[str], names: frozenset[str]) -> None:
        self.there = [(at, key) for at, key in enumerate(row) if key in names]
        self.take = _taker([at for at, _ in self.there])
        self.others = _taker([at for at, key in enumerate(row) if key not in names])


class Keys(tuple[str, ...]):
    """The lower-case names of a row.

    :ivar parts: what was asked for before, by the names.
    """

    def __init__(self, _: Iterable[str]) -> None:
        self.parts: dict[frozenset[str], Part] = {}

    def part(self, names: frozenset[str]) -> Part:
        """Those among `names`; remembered as long as the row."""
        made = self.parts[names] = Part(self, names)
        return made


def _taker(places: list[int]) -> Taker:
    if len(places) > 1:
        return itemgetter(*places)
    return (lambda fields: (fields[places[0]],)) if places else (lambda _: ())


class Row:
    """The names of a row of fields: as they were written, and in lower case."""

    __slots__ = ("keys", "names")

    def __init__(self, raw: tuple[bytes, ...]) -> None:
        self.names = tuple([name.decode("latin-1") for name in raw])
        self.keys = Keys([name.lower() for name in self.names])
