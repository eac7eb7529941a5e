"""A small answer that is kept back until it is whole, so that one that dies half-way can be asked for again.

The rule: the answer says its length (no chunks, no end by closing), that length is at most `retry.hold`, the request
could be sent again (an idempotent method, its body still here), and a further try is left. Everything else passes at
once. Most small answers arrive in one segment and are never held.
"""

from __future__ import annotations

from proxy.body import Body
from proxy.errors import ClientLeft, GatewayError
from proxy.exchange import Exchange
from proxy.headers import Headers
from proxy.message import Response


class Held:
    """Takes an answer's body in the place of a stream, and tells the exchange of the answer at its end."""

    __slots__ = ("_exchange", "_parts", "_response")

    def __init__(self, exchange: Exchange, response: Response) -> None:
        self._exchange = exchange
        self._response = response
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Bytes of content arrived."""
        self._parts.append(data)

    def finish(self, trailers: Headers | None = None) -> None:
        """The body is whole."""
        body = self._response.body = Body(b"".join(self._parts))
        body.trailers = trailers
        self._exchange.answered(self._response)

    def fail(self, error: GatewayError) -> None:
        """It will not become whole: as if there had been no answer, which the client has not seen a byte of."""
        if not isinstance(error, ClientLeft):
            self._exchange.failed(error)


def is_held(exchange: Exchange, size: int | None) -> bool:
    """Whether an answer of that length is kept back."""
    return size is not None and size <= exchange.hold and exchange.repeatable
