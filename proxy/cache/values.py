"""A codec for plain Python values: what functions return, written so that it comes back as it was.

JSON makes lists of tuples and text of numbers that are keys; a pickle runs whatever code it names. This knows a closed
list of types, keeps them apart, and says where in a value something stands that it does not know.

Each value is a byte for its type and what follows; what has parts says how many.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from sys import getsizeof
from typing import Any
from uuid import UUID

from proxy.cache.codec import Codec, CorruptEntry

_VERSION = b"\x01"
_DEEPEST = 100  # levels of values in values
_SIZED = 100_000  # objects that are looked at to say how large one is
_COUNT = struct.Struct(">I")
_FLOAT = struct.Struct(">d")


class NotStorable(TypeError):
    """A value holds something that cannot be written for others to read; the text says what and where."""


def encode(value: Any) -> bytes:
    """A value as bytes; equal values of equal types give equal bytes, in whatever order a dict or a set was filled.

    :raises NotStorable: when it holds what is of another type than those known here.
    """
    out: list[bytes] = []
    _write(value, out, "", 0)
    return b"".join(out)


def _write(value: Any, out: list[bytes], at: str, depth: int) -> None:
    kind = type(value)
    simple = _SIMPLE.get(kind)
    if simple is not None:
        code, text = simple
        data = text(value)
        out += code, _COUNT.pack(len(data)), data
    elif value is None or value is True or value is False:
        out.append({None: b"N", True: b"T", False: b"F"}[value])
    elif depth >= _DEEPEST:
        raise NotStorable(f"{at or 'the value'} is nested more than {_DEEPEST} levels deep")
    elif kind in (list, tuple):
        out += b"l" if kind is list else b"t", _COUNT.pack(len(value))
        for index, item in enumerate(value):
            _write(item, out, f"{at}[{index}]", depth + 1)
    elif kind is dict:
        out += b"d", _COUNT.pack(len(value))
        out += sorted(_pair(key, item, at, depth + 1) for key, item in value.items())
    elif kind in (set, frozenset):
        out += b"s" if kind is set else b"z", _COUNT.pack(len(value))
        out += sorted(_alone(item, f"{at}{{…}}", depth + 1) for item in value)
    else:
        raise NotStorable(f"{at or 'the value'} is a {kind.__module__}.{kind.__qualname__}, which cannot be stored")


def _alone(value: Any, at: str, depth: int) -> bytes:
    out: list[bytes] = []
    _write(value, out, at, depth)
    return b"".join(out)


def _pair(key: Any, value: Any, at: str, depth: int) -> bytes:
    return _alone(key, f"{at}, a key,", depth) + _alone(value, f"{at}[{key!r}]", depth)


def _moment(value: datetime) -> bytes:
    return (value.isoformat() + ("!" if value.fold else "")).encode()


def _read_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.removesuffix("!"))
    if moment.tzinfo is not None and not moment.utcoffset():
        moment = moment.replace(tzinfo=UTC)
    return moment.replace(fold=1) if text.endswith("!") else moment


def _span(value: timedelta) -> bytes:
    return f"{value.days} {value.seconds} {value.microseconds}".encode()


def _read_span(text: str) -> timedelta:
    days, seconds, microseconds = map(int, text.split(" "))
    return timedelta(days, seconds, microseconds)


def _whole(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 8) // 8, "big", signed=True)


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


# What has no parts: its code, and how it is written.
_SIMPLE: dict[type, tuple[bytes, Callable[[Any], bytes]]] = {
    str: (b"u", _text),
    bytes: (b"b", bytes),
    int: (b"i", _whole),
    float: (b"f", _FLOAT.pack),
    datetime: (b"m", _moment),
    date: (b"y", lambda value: value.isoformat().encode()),
    timedelta: (b"p", _span),
    Decimal: (b"c", lambda value: str(value).encode()),
    UUID: (b"g", lambda value: value.bytes),
}
_READ: dict[bytes, Callable[[bytes], Any]] = {
    b"u": lambda data: data.decode("utf-8", "surrogatepass"),
    b"b": bytes,
    b"i": lambda data: int.from_bytes(data, "big", signed=True),
    b"f": lambda data: _FLOAT.unpack(data)[0],
    b"m": lambda data: _read_moment(data.decode()),
    b"y": lambda data: date.fromisoformat(data.decode()),
    b"p": lambda data: _read_span(data.decode()),
    b"c": lambda data: Decimal(data.decode()),
    b"g": lambda data: UUID(bytes=data),
}
_PARTS: dict[bytes, Callable[[list[Any]], Any]] = {b"l": list, b"t": tuple, b"s": set, b"z": frozenset}
_PLAIN = {b"N": None, b"T": True, b"F": False}


class _Reader:
    """Reads one value after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, depth: int = 0) -> Any:
        """:raises CorruptEntry: when there is none. :raises ValueError: or another, when it is malformed."""
        code = self._take(1)
        if code in _PLAIN:
            return _PLAIN[code]
        (count,) = _COUNT.unpack(self._take(_COUNT.size))
        if code in _READ:
            return _READ[code](self._take(count))
        if depth >= _DEEPEST or count > len(self._data):
            raise CorruptEntry("it is nested too deep, or too long")
        if code == b"d":
            return {self.value(depth + 1): self.value(depth + 1) for _ in range(count)}
        if code not in _PARTS:
            raise CorruptEntry(f"there is no type {code!r}")
        return _PARTS[code]([self.value(depth + 1) for _ in range(count)])

    def _take(self, count: int) -> bytes:
        data = self._data[self.at : self.at + count]
        if len(data) < count:
            raise CorruptEntry("it is cut")
        self.at += count
        return data


class Values:
    """:see: `proxy.cache.Codec`: of plain Python values.

    None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset, datetime, date, timedelta, Decimal, UUID.
    """

    def size(self, value: Any) -> int:
        """What it and all that it holds takes; of something enormous, what its first 100,000 parts take."""
        seen: set[int] = set()
        waiting, total = [value], 0
        while waiting and len(seen) < _SIZED:
            one = waiting.pop()
            if id(one) in seen or one is None or isinstance(one, bool | type):
                continue
            seen.add(id(one))
            total += getsizeof(one)
            waiting += _held(one)
        return total

    def encode(self, value: Any) -> bytes:
        """:raises NotStorable: when it holds what is of another type."""
        return _VERSION + encode(value)

    def decode(self, data: bytes) -> Any:
        """:raises CorruptEntry: for what `encode` has not made."""
        if data[:1] != _VERSION:
            raise CorruptEntry("it is of another version")
        reader = _Reader(data[1:])
        try:
            value = reader.value()
        except (ValueError, TypeError, ArithmeticError, struct.error) as error:
            raise CorruptEntry(str(error)) from error
        if reader.at != len(data) - 1:
            raise CorruptEntry("something follows it")
        return value


def _held(value: Any) -> list[Any]:
    """What an object holds."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    own = getattr(value, "__dict__", None)
    return [own] if isinstance(own, dict) else []


VALUES: Codec[Any] = Values()  # for caches whose maker names no codec
