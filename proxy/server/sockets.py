"""Listening sockets."""

from __future__ import annotations

import socket

_BACKLOG = 1024


class CannotBind(Exception):
    """An address to listen on is taken, not ours, or not to be resolved.

    :ivar index: which of several listeners it is for.
    """

    def __init__(self, reason: str, index: int = 0) -> None:
        super().__init__(reason)
        self.index = index


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets for every address that a host name stands for, bound and not listening yet.

    :param host: an address or a name; empty for all addresses.
    :param port: 0 lets the system choose.
    :raises CannotBind: with the reason in words.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotBind(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    bound: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setblocking(False)
            sock.bind(address)
        except OSError as error:
            sock.close()
            for other in bound:
                other.close()
            raise CannotBind(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        bound.append(sock)
    return bound


def url_of(host: str, sock: socket.socket, scheme: str = "http") -> str:
    """The URL of a bound socket, with the host as it was written and the port that was really bound."""
    port = sock.getsockname()[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
