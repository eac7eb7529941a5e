"""Header fields: an ordered multi-map that keeps case, order and repetition (RFC 9110 section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

_LINE = ": ".join
_WIRE_LINE = b": ".join
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PUNCTUATION = re.compile(r"[^a-z0-9]")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


# Hop-by-hop and framing fields (RFC 9110 section 7.6.1): the two ends of a connection own them.
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

    _keys: list[str]
    _pairs: list[tuple[str, str]]
    dated: bool  # whether Date is among unread fields
    wire: list[tuple[bytes, bytes]] | None  # the fields while nobody has looked; then the lists are unset

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
        self = cls.__new__(cls)
        self.marked = False
        self.wire = wire
        self.dated = dated
        return self

    @property
    def keys(self) -> list[str]:
        """:see: the class."""
        if self.wire is not None:
            self._look()
        return self._keys

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """:see: the class."""
        if self.wire is not None:
            self._look()
        return self._pairs

    def _look(self) -> None:
        """Somebody looks at fields that are still bytes."""
        self._pairs = [(raw.decode("latin-1"), value.decode("latin-1")) for raw, value in self.wire or ()]
        self._keys = [pair[0].lower() for pair in self._pairs]
        self.wire = None

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
        """The first value of `name`, or `default`."""
        if self.wire is not None:
            self._look()
        try:
            return self._pairs[self._keys.index(name.lower())][1]
        except ValueError:
            return default

    def getall(self, name: str) -> list[str]:
        """Every value of `name`, in order; empty when absent. Leaves unread fields unread."""
        key = name.lower()
        if self.wire is not None:
            raw = key.encode("latin-1", "replace")
            size = len(raw)
            return [
                value.decode("latin-1") for known, value in self.wire if len(known) == size and known.lower() == raw
            ]
        if key not in self.keys:
            return []
        return [pair[1] for k, pair in zip(self.keys, self.pairs, strict=True) if k == key]

    def any_of(self, names: frozenset[str]) -> bool:
        """Whether there is a field of one of these lower-case names. Leaves unread fields unread."""
        if self.wire is None:
            return not names.isdisjoint(self.keys)
        return not _on_the_wire(names).isdisjoint([raw.lower() for raw, _ in self.wire])

    def picked(self, names: frozenset[str]) -> dict[str, list[str]]:
        """Every value of those of these lower-case names that are there, in order. Leaves unread fields unread."""
        found: dict[str, list[str]] = {}
        if self.wire is None:
            for key, pair in zip(self.keys, self.pairs, strict=True):
                if key in names:
                    found.setdefault(key, []).append(pair[1])
            return found
        known = _on_the_wire(names)
        for raw, value in self.wire:
            lowered = raw.lower()
            if lowered in known:
                found.setdefault(lowered.decode("latin-1"), []).append(value.decode("latin-1"))
        return found

    def swap(self, names: frozenset[str], fields: Iterable[tuple[str, str]]) -> None:
        """Take away every field of these lower-case names, and append others. Leaves unread fields unread.

        The engine made them itself: nothing is checked, and none of them is one of `ENDS`.
        """
        if self.wire is None:
            self.remove_all(names)
        else:
            known = _on_the_wire(names)
            self.wire = [field for field in self.wire if field[0].lower() not in known]
            self.dated = self.dated and "date" not in names
        for name, value in fields:
            self.push(name, name.lower(), value)

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
            return
        self._keys.append(key)
        self._pairs.append((name, value))

    def remove(self, name: str) -> bool:
        """Take every field of that name away; tells whether there was one."""
        key = name.lower()
        if key not in self.keys:
            return False
        kept = [i for i, k in enumerate(self.keys) if k != key]
        self._keep(kept)
        return True

    def remove_all(self, names: frozenset[str] | set[str]) -> None:
        """Take away every field whose lower-case name is in `names`."""
        kept = [i for i, k in enumerate(self.keys) if k not in names]
        if len(kept) != len(self.keys):
            self._keep(kept)

    def _keep(self, places: list[int]) -> None:
        self._pairs = [self._pairs[i] for i in places]
        self._keys = [self._keys[i] for i in places]

    def copy(self) -> Headers:
        """An independent copy."""
        if self.wire is not None:
            twin = Headers.unread(self.wire.copy(), self.dated)
        else:
            twin = Headers.adopt(self._keys.copy(), self._pairs.copy())
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
        try:
            at = self.keys.index(key)
        except ValueError:
            self.add(name, value)
            return
        self.pairs[at] = (name, value)
        if self.keys.count(key) > 1:
            kept = [i for i, k in enumerate(self.keys) if k != key or i == at]
            self._keep(kept)

    def __delitem__(self, name: str) -> None:
        if not self.remove(name):
            raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self.keys

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


@lru_cache(maxsize=64)
def _on_the_wire(names: frozenset[str]) -> frozenset[bytes]:
    return frozenset(name.encode("latin-1") for name in names)


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
        self._block = block
        return self

    def encode(self) -> bytes:
        """:see: `Headers.encode`."""
        block = self._block
        return block if block is not None and self.wire is not None else super().encode()

    def swap(self, names: frozenset[str], fields: Iterable[tuple[str, str]]) -> None:
        """:see: `Headers.swap`."""
        self._block = None
        super().swap(names, fields)

    def push(self, name: str, key: str, value: str) -> None:
        """:see: `Headers.push`."""
        if self.wire is not None and self._block is not None:
            self.wire, self._block = self.wire.copy(), None
        super().push(name, key, value)


def check_field(name: str, value: str) -> None:
    """:raises ValueError: when a name is no token or a value would not survive the wire (RFC 9110 section 5)."""
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(f"not a field name: {name!r}")
    if _VALUE.fullmatch(value) is None:
        raise ValueError(f"the value of {name} holds a control character or one beyond latin-1: {value!r}")
