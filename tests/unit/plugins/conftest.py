"""A gateway without sockets: the real engine between a client and an origin that both live in memory."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from aiohttp import ClientSession

from proxy.cache import Caches
from proxy.chain import Chain, Link
from proxy.clock import ManualClock
from proxy.engine import Engine
from proxy.errors import GatewayError
from proxy.events import EventBus
from proxy.exchange import Endpoint, Exchange
from proxy.message import Headers, Request, Response
from proxy.metrics import Metrics
from proxy.peer import Peer
from proxy.plan import Plan, Snapshot
from proxy.plugin import AdminHandler, Plugin, Services
from proxy.routing.route import Match, Route
from proxy.routing.router import Router
from proxy.upstream.client import Client

ENDPOINT = Endpoint("http://127.0.0.1:9001", "http", "127.0.0.1", 9001)


class Origin:
    """An upstream with one endpoint.

    :ivar answer: what it gives: a Response, or an error that befalls the attempt.
    :ivar seen: the request of the last try, as it was when it was sent.
    """

    name = "app"

    def __init__(self, clock: ManualClock) -> None:
        self.answer: Callable[[], Response | GatewayError] = lambda: Response.text(200, "fine", {"Server": "origin"})
        self.seen: Request | None = None
        self.takes = 0.0  # seconds until it answers
        self._clock = clock

    def pick(self, exchange: Exchange) -> Endpoint:
        return ENDPOINT

    def send(self, exchange: Exchange, endpoint: Endpoint) -> None:
        self.seen = exchange.request.copy()
        self._clock.advance(self.takes)
        answer = self.answer()
        if isinstance(answer, Response):
            exchange.answered(answer)
        else:
            exchange.failed(answer)

    def answered(self, exchange: Exchange, response: Response) -> None:
        """It keeps no count."""

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        """It keeps no count."""

    def retry_in(self, exchange: Exchange, cause: GatewayError | int) -> float | None:
        return None

    def pause(self, exchange: Exchange, seconds: float) -> None:
        """There is no further try."""


class Caller:
    """A client that takes its answer whole.

    :ivar leaves: whether it goes away while the answer is on its way.
    """

    def __init__(self, leaves: bool = False) -> None:
        self.leaves = leaves

    def informed(self, exchange: Exchange, response: Response) -> None:
        """No plugin here sends interim answers."""

    def deliver(self, exchange: Exchange) -> None:
        if self.leaves:
            exchange.left()
            return
        assert exchange.response is not None
        exchange.bytes_out = exchange.response.body.size or 0
        exchange.delivered()


class NoAdmin:
    """Plugins here add no admin routes: one that does fails its test."""

    def route(self, method: str, path: str, handler: AdminHandler, summary: str = "", *, takes: Any = None) -> None:
        raise AssertionError(f"{method} {path} was not expected")


class Gateway:
    """Sends requests through a chain.

    :ivar services: what a plugin's `start` is given.
    :ivar last: the exchange of the last `send`, complete.
    """

    def __init__(self, services: Services, clock: ManualClock) -> None:
        self.clock = clock
        self.services = services
        self.events = services.events
        self.origin = Origin(clock)
        self.last: Exchange

    async def send(
        self,
        *plugins: Plugin[Any],
        method: str = "GET",
        target: str = "/",
        host: str = "example.com",
        headers: dict[str, str] | None = None,
        peer: Peer | None = None,
        received_id: str = "",
        leaves: bool = False,
        upstream: bool = True,
    ) -> Response:
        """The answer to one request; X-Request-ID is handled as the front end does."""
        engine = self._engine(plugins, self.origin if upstream else None)
        request = Request(method, target, host=host, headers=Headers(headers or {}))
        peer = peer or Peer("192.0.2.7", 40000)
        exchange = Exchange(engine.new_id(), request, peer, Caller(leaves), self.clock.monotonic())
        exchange.received_id = received_id
        if received_id and peer.trusted:
            exchange.id = received_id
        request.headers.push("X-Request-ID", "x-request-id", exchange.id)
        self.last = exchange
        engine.begin(exchange)
        while exchange.task is not None:
            await exchange.task
        assert exchange.response is not None
        return exchange.response

    @property
    def forwarded(self) -> Request:
        """The request as the origin saw it last."""
        assert self.origin.seen is not None
        return self.origin.seen

    def _engine(self, plugins: tuple[Plugin[Any], ...], upstream: Origin | None) -> Engine:
        links = [Link(f"p{index}", type(plugin).__name__, plugin) for index, plugin in enumerate(plugins)]
        chain = Chain(links)
        plan = Plan("site", chain, upstream)
        router = Router([Route("site", Match(), plan)])
        snapshot = Snapshot(router, Plan("", chain, None), {}, [plan], "test")
        return Engine(
            snapshot,
            events=self.events,
            clock=self.clock,
            metrics=self.services.metrics,
            spawn=asyncio.ensure_future,
            randomness=random.Random(7),
        )


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    clock = ManualClock()
    async with ClientSession() as session:
        services = Services(
            events=EventBus(clock),
            clock=clock,
            random=random.Random(1),
            log=logging.getLogger("passerelle.plugins.test"),
            http=Client(session),
            metrics=Metrics(),
            admin=NoAdmin(),
            cache=partial(Caches(clock, asyncio.ensure_future).lend, "test"),
            spawn=asyncio.create_task,
        )
        yield Gateway(services, clock)
