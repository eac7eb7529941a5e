"""Clients' ends that are no connection: a plugin that fetches, and nobody at all."""

from __future__ import annotations

import asyncio

from proxy import flow
from proxy.errors import ClientLeft, GatewayError
from proxy.exchange import Exchange
from proxy.flow import Spawn
from proxy.headers import Headers
from proxy.message import Response


class FetchPort:
    """The client's end of an exchange that a plugin fetched.

    :ivar future: gets the answer.
    """

    __slots__ = ("future",)

    future: asyncio.Future[Response]

    def informed(self, exchange: Exchange, response: Response) -> None:
        """Interim answers are for clients; a plugin waits for the final one."""

    def deliver(self, exchange: Exchange) -> None:
        """Hand the answer over; the exchange is over when its body is."""
        response = exchange.response
        if response is None or self.future.done():
            exchange.delivered(ClientLeft("the plugin that fetched has gone"))
            return
        self.future.set_result(response)
        (response.body if response.tunnel is None else response.tunnel).on_end(exchange.delivered)


def keep(child: Exchange) -> None:
    """Note an exchange that a hook fetched while its own waits for it; one fetched by another task may outlive it."""
    parent = child.parent
    if parent is not None and parent.task is not None and parent.task is asyncio.current_task():
        parent.fetched = [*(parent.fetched or ()), child]


def let_go(fetched: list[Exchange]) -> None:
    """The exchange for which these were fetched is over: an answer that nobody has begun to read gives its connection
    back. Whoever reads one goes on."""
    for child in fetched:
        response = child.response
        if response is not None and getattr(response.body, "spliceable", False):
            response.close()


class Drain:
    """The client's end of a detached exchange whose client left before its answer: takes the body to its end."""

    __slots__ = ("_exchange", "_spawn", "full")

    def __init__(self, exchange: Exchange, spawn: Spawn) -> None:
        self._exchange = exchange
        self._spawn = spawn
        self.full = False

    def informed(self, exchange: Exchange, response: Response) -> None:
        """Nobody is there to be told."""

    def deliver(self, exchange: Exchange) -> None:
        """Take the answer."""
        response = exchange.response
        if response is not None and response.tunnel is not None:
            response.tunnel.close()  # a tunnel to nobody
            exchange.delivered()
        elif response is not None:
            flow.send(response.body, self, self._spawn)

    async def drained(self) -> None:
        """There is always room."""

    def body_data(self, data: bytes) -> None:
        """:see: `proxy.stream.Sink`."""

    def body_end(self, trailers: Headers | None) -> None:
        """:see: `proxy.stream.Sink`."""
        self._exchange.delivered()

    def body_failed(self, error: GatewayError) -> None:
        """:see: `proxy.stream.Sink`."""
        self._exchange.delivered(error)
