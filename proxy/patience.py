"""How long an upstream may take: plain figures, made before the first request and shared by all of them."""

from __future__ import annotations


class Patience:
    """How long an upstream may take, in seconds; each ends in a 504.

    :ivar total: from the request's head to the answer's last byte, over all tries; 0.0 without a limit.
    :ivar connect: until the connection stands, TLS included.
    :ivar first_byte: from the request's last byte to the answer's first.
    :ivar between_bytes: the longest pause inside the answer, and between two bytes of an upload that it takes.
    :ivar tunnel_idle: the longest pause of a tunnel, both directions taken together; it ends in a close.
    """

    __slots__ = ("between_bytes", "connect", "first_byte", "total", "tunnel_idle")

    def __init__(
        self,
        connect: float = 5.0,
        first_byte: float = 60.0,
        between_bytes: float = 60.0,
        total: float = 0.0,
        tunnel_idle: float = 3600.0,
    ) -> None:
        self.connect = connect
        self.first_byte = first_byte
        self.between_bytes = between_bytes
        self.total = total
        self.tunnel_idle = tunnel_idle


DEFAULT_PATIENCE = Patience()
