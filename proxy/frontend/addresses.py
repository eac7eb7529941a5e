"""Addresses as proxies write them."""

from __future__ import annotations

import ipaddress
import re
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_BRACKETS = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?")
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")


def parse_address(text: str) -> Address | None:
    """An address, also in brackets and also with a port, as X-Forwarded-For has them; None for anything else.

    IPv4 within IPv6 is IPv4, and the zone of a link-local address is left out.
    """
    text = text.strip(" \t")
    match = _BRACKETS.fullmatch(text) or _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address((match[1] if match else text).partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
