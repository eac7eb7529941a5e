"""What the gateway must know of its own certificates: for which hosts they are, and how long.

The standard library tells this only of certificates that a peer has shown. So the few fields are read here from the
DER encoding (RFC 5280 section 4.1), which takes less than one more dependency.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeAlias

Items: TypeAlias = list[tuple[int, bytes]]  # tags and contents

_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")  # 2.5.29.17
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87  # RFC 5280 section 4.2.1.6


class Facts:
    """Of one certificate.

    :ivar names: the DNS names of its subjectAltName, lower case; also such as `*.example.com`.
    :ivar addresses: its IP addresses, as Python writes them.
    :ivar begins: from when it is valid, seconds since the epoch.
    :ivar ends: until when.
    """

    __slots__ = ("addresses", "begins", "ends", "names")

    def __init__(self, der: bytes) -> None:
        """:raises ValueError: when it is no certificate."""
        try:
            fields = _tbs_fields(der)
            self.begins, self.ends = map(_time, _children(fields[3][1])[:2])
            entries = [entry for tag, content in fields if tag == _EXTENSIONS for entry in _alternatives(content)]
        except IndexError:
            raise ValueError("no certificate") from None
        self.names = tuple(content.decode("ascii").lower() for tag, content in entries if tag == _DNS_NAME)
        self.addresses = tuple(str(ipaddress.ip_address(content)) for tag, content in entries if tag == _IP_ADDRESS)

    def doubt(self, now: float) -> str:
        """What is wrong with its time, or `""`; `now` is seconds since the epoch."""
        if now >= self.ends:
            return f"has expired on {_date(self.ends)}"
        return f"is not valid before {_date(self.begins)}" if now < self.begins else ""


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _tbs_fields(der: bytes) -> Items:
    """The fields of the part that is signed, from the serial number on."""
    ((_, certificate),) = _children(der)
    fields = _children(_children(certificate)[0][1])
    return fields[1:] if fields[0][0] == _VERSION else fields


def _alternatives(extensions: bytes) -> Iterator[tuple[int, bytes]]:
    for _, extension in _children(_children(extensions)[0][1]):
        parts = _children(extension)
        if parts[0][1] == _SUBJECT_ALT_NAME:
            yield from _children(_children(parts[-1][1])[0][1])


def _time(field: tuple[int, bytes]) -> float:
    """RFC 5280 section 4.1.2.5: years of two digits are those from 1950 to 2049."""
    tag, content = field
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _children(data: bytes) -> Items:
    """The elements that stand one after the other; tags of one byte, lengths of definite form (X.690 section 8.1)."""
    found: Items = []
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= 0x80:
            size = length - 0x80
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("cut off")
        found.append((tag, data[at : at + length]))
        at += length
    return found
