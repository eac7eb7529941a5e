"""Header fields: an ordered multi-map that keeps case, order and repetition (RFC 9110 section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from proxy.rows import Field, Keys, Row, Rows

_new = object.__new__
_LINE = ": ".join
_WIRE_LINE = b": ".join
_name_of, _value_of = itemgetter(0), itemgetter(1)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PUNCTUATION = re.compile(r"[^a-z0-9]")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


# Hop-by-hop and framing fields (RFC 9110 section 7.6.1, RFC 9112 section 6): the two ends of a connection own them.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
ENDS = HOP_BY_HOP | {"expect", "x-request-id"}


def dashed(key: str) -> str:
    """A lower-case name as CGI-like servers see it, to whom all that is no letter and no digit is alike."""
    return _PUNCTUATION.sub("-", key)


_rows = Rows(Row)


class Headers:
    """An ordered multi-map of fields; repeated fields stay repeated and in order (RFC 9110 section 5.3).

    Fields that come off the wire stay bytes until somebody looks at them: most heads are passed on unread.

    :ivar keys: lower-case names in order, one for each field; only the engine may change it, together with `pairs`.
    :ivar pairs: the fields as (name, value) in the same order.
    :ivar marked: whether a field was written that a connection's end has to look at before it writes the head: one of
        `ENDS`. Spares every head that has none of them a search.
    :param fields: a mapping or pairs of (name, value).
    :raises ValueError: when a name is no token or a value holds a control byte (RFC 9110 section 5.5): nothing
        that a plugin writes can split a message.
    """

    __slots__ = ("_keys", "_pairs", "dated", "marked", "wire")

    _keys: Any  # a list of text; of unread fields `Keys`, or None while nobody has asked for them
    _pairs: list[tuple[str, str]]
    dated: bool  # whether Date is among unread fields
    wire: list[tuple[bytes, bytes]] | None  # the fields while they are unread; then there are no pairs

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        self.marked = False
        self.wire = None
        self._keys = []
        self._pairs = []
        for name, value in fields.items() if isinstance(fields, Mapping) else fields:
            self.add(name, value)

    @classmethod
    def adopt(cls, keys: list[str], pairs: list[tuple[str, str]]) -> Headers:
        """Take over lists that a parser made and checked: lower-case names, and (name, value) in the same order."""
        self = cls.__new__(cls)
        self.marked = False
        self.wire = None
        self._keys = keys
        self._pairs = pairs
        return self

    @classmethod
    def unread(cls, wire: list[tuple[bytes, bytes]], dated: bool = False) -> Headers:
        """Take over fields as a parser gave them, checked.

        :param dated: whether Date is among them.
        """
        self = _new(cls)
        self.marked = False
        self.wire = wire
        self.dated = dated
        self._keys = None
        return self

    @property
    def keys(self) -> list[str]:
        """:see: the class."""
        if self.wire is not None:
            self._look(self.wire)
        keys: list[str] = self._keys
        return keys

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """:see: the class."""
        if self.wire is not None:
            self._look(self.wire)
        return self._pairs

    def _look(self, wire: list[tuple[bytes, bytes]]) -> None:
        """Somebody wants fields as text that are still bytes."""
        row = _rows.of(wire)
        values = b"\n".join(map(_value_of, wire)).decode("latin-1").split("\n")  # which no value holds
        self._pairs = list(zip(row.names, values, strict=False))  # of no field there is one empty value
        self._keys = list(row.keys)
        self.wire = None

    def _seen(self) -> Sequence[str]:
        """The lower-case names in order; leaves unread fields unread."""
        keys: Sequence[str] | None = self._keys
        if keys is None:
            keys = self._keys = _rows.of(self.wire or ()).keys
        return keys

    def encode(self) -> bytes:
        """The field lines without the last CRLF; empty when there is no field."""
        if self.wire is not None:
            return b"\r\n".join(map(_WIRE_LINE, self.wire))
        return "\r\n".join(map(_LINE, self._pairs)).encode("latin-1")

    def has_date(self) -> bool:
        """Whether there is a Date; leaves unread fields unread."""
        return self.dated if self.wire is not None else "date" in self.keys

    def items(self) -> list[tuple[str, str]]:
        """The fields as (name, value) in order; not to be changed."""
        return self.pairs

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of `name`, or `default`. Leaves unread fields unread."""
        keys = self._seen()
        try:
            at = keys.index(name.lower())
        except ValueError:
            return default
        return self._value(at)

    def getall(self, name: str) -> list[str]:
        """Every value of `name`, in order; empty when absent. Leaves unread fields unread."""
        key = name.lower()
        keys = self._seen()
        return [self._value(at) for at, known in enumerate(keys) if known == key] if key in keys else []

    def _value(self, at: int) -> str:
        return self._pairs[at][1] if self.wire is None else self.wire[at][1].decode("latin-1")

    def any_of(self, names: frozenset[str]) -> bool:
        """Whether there is a field of one of these lower-case names. Leaves unread fields unread."""
        return not names.isdisjoint(self._seen())

    def picked(self, names: frozenset[str]) -> dict[str, list[str]]:
        """Every value of those of these lower-case names that are there, in order. Leaves unread fields unread."""
        keys, wire = self._keys or self._seen(), self.wire
        row = keys if type(keys) is Keys else Keys(keys)
        found: dict[str, list[str]] = {}
        for at, key in (row.parts.get(names) or row.part(names)).there:
            value = self._pairs[at][1] if wire is None else wire[at][1].decode("latin-1")
            found.setdefault(key, []).append(value)
        return found

    def kept(self, names: frozenset[str]) -> tuple[Field, ...]:
        """The fields of these lower-case names as they are kept, in order: as bytes while they are unread."""
        keys, wire = self._keys or self._seen(), self.wire
        row = keys if type(keys) is Keys else Keys(keys)
        take = (row.parts.get(names) or row.part(names)).take  # by itself: as a method it would be looked up slowly
        return take(self._pairs if wire is None else wire)

    def swap(self, names: frozenset[str], fields: list[tuple[bytes, bytes]]) -> None:
        """Take away every field of these lower-case names, and append others. Leaves unread fields unread.

        The engine made them itself: nothing is checked, and none of them is one of `ENDS`.
        """
        wire, keys = self.wire, self._keys
        if wire is None:
            self.remove_all(names)
        else:
            row = keys if type(keys) is Keys else _rows.of(wire).keys
            others = (row.parts.get(names) or row.part(names)).others
            self.wire = [*others(wire)]
            self.dated = self.dated and "date" not in names
        self.more(fields)

    def add(self, name: str, value: str) -> None:
        """Append a field, whatever is there already."""
        check_field(name, value)
        key = name.lower()
        self.push(name, key, value)
        if key in ENDS:
            self.marked = True

    def push(self, name: str, key: str, value: str) -> None:
        """Append a field that the engine made itself: `key` is the lower-case name, nothing is checked."""
        if self.wire is not None:
            self.wire.append((name.encode("latin-1"), value.encode("latin-1")))
            self._keys = None
            self.dated = self.dated or key == "date"
            return
        self.keys.append(key)
        self._pairs.append((name, value))

    def more(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Append fields that the engine made itself, as bytes; nothing is checked, and Date is not among them."""
        if self.wire is not None:
            self.wire += fields
            self._keys = None
            return
        for raw, value in fields:
            name = raw.decode("latin-1")
            self.push(name, name.lower(), value.decode("latin-1"))

    def remove(self, name: str) -> bool:
        """Take every field of that name away; tells whether there was one."""
        key = name.lower()
        if key not in self._seen():
            return False
        kept = [i for i, k in enumerate(self.keys) if k != key]
        self._keep(kept)
        return True

    def remove_all(self, names: frozenset[str] | set[str]) -> None:
        """Take away every field whose lower-case name is in `names`."""
        if not names.isdisjoint(self._seen()):
            self._keep([i for i, k in enumerate(self.keys) if k not in names])

    def _keep(self, places: list[int]) -> None:
        keys, pairs = self.keys, self.pairs
        self._keys, self._pairs = [keys[i] for i in places], [pairs[i] for i in places]

    def copy(self) -> Headers:
        """An independent copy."""
        if self.wire is not None:
            twin = Headers.unread(self.wire.copy(), self.dated)
            twin._keys = self._keys
        else:
            twin = Headers.adopt(self.keys.copy(), self._pairs.copy())
        twin.marked = self.marked
        return twin

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        """Replace: the first field of that name takes the value in its place, the others go."""
        check_field(name, value)
        key = name.lower()
        if key not in self._seen():
            self.add(name, value)
            return
        at = self.keys.index(key)
        self.pairs[at] = (name, value)
        if self.keys.count(key) > 1:
            kept = [i for i, k in enumerate(self.keys) if k != key or i == at]
            self._keep(kept)

    def __delitem__(self, name: str) -> None:
        if not self.remove(name):
            raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._seen()

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self.pairs])

    def __len__(self) -> int:
        return len(self.keys if self.wire is None else self.wire)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self.keys == other.keys and [v for _, v in self.pairs] == [v for _, v in other.pairs]

    __hash__ = None  # type: ignore[assignment]  # mutable, like dict

    def __repr__(self) -> str:
        return f"Headers({self.pairs!r})"


class Rendered(Headers):
    """Fields that go out again and again: unread, with the bytes of all lines made before, shared by many messages.

    Whoever looks at them or adds to them gets fields of his own, as ever.
    """

    __slots__ = ("_block",)

    _block: bytes | None

    @classmethod
    def of(cls, wire: list[tuple[bytes, bytes]], block: bytes, dated: bool) -> Rendered:
        """Take fields that nobody will change.

        :param block: what `encode` would give.
        :param dated: whether Date is among them.
        """
        self = cls.__new__(cls)
        self.marked = False
        self.wire = wire
        self.dated = dated
        self._keys = None
        self._block = block
        return self

    def encode(self) -> bytes:
        """:see: `Headers.encode`."""
        block = self._block
        return block if block is not None and self.wire is not None else super().encode()

    def swap(self, names: frozenset[str], fields: list[tuple[bytes, bytes]]) -> None:
        """:see: `Headers.swap`."""
        self._block = None
        super().swap(names, fields)

    def more(self, fields: list[tuple[bytes, bytes]]) -> None:
        """:see: `Headers.more`."""
        self._own()
        super().more(fields)

    def push(self, name: str, key: str, value: str) -> None:
        """:see: `Headers.push`."""
        self._own()
        super().push(name, key, value)

    def _own(self) -> None:
        """Share no more what is about to change."""
        if self.wire is not None and self._block is not None:
            self.wire, self._block = self.wire.copy(), None


def check_field(name: str, value: str) -> None:
    """:raises ValueError: when a name is no token or a value would not survive the wire (RFC 9110 section 5)."""
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(f"not a field name: {name!r}")
    if _VALUE.fullmatch(value) is None:
        raise ValueError(f"the value of {name} holds a control character or one beyond latin-1: {value!r}")
