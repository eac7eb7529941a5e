"""What is kept: an answer with all that is needed to use it again, and its form in memory and on the wire.

Fields are kept as the bytes that they go out as, so that a hit renders nothing. One entry holds the variants of one
key, newest first; it is never changed in place, since several requests may hold it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from plugins.cache.selecting import ENCODING
from proxy.api import CorruptEntry, Headers, applied

Wire = tuple[tuple[bytes, bytes], ...]
Selecting = tuple[tuple[str, "str | None"], ...]

KEEP = 3600  # seconds for which a stale answer is kept that can still be validated

_VERSION = 1
_OVERHEAD = 1200  # bytes of an answer's objects in memory, its rendered head included; measured, as are these:
_FIELD = 135  # of a field's objects beside its text, which is there twice, since the head is kept rendered
_TAG = 70  # of a tag beside its text
_ENTRY = 120  # of the variants together

NO_CACHE = 1
MUST_REVALIDATE = 2
SOFT = 4  # softly purged: as if it were stale
DATED = 8
BY_CODING = 16


@dataclass(frozen=True, slots=True)
class Stored:
    """One answer.

    :ivar fields: as they go out, without those of the connection, Age and Cache-Status.
    :ivar received: when its head came, seconds since the epoch.
    :ivar age: seconds that it was old then.
    :ivar lifetime: seconds for which it is fresh.
    :ivar swr: seconds beyond, in which it may be used while it is validated (RFC 5861 section 3).
    :ivar sie: seconds beyond, in which it may be used when that fails (section 4).
    :ivar selecting: request fields named by Vary, but for Accept-Encoding, with their normal values.
    :ivar coding: its Content-Encoding in lower case; `""` for none.
    :ivar flags: of `NO_CACHE`, `MUST_REVALIDATE`, `SOFT`, `DATED`, `BY_CODING`.
    :ivar tags: by which it can be purged.
    """

    status: int
    reason: str
    fields: Wire
    body: bytes
    received: float
    age: int
    lifetime: int
    swr: int = 0
    sie: int = 0
    selecting: Selecting = ()
    coding: str = ""
    flags: int = 0
    tags: tuple[str, ...] = ()
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)  # what was read of `fields`

    @property
    def by_coding(self) -> bool:
        """Whether Accept-Encoding is among what selected it."""
        return bool(self.flags & BY_CODING)

    @property
    def headers(self) -> Headers:
        """Its fields; not to be changed."""
        found: Headers | None = self.memo.get("")
        if found is None:
            found = self.memo[""] = Headers.unread(list(self.fields))
        return found

    def age_at(self, now: float) -> int:
        """Its age in seconds (RFC 9111 section 4.2.3)."""
        return self.age + max(0, int(now - self.received))

    def fresh_for(self, now: float) -> int:
        """Seconds until it is stale; negative for how long it has been."""
        return 0 - self.age_at(now) if self.flags & SOFT else self.lifetime - self.age_at(now)

    @property
    def validates(self) -> bool:
        """Whether the origin can be asked if it still holds."""
        return "etag" in self.headers or "last-modified" in self.headers

    def useful_for(self, now: float) -> int:
        """Seconds for which it is worth keeping."""
        fresh = self.fresh_for(now)
        kept = max(fresh, int(self.received - now)) + KEEP if self.validates else 0  # also what came stale
        return max(0, fresh + max(self.swr, self.sie), kept)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        text = sum(2 * (len(name) + len(value)) + _FIELD for name, value in self.fields)
        return _OVERHEAD + text + len(self.body) + sum(len(tag) + _TAG for tag in self.tags)

    def replaces(self, other: Stored) -> bool:
        """Whether it takes the other's place: both answer the same requests."""
        return self.selecting == other.selecting and self.coding == other.coding

    def soft(self) -> Stored:
        """It, as if it were stale."""
        return replace(self, flags=self.flags | SOFT, memo={})


