"""How an entry is written in a shared store: what is needed to trust it, and to keep it in memory once it is read.

    version (1 byte) | CRC-32 of all that follows (4) | digest of the key (8) | tags, each with its length | the value

The sum finds what was cut or altered. The digest finds an answer to another question, which a connection that has lost
its step may give. The tags let a copy in memory be purged by them. The version also tells of a soft purge: a step in
the store can mark an entry without reading it, since the sum does not cover that byte.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from hashlib import blake2b
from typing import NamedTuple
from zlib import crc32

from proxy.cache.codec import CorruptEntry

_VERSION = 1
SOFT = b"\x02"  # in the place of the version: the same, and outdated
_HEAD = struct.Struct(">BI")
_DIGEST = 8
_LENGTH = struct.Struct(">H")
_LONGEST_TAG = 0xFFFF


class Opened(NamedTuple):
    """What an envelope holds.

    :ivar soft: whether it was purged softly.
    """

    value: bytes
    tags: tuple[str, ...]
    soft: bool


def seal(key: bytes, value: bytes, tags: Collection[str] = ()) -> bytes:
    """An entry as it is stored. :raises ValueError: for a tag over 64 KiB, or more than 65,535 of them."""
    names = [tag.encode("utf-8", "surrogateescape") for tag in tags]
    if len(names) > _LONGEST_TAG or any(len(name) > _LONGEST_TAG for name in names):
        raise ValueError("too many tags, or too long a one")
    parts = [_digest(key), _LENGTH.pack(len(names))]
    for name in names:
        parts += _LENGTH.pack(len(name)), name
    rest = b"".join((*parts, value))
    return _HEAD.pack(_VERSION, crc32(rest)) + rest


def unseal(key: bytes, data: bytes) -> Opened:
    """An entry as it was stored. :raises CorruptEntry: when it is not one, or not that key's."""
    try:
        version, check = _HEAD.unpack_from(data)
        if version not in (_VERSION, SOFT[0]):
            raise CorruptEntry(f"version {version} is not known here")
        at = _HEAD.size
        if crc32(memoryview(data)[at:]) != check:
            raise CorruptEntry("the checksum is wrong")
        if data[at : at + _DIGEST] != _digest(key):
            raise CorruptEntry("it belongs to another key")
        return Opened(*_opened(data, at + _DIGEST), soft=version == SOFT[0])
    except struct.error as error:
        raise CorruptEntry("it is cut") from error


def _opened(data: bytes, at: int) -> tuple[bytes, tuple[str, ...]]:
    (count,) = _LENGTH.unpack_from(data, at)
    at += _LENGTH.size
    tags = []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        tags.append(data[at : at + length].decode("utf-8", "surrogateescape"))
        at += length
    return data[at:], tuple(tags)


def _digest(key: bytes) -> bytes:
    return blake2b(key, digest_size=_DIGEST).digest()
