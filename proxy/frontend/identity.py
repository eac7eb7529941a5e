"""Who the client is, and what the upstream is told of it.

X-Forwarded-* from strangers never counts. From a trusted proxy the list is walked from the right, and the first
address that is not itself trusted is the client (the others could have been written by anybody).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Protocol, TypeAlias

from proxy.errors import Misdirected
from proxy.headers import Headers
from proxy.peer import Peer

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class Covering(Protocol):
    """The hosts of a certificate."""

    def covers(self, authority: str) -> bool: ...


class Trust:
    """The proxies whose word is believed.

    :param networks: their addresses; empty: nobody.
    """

    __slots__ = ("_networks",)

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return False
        parsed = _parse(address)
        return parsed is not None and any(
            parsed.version == network.version and parsed in network for network in self._networks
        )

    def client(self, chain: Sequence[str], peer: str) -> str:
        """The client's address: the rightmost in `chain` that is not trusted, or the leftmost when all are.

        :param chain: X-Forwarded-For as a list, leftmost first.
        :param peer: the address of the socket, which is trusted.
        :returns: an address; `peer` when the list is empty or its next entry is no address.
        """
        found = peer
        for entry in reversed(chain):
            parsed = _parse(entry)
            if parsed is None:
                return found
            found = str(parsed)
            if found not in self:
                return found
        return found


def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as X-Forwarded-For writes it: also in brackets, also with a port."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


class Identity:
    """One connection's ends, and the fields that tell of them.

    :param address: the socket's peer, `""` for a Unix socket.
    :param scheme: `http` or `https`, as the client speaks to us.
    :param local_port: the port it came in by.
    :ivar hosts: those that the connection may be asked for; None for any.
    """

    __slots__ = ("_constant_pairs", "_constant_wire", "_scheme", "hosts", "peer", "trust")

    def __init__(self, trust: Trust, address: str, port: int, scheme: str, local_port: int) -> None:
        self.trust = trust
        self.hosts: Covering | None = None
        self.peer = Peer(address or "unix", port, trusted=address in trust)
        self._scheme = scheme
        told = [
            ("X-Forwarded-For", address),
            ("X-Real-IP", address),
            ("X-Forwarded-Proto", scheme),
            ("X-Forwarded-Port", str(local_port)),
        ]
        self._constant_pairs = [pair for pair in told if pair[1]]
        self._constant_wire = [(name.encode(), value.encode("latin-1")) for name, value in self._constant_pairs]

    def check_host(self, host: str) -> None:
        """Refuse what the connection was not opened for (RFC 9110 section 7.4).

        :param host: what the client sent as Host; may be empty in HTTP/1.0.
        :raises Misdirected: when the certificate that the client's server name chose is not for it.
        """
        if host and self.hosts is not None and not self.hosts.covers(host):
            raise Misdirected("the connection was opened for another host (RFC 9110 section 15.5.20)")

    def stamp(self, headers: Headers, host: str, received: dict[str, list[str]] | None) -> Peer:
        """Write the forwarding fields into a request.

        :param host: what the client sent as Host.
        :param received: the client's own forwarding fields; they count only from a trusted peer.
        :returns: who the client is.
        """
        if received is not None and self.peer.trusted:
            return self._stamp_trusted(headers, host, received)
        if headers.wire is not None:
            headers.wire += self._constant_wire
            if host:
                headers.wire.append((b"X-Forwarded-Host", host.encode("latin-1")))
            return self.peer
        for name, value in self._constant_pairs:
            headers.push(name, name.lower(), value)
        if host:
            headers.push("X-Forwarded-Host", "x-forwarded-host", host)
        return self.peer

    def _stamp_trusted(self, headers: Headers, host: str, received: dict[str, list[str]]) -> Peer:
        chain = [entry.strip() for value in received.get("x-forwarded-for", ()) for entry in value.split(",")]
        chain = [entry for entry in chain if entry]
        client = self.trust.client(chain, self.peer.address)
        told = {
            "X-Forwarded-For": ", ".join([*chain, self.peer.address]),
            "X-Real-IP": client,
            "X-Forwarded-Proto": self._scheme,
            "X-Forwarded-Host": host,
        }
        told |= {name: value for name, value in self._constant_pairs if name not in told}
        for name, value in told.items():
            key = name.lower()
            own = key in ("x-forwarded-for", "x-real-ip")
            value = value if own else (received.get(key) or [value])[-1]
            if value:
                headers.push(name, key, value)
        for key in ("forwarded", "x-forwarded-prefix"):
            for value in received.get(key, ()):
                headers.push("Forwarded" if key == "forwarded" else "X-Forwarded-Prefix", key, value)
        return Peer(client, address=self.peer.address, trusted=True, certificate=self.peer.certificate)
