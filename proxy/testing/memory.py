"""The real engine between a client and an upstream that live in memory: no socket, hardly any time."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from proxy.cache import Caches
from proxy.chain import Chain, Link
from proxy.clock import ManualClock
from proxy.engine import Engine
from proxy.errors import GatewayError
from proxy.events import Event, EventBus
from proxy.exchange import Exchange, Key
from proxy.message import Request
from proxy.metrics import Metrics
from proxy.peer import Peer
from proxy.plan import Plan, Snapshot
from proxy.plugin import Plugin, PluginConfig, Services
from proxy.routing import Match, Route, Router
from proxy.tasks import Tasks
from proxy.testing.client import PATIENCE, Reply
from proxy.testing.ends import Answer, Caller, Leaves, MemoryUpstream
from proxy.testing.services import AdminTable, ScriptedHttp

PEER = Peer("192.0.2.7", 40000)

_OVER: Key[asyncio.Future[None]] = Key("testing.over")


@dataclass
class Driven:
    """What became of one request.

    :ivar reply: what the client got; None when it left before.
    :ivar cut: what befell the answer's body, if anything.
    :ivar exchange: the exchange, over.
    :ivar tries: the requests that the upstream got, their bodies read.
    :ivar events: what was published meanwhile.
    :ivar tasks: how many tasks the engine needed: none, when no hook and no body waited.
    """

    reply: Reply | None
    cut: GatewayError | None
    exchange: Exchange
    tries: list[Request]
    events: list[Event]
    tasks: int

    @property
    def response(self) -> Reply:
        """The answer. :raises AssertionError: when there was none."""
        if self.reply is None:
            raise AssertionError("the client got no answer")
        return self.reply

    @property
    def forwarded(self) -> Request | None:
        """The request as the upstream got it last, or None."""
        return self.tries[-1] if self.tries else None


class _Watcher(Plugin[PluginConfig]):
    """Stands outermost and so is the last to be told that an exchange is over."""

    def on_complete(self, exchange: Exchange) -> None:
        over = exchange.get(_OVER)
        if over is not None and not over.done():
            over.set_result(None)


class Bench:
    """Plugins that are started, and an upstream in memory behind them.

    :ivar upstream: set what it answers.
    :ivar services: what the plugins' `start` was given.
    :ivar events: everything that was published, oldest first.
    :ivar clock: the manual clock of all this.
    :ivar caches: those that plugins were lent.
    """

    def __init__(self, plugins: tuple[Plugin[Any], ...]) -> None:
        self.clock = ManualClock()
        self.metrics = Metrics()
        self.http = ScriptedHttp()
        self.admin = AdminTable()
        self.bus = EventBus(self.clock)
        self.events: list[Event] = []
        self.bus.subscribe("*", self.events.append)
        self.tasks = 0
        self._background = Tasks()
        self.caches = Caches(self.clock, self._background.begin)
        self.upstream = MemoryUpstream(self._background.begin)
        self.plugins = plugins
        self.engine = Engine(
            _snapshot(plugins, self.upstream),
            events=self.bus,
            clock=self.clock,
            metrics=self.metrics,
            spawn=self._spawn,
            randomness=random.Random(7),
        )

    def services(self, name: str = "test") -> Services:
        """What a plugin is lent; a fresh, seeded source of randomness each time."""
        return Services(
            events=self.bus,
            clock=self.clock,
            random=random.Random(1),
            log=logging.getLogger(f"passerelle.plugin.{name}"),
            http=self.http,
            metrics=self.metrics,
            admin=self.admin,
            cache=partial(self.caches.lend, name),
            spawn=self._background.begin,
        )

    async def send(
        self,
        request: Request | str,
        *,
        peer: Peer = PEER,
        received_id: str = "",
        leaves: Leaves = "",
    ) -> Driven:
        """Send one request and wait until its exchange is over.

        :param request: a Request, or method and target such as `"GET /path"`.
        :param leaves: when the client goes away: before the upstream has answered, or while the answer is written.
        :raises TimeoutError: when the exchange does not end.
        """
        request = _request(request)
        caller = Caller(leaves, self._spawn)
        exchange = Exchange(self.engine.new_id(), request, peer, caller, self.clock.monotonic())
        exchange.received_id = received_id
        request.headers["X-Request-ID"] = exchange.id
        exchange[_OVER] = over = asyncio.get_running_loop().create_future()
        self.upstream.silent = leaves == "before"
        seen, told, tasks = len(self.upstream.tries), len(self.events), self.tasks
        self.engine.begin(exchange)
        async with asyncio.timeout(PATIENCE):
            await over
        tries, events = self.upstream.tries[seen:], self.events[told:]
        return Driven(caller.reply, caller.cut, exchange, tries, events, self.tasks - tasks)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self.tasks += 1
        return self._background.begin(work)

    async def _close(self) -> None:
        for plugin in reversed(self.plugins):
            await plugin.stop()
        await self._background.cancel()


def _request(said: Request | str) -> Request:
    if isinstance(said, Request):
        return said
    method, _, target = said.partition(" ")
    return Request(method, target or "/", host="test")


def _snapshot(plugins: tuple[Plugin[Any], ...], upstream: MemoryUpstream) -> Snapshot:
    links = [Link("testing", "testing", _Watcher(PluginConfig()))]
    for plugin in plugins:
        name = type(plugin).__name__.lower()
        alike = sum(1 for link in links if link.name == name)
        links.append(Link(f"{name}_{alike + 1}" if alike else name, name, plugin))
    chain = Chain(links)
    plan = Plan("test", chain, upstream)
    return Snapshot(Router([Route("test", Match(), plan)]), Plan("", chain, None), {}, [plan], "test")


@asynccontextmanager
async def bench(*plugins: Plugin[Any]) -> AsyncIterator[Bench]:
    """Plugins, started, in a chain in this order; they are stopped at the end."""
    made = Bench(plugins)
    for plugin in plugins:
        await plugin.start(made.services(type(plugin).__name__.lower()))
    try:
        yield made
    finally:
        await made._close()


async def drive(
    *plugins: Plugin[Any],
    request: Request | str = "GET /",
    answer: Answer | Callable[[Request], Answer] | None = None,
    peer: Peer = PEER,
    leaves: Leaves = "",
) -> Driven:
    """Send one request through plugins to an upstream in memory.

    :param request: a Request, or method and target such as `"GET /path"`.
    :param answer: what the upstream gives; None for a small 200.
    :param leaves: when the client goes away; see `Bench.send`.
    :raises TimeoutError: when the exchange does not end.
    """
    async with bench(*plugins) as made:
        if answer is not None:
            made.upstream.answer = answer
        return await made.send(request, peer=peer, leaves=leaves)
