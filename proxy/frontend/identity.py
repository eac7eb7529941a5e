"""Who the client is, and what the upstream is told of it.

X-Forwarded-* from strangers never counts. From a trusted proxy the list is walked from the right, and the first
address that is not itself trusted is the client (the others could have been written by anybody). Where the settings
say so the same is done with Forwarded (RFC 7239), which then counts before X-Forwarded-*.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias

from proxy.errors import Misdirected
from proxy.frontend import forwarded
from proxy.frontend.addresses import parse_address
from proxy.headers import Headers
from proxy.peer import Peer

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class Covering(Protocol):
    """The hosts of a certificate."""

    def covers(self, authority: str) -> bool: ...


class Trust:
    """The proxies whose word is believed.

    :param networks: their addresses; empty: nobody.
    :ivar forwarded: whether Forwarded (RFC 7239) is read from them, and written.
    """

    __slots__ = ("_networks", "forwarded")

    def __init__(self, networks: Sequence[Network], *, forwarded: bool = False) -> None:
        self._networks = tuple(networks)
        self.forwarded = forwarded

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return False
        parsed = parse_address(address)
        return parsed is not None and any(
            parsed.version == network.version and parsed in network for network in self._networks
        )

    def walk(self, chain: Sequence[str]) -> tuple[str, int]:
        """The client in a list of addresses: the rightmost that is not trusted, or the leftmost when all are.

        :param chain: X-Forwarded-For as a list, leftmost first.
        :returns: the address and its place; `""` when the last entry is no address. An entry that is none ends the
            walk: whoever stands right of it did not tell whom it speaks for.
        """
        found, place = "", len(chain)
        for index in range(len(chain) - 1, -1, -1):
            parsed = parse_address(chain[index])
            if parsed is None:
                break
            found, place = str(parsed), index
            if found not in self:
                break
        return found, place


class Identity:
    """One connection's ends, and the fields that tell of them.

    :param address: the socket's peer, `""` for a Unix socket.
    :param scheme: `http` or `https`, as the client speaks to us.
    :param local_port: the port it came in by.
    :ivar hosts: those that the connection may be asked for; None for any.
    """

    __slots__ = ("_constant_pairs", "_constant_wire", "_element", "_scheme", "hosts", "peer", "trust")

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
        self._element = f"for={forwarded.node(address)};proto={scheme}" if trust.forwarded else ""
        self._constant_wire = [(name.encode(), value.encode("latin-1")) for name, value in self._constant_pairs]

    def check_host(self, host: str) -> None:
        """Refuse what the connection was not opened for (RFC 9110 section 7.4).

        :param host: what the client sent as Host; may be empty in HTTP/1.0.
        :raises Misdirected: when the certificate that the client's server name chose is not for it.
        """
        if host and self.hosts is not None and not self.hosts.covers(host):
            raise Misdirected("the connection was opened for another host (RFC 9110 section 15.5.20)")

    def stamp(
        self, headers: Headers, host: str, received: dict[str, list[str]] | None, also: list[tuple[bytes, bytes]]
    ) -> Peer:
        """Write the forwarding fields into a request.

        :param host: what the client sent as Host.
        :param received: the client's own forwarding fields; they count only from a trusted peer.
        :param also: what else is told, behind them.
        :returns: who the client is.
        """
        if received is not None and self.peer.trusted:
            peer = self._stamp_trusted(headers, host, received)
            headers.more(also)
            return peer
        if self._element:
            headers.push("Forwarded", "forwarded", self._own_element(host))
        told = self._constant_wire
        headers.more([*told, (b"X-Forwarded-Host", host.encode("latin-1")), *also] if host else [*told, *also])
        return self.peer

    def _own_element(self, host: str) -> str:
        return f"{self._element};host={forwarded.text(host)}" if host else self._element

    def _stamp_trusted(self, headers: Headers, host: str, received: dict[str, list[str]]) -> Peer:
        told = dict(self._constant_pairs)
        if host:
            told["X-Forwarded-Host"] = host
        if self._element and "forwarded" in received:
            chain, client, heard = self._hear_forwarded(received["forwarded"])
        else:
            chain, client, heard = self._hear_fields(received)
        told |= {name: value for name, value in heard.items() if value}
        address = self.peer.address
        told["X-Forwarded-For"] = ", ".join([*chain, address])
        told["X-Real-IP"] = client = client or address
        if self._element:
            told["Forwarded"] = self._appended(forwarded.split(received.get("forwarded", ())) or map(_for, chain), host)
        for name, value in told.items():
            headers.push(name, name.lower(), value)
        self._pass_on(headers, received)
        return Peer(client, address=address, trusted=True, certificate=self.peer.certificate)

    def _hear_fields(self, received: dict[str, list[str]]) -> tuple[list[str], str, dict[str, str]]:
        """The chain of proxies, the client or `""`, and what else is told, of X-Forwarded-* and X-Real-IP."""
        chain = [entry.strip(" \t") for value in received.get("x-forwarded-for", ()) for entry in value.split(",")]
        chain = [entry for entry in chain if entry]
        real = received.get("x-real-ip", ())
        if not chain and len(real) == 1 and parse_address(real[0]) is not None:
            chain = [real[0]]
        names = ("X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port")
        heard = {name: (received.get(name.lower()) or [""])[-1] for name in names}
        return chain, self.trust.walk(chain)[0], heard

    def _hear_forwarded(self, values: list[str]) -> tuple[list[str], str, dict[str, str]]:
        """The same of Forwarded; what else is told is what the client's own proxy said of it."""
        elements = [forwarded.read(element) for element in forwarded.split(values)]
        chain = [str(parse_address(said.get("for", "")) or "unknown") for said in elements]
        client, place = self.trust.walk(chain)
        said = elements[place] if client else {}
        return chain, client, {"X-Forwarded-Proto": forwarded.proto(said), "X-Forwarded-Host": forwarded.host(said)}

    def _appended(self, elements: Iterable[str], host: str) -> str:
        return ", ".join([*elements, self._own_element(host)])

    def _pass_on(self, headers: Headers, received: dict[str, list[str]]) -> None:
        if not self._element:
            for value in received.get("forwarded", ()):
                headers.push("Forwarded", "forwarded", value)
        for value in received.get("x-forwarded-prefix", ()):
            headers.push("X-Forwarded-Prefix", "x-forwarded-prefix", value)


def _for(address: str) -> str:
    return f"for={forwarded.node(address)}"
