"""Which addresses a webhook may be delivered to.

The table is our own. The standard library's `is_global` lets several of these pass, and it changes between versions;
what must not be reached from a URL that somebody typed should not.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

# Reached by nobody's webhook, whatever is configured: this network, link-local with the clouds' metadata, multicast,
# reserved, documentation, benchmarks, relays.
_NEVER_4 = tuple(
    IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
_NEVER_6 = tuple(
    IPv6Network(text)
    for text in (
        *("100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fd00:ec2::254/128"),
        *("fe80::/10", "fec0::/10", "ff00::/8"),
    )
)
_PRIVATE_4 = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_PRIVATE_6 = tuple(IPv6Network(text) for text in ("64:ff9b:1::/48", "fc00::/7"))
_LOOPBACK_6 = IPv6Address("::1")

# Where an IPv4 address stands in an IPv6 one, and by how many bits from the right.
_EMBEDDED = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
_COMPATIBLE = IPv6Network("::/96")


def admits(text: str, *, private: bool) -> bool:
    """Whether an address may be connected to.

    :param text: as the system writes it; a zone behind `%` says nothing.
    :param private: whether private networks and the loopback may be.
    """
    address = _read(text)
    if isinstance(address, IPv6Address):
        return _admits_6(address, private=private)
    return address is not None and _admits_4(address, private=private)


def is_address(text: str) -> bool:
    """Whether it is an address, and no name."""
    return _read(text) is not None


def _read(text: str) -> Address | None:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def is_loopback(text: str) -> bool:
    """Whether an address is this machine's own."""
    address = _read(text)
    if address is None:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _admits_4(address: IPv4Address, *, private: bool) -> bool:
    if any(address in network for network in _NEVER_4):
        return False
    return private or not any(address in network for network in _PRIVATE_4)


def _admits_6(address: IPv6Address, *, private: bool) -> bool:
    if address == _LOOPBACK_6:
        return private
    for network, shift in _EMBEDDED:
        if address in network:
            return _admits_4(IPv4Address(int(address) >> shift & 0xFFFFFFFF), private=private)
    if address in _COMPATIBLE or any(address in network for network in _NEVER_6):
        return False
    return private or not any(address in network for network in _PRIVATE_6)
