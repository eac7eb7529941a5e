"""Headers of the PROXY protocol, written as the specification has them and apart from the code that reads them."""

from __future__ import annotations

import ipaddress
import struct

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"


def v2(kind: int, addresses: bytes, tlvs: bytes = b"", *, first: int = 0x21, length: int | None = None) -> bytes:
    """A header of version 2; `first` is the byte of version and command."""
    said = len(addresses + tlvs) if length is None else length
    return SIGNATURE + struct.pack("!BBH", first, kind, said) + addresses + tlvs


def ends(source: str, port: int = 56324, to: str = "", to_port: int = 443) -> bytes:
    """The addresses of two TCP sockets."""
    hosts = (ipaddress.ip_address(source), ipaddress.ip_address(to or source))
    return b"".join(host.packed for host in hosts) + struct.pack("!HH", port, to_port)


TLVS = struct.pack("!BH4s", 0x04, 4, b"noop") + struct.pack("!BH5s", 0x02, 5, b"a.exa") + struct.pack("!BH", 0xE0, 0)
EACH = (V1, v2(0x11, ends("192.0.2.1")), v2(0x21, ends("2001:db8::1"), TLVS))
