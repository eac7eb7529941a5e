"""The header of the PROXY protocol, versions 1 and 2: who a load balancer speaks for. Sans-I/O.

Follows "The PROXY protocol" by HAProxy's authors (2020/03/05), section 2. A header is taken as it is sent by the book:
anything else ends the connection, since whatever comes first would otherwise be taken for a request.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

LONGEST: Final = 4096  # bytes of a whole header, with its TLVs; version 2 could say 65,551

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_FIXED = 16  # bytes of version 2 before its addresses
_LINE = 107  # the longest of version 1, with CR and LF
_PORT = re.compile(r"0|[1-9][0-9]{0,4}")
_LOCAL, _PROXY = 0, 1
_TCP4, _TCP6 = 0x11, 0x21
# by address family and transport: how many bytes the addresses take
_SIZES = {0x00: 0, _TCP4: 12, 0x12: 12, _TCP6: 36, 0x22: 36, 0x31: 216, 0x32: 216}


class ProxyHeaderError(ValueError):
    """What came is no header."""


class Told(NamedTuple):
    """Whom the sender speaks for.

    :ivar host: the client's address; IPv4 also where it was written within IPv6.
    :ivar port: its port.
    :ivar local_port: the port that it connected to.
    """

    host: str
    port: int
    local_port: int


class ProxyHeader:
    """Reads one header, and not a byte beyond it.

    :ivar done: whether it is whole.
    :ivar told: whom the sender speaks for; None when for itself (LOCAL, UNKNOWN), or for no TCP client.
    """

    __slots__ = ("_held", "done", "told")

    def __init__(self) -> None:
        self._held = b""
        self.done = False
        self.told: Told | None = None

    def feed(self, data: bytes) -> int:
        """Take what came next.

        :returns: how many bytes of `data` belong to the header: all of them until it is whole.
        :raises ProxyHeaderError: as soon as it can be no header.
        """
        before = len(self._held)
        self._held += data
        size = self._size()
        if size is None:
            return len(data)
        self.done = True
        return size - before

    def _size(self) -> int | None:
        """The size of the whole header, which was read; None while there is more to come."""
        held = self._held
        if held[:1] == b"P":
            return self._version_1(held)
        if not held.startswith(_SIGNATURE[: len(held)]):
            raise ProxyHeaderError("no PROXY header")
        return self._version_2(held) if len(held) >= _FIXED else None

    def _version_1(self, held: bytes) -> int | None:
        if not held.startswith(b"PROXY "[: len(held)]):
            raise ProxyHeaderError("no PROXY header")
        end = held.find(b"\n", 0, _LINE)
        if end < 0:
            if len(held) >= _LINE:
                raise ProxyHeaderError("the line is too long")
            return None
        if held[end - 1 : end] != b"\r":
            raise ProxyHeaderError("the line ends in LF without CR")
        self.told = _line(held[: end - 1])
        return end + 1

    def _version_2(self, held: bytes) -> int | None:
        version, command = divmod(held[12], 16)
        kind, length = held[13], int.from_bytes(held[14:16], "big")
        if version != 2 or command not in (_LOCAL, _PROXY):
            raise ProxyHeaderError("an unknown version or command")
        if _FIXED + length > LONGEST:
            raise ProxyHeaderError("the header is too long")
        if command == _PROXY and length < _SIZES.get(kind, length + 1):
            raise ProxyHeaderError("an unknown address family, or addresses that are cut")
        if len(held) < _FIXED + length:
            return None
        if command == _PROXY and kind in (_TCP4, _TCP6):
            self.told = _addresses(held[_FIXED : _FIXED + _SIZES[kind]])
        return _FIXED + length


def _line(line: bytes) -> Told | None:
    """The line of version 1, without its end."""
    parts = line.decode("latin-1").split(" ")
    if parts[1] == "UNKNOWN":
        return None
    if len(parts) != 6 or parts[1] not in ("TCP4", "TCP6"):
        raise ProxyHeaderError("the line has other parts")
    kind = ipaddress.IPv4Address if parts[1] == "TCP4" else ipaddress.IPv6Address
    try:
        source, _ = kind(parts[2]), kind(parts[3])
    except ValueError:
        raise ProxyHeaderError("no addresses of that family") from None
    if "%" in parts[2] or not all(_PORT.fullmatch(port) and int(port) <= 65535 for port in parts[4:]):
        raise ProxyHeaderError("no ports, or an address with a zone")
    return Told(_shown(source), int(parts[4]), int(parts[5]))


def _addresses(data: bytes) -> Told:
    """The addresses of version 2: both hosts, both ports."""
    size = (len(data) - 4) // 2
    source = ipaddress.ip_address(data[:size])
    return Told(_shown(source), int.from_bytes(data[-4:-2], "big"), int.from_bytes(data[-2:], "big"))


def _shown(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