@dataclass(frozen=True, slots=True)
class Entry:
    """The variants of one key, newest first."""

    variants: tuple[Stored, ...]
    memo: dict[bytes | str | None, Any] = field(
        default_factory=dict, compare=False, repr=False
    )  # what was chosen before

    def adding(self, new: Stored, most: int, room: int, *, newest: bool = True) -> Entry:
        """It with another variant; the oldest go that are too many, or too large together.

        :param room: bytes that it may have.
        :param newest: whether it comes first; else it keeps the place of the one that it replaces.
        """
        if newest:
            kept = [new, *(old for old in self.variants if not new.replaces(old))]
        else:
            kept = [new if new.replaces(old) else old for old in self.variants]
        while len(kept) > most or (len(kept) > 1 and sum(one.size for one in kept) > room):
            kept.pop()
        return Entry(tuple(kept))

    @property
    def tags(self) -> frozenset[str]:
        """Those of all its variants."""
        return frozenset(tag for one in self.variants for tag in one.tags)

    def useful_for(self, now: float) -> int:
        """Seconds for which any of them is worth keeping."""
        return max((one.useful_for(now) for one in self.variants), default=0)


EMPTY = Entry(())

_HEAD = struct.Struct("!BHdIIIIBHHHHI")  # version, status, times, flags, and how many of what follows


class EntryCodec:
    """Entries as bytes: fixed numbers first, then texts with their lengths. Nothing in them is executed on reading."""

    def softened(self, value: Entry) -> Entry:
        """It, with all variants as if they were stale."""
        return Entry(tuple(one.soft() for one in value.variants))

    def size(self, value: Entry) -> int:
        """Bytes that it takes in memory."""
        return sum(one.size for one in value.variants) + _ENTRY

    def encode(self, value: Entry) -> bytes:
        """All variants, one after the other."""
        parts = [bytes((_VERSION, len(value.variants)))]
        for one in value.variants:
            parts += _encoded(one)
        return b"".join(parts)

    def decode(self, data: bytes) -> Entry:
        """:raises CorruptEntry: when this is no entry, or one of another version."""
        reader = _Reader(data)
        try:
            version, count = reader.take(2)
            if version != _VERSION:
                raise CorruptEntry(f"an entry of version {version}")
            variants = tuple(_decoded(reader) for _ in range(count))
        except (struct.error, UnicodeDecodeError) as error:
            raise CorruptEntry(f"an entry that cannot be read: {error}") from error
        if reader.at != len(data):
            raise CorruptEntry("an entry with something behind it")
        return Entry(variants)


def _encoded(one: Stored) -> list[bytes]:
    head = _HEAD.pack(
        _VERSION,
        one.status,
        one.received,
        one.age,
        one.lifetime,
        one.swr,
        one.sie,
        one.flags,
        len(one.fields),
        len(one.selecting),
        len(one.tags),
        0,
        len(one.body),
    )
    parts = [head, *_text(one.reason.encode("latin-1")), *_text(one.coding.encode("latin-1"))]
    for name, value in one.fields:
        parts += [*_text(name), *_text(value)]
    for key, wanted in one.selecting:
        parts += [*_text(key.encode("latin-1")), *_text(b"\0" if wanted is None else wanted.encode("latin-1"))]
    for tag in one.tags:
        parts += _text(tag.encode("latin-1"))
    return [*parts, one.body]


def _text(data: bytes) -> tuple[bytes, bytes]:
    return len(data).to_bytes(3, "big"), data


class _Reader:
    """Takes pieces off bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        """:raises CorruptEntry: when there is less."""
        data = self._data[self.at : self.at + count]
        if len(data) != count:
            raise CorruptEntry("an entry that ends too early")
        self.at += count
        return data

    def text(self) -> bytes:
        return self.take(int.from_bytes(self.take(3), "big"))

    def string(self) -> str:
        return self.text().decode("latin-1")


def _decoded(reader: _Reader) -> Stored:
    numbers = _HEAD.unpack(reader.take(_HEAD.size))
    version, status, received, age, lifetime, swr, sie, flags, fields, selecting, tags, _, size = numbers
    if version != _VERSION or not 200 <= status <= 599:
        raise CorruptEntry("an answer that is none")
    reason, coding = reader.string(), reader.string()
    wire = tuple((reader.text(), reader.text()) for _ in range(fields))
    chosen = tuple((reader.string(), _wanted(reader.string())) for _ in range(selecting))
    named = tuple(reader.string() for _ in range(tags))
    body = reader.take(size)
    return Stored(status, reason, wire, body, received, age, lifetime, swr, sie, chosen, coding, flags, named)


def _wanted(text: str) -> str | None:
    return None if text == "\0" else text


def variant_of(headers: Headers, names: Sequence[str]) -> tuple[str, int]:
    """An answer's coding, and its flag when it is selected by coding.

    :param names: of its Vary.
    """
    return ",".join(applied(headers)), (BY_CODING if ENCODING in names else 0)
