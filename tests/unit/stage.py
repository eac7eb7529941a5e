"""An engine between two ends that the test moves: what happens when is the test's to say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from proxy.body import Body
from proxy.chain import Chain, Link
from proxy.clock import ManualClock
from proxy.engine import Engine
from proxy.errors import ClientLeft, GatewayError
from proxy.events import Event, EventBus
from proxy.exchange import Endpoint, Exchange
from proxy.message import Request, Response
from proxy.metrics import Metrics
from proxy.peer import Peer
from proxy.plan import Plan, Snapshot
from proxy.plugin import Plugin, PluginConfig
from proxy.routing import Match, Route, Router
from proxy.stream import Stream

ENDPOINT = Endpoint("http://127.0.0.1:9001", "http", "127.0.0.1", 9001)
Hook = Callable[[Exchange], Any]


class Client:
    """The client's end: keeps what it is given, and takes a body when it is told to."""

    def __init__(self) -> None:
        self.informs: list[int] = []
        self.delivered: list[Response] = []

    def informed(self, exchange: Exchange, response: Response) -> None:
        self.informs.append(response.status)

    def deliver(self, exchange: Exchange) -> None:
        assert exchange.response is not None
        self.delivered.append(exchange.response)


class Try:
    """The attempt, and the source of the answer's body."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.cancelled = False
        self.stream: Stream | None = None

    def answer(self, status: int = 200) -> Stream:
        stream = self.stream = Stream(self, None)
        self.exchange.answered(Response(status, {}, stream))
        return stream

    def end(self) -> None:
        assert self.stream is not None
        self.exchange.attempt = None
        self.stream.finish()

    def cancel(self, reason: GatewayError | None = None) -> None:
        self.cancelled = True
        self.exchange.attempt = None
        if self.stream is not None:
            self.stream.fail(ClientLeft("not wanted"))

    def pause(self) -> None:
        """It may."""

    def resume(self) -> None:
        """It may."""

    def wanted(self) -> None:
        """It comes."""

    def abandon(self) -> None:
        self.cancel()


class Upstream:
    """Answers when the test says so."""

    name = "app"

    def __init__(self) -> None:
        self.tries: list[Try] = []

    def pick(self, exchange: Exchange) -> Endpoint:
        return ENDPOINT

    def send(self, exchange: Exchange, endpoint: Endpoint) -> None:
        attempt = exchange.attempt = Try(exchange)
        self.tries.append(attempt)

    def answered(self, exchange: Exchange, response: Response) -> None:
        """It keeps no count."""

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        """It keeps no count."""

    def retry_in(self, exchange: Exchange, cause: GatewayError | int) -> float | None:
        return None

    def pause(self, exchange: Exchange, seconds: float) -> None:
        """There is no further try."""


class Acting(Plugin[PluginConfig]):
    """Does what it is told to, and counts how often it was told of the end."""

    def __init__(self, **act: Hook) -> None:
        super().__init__(PluginConfig())
        self.act = act
        self.completed: list[Exchange] = []

    def on_request(self, exchange: Exchange) -> Any:
        return self.act["on_request"](exchange) if "on_request" in self.act else None

    def on_attempt(self, exchange: Exchange) -> Any:
        return self.act["on_attempt"](exchange) if "on_attempt" in self.act else None

    def on_response(self, exchange: Exchange) -> Any:
        return self.act["on_response"](exchange) if "on_response" in self.act else None

    def on_complete(self, exchange: Exchange) -> None:
        self.completed.append(exchange)


class Stage:
    """An engine between ends that the test moves."""

    def __init__(self, *plugins: Acting) -> None:
        clock = ManualClock()
        self.events: list[Event] = []
        bus = EventBus(clock)
        self.leave_bus = bus.subscribe("*", self.events.append)
        self.upstream = Upstream()
        self.client = Client()
        self.metrics = Metrics()
        self.tasks: list[asyncio.Task[None]] = []
        chain = Chain([Link(f"p{i}", "acting", plugin) for i, plugin in enumerate(plugins)])
        plan = Plan("test", chain, self.upstream)
        snapshot = Snapshot(Router([Route("test", Match(path="/a/*"), plan)]), Plan("", chain, None), {}, [plan], "r")
        self.engine = Engine(snapshot, events=bus, clock=clock, metrics=self.metrics, spawn=self.spawn)

    def spawn(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.append(task)
        return task

    def exchange(self, target: str = "/a/", body: Body | None = None) -> Exchange:
        request = Request("GET", target, body=body or Body())
        return Exchange("id", request, Peer("192.0.2.1"), self.client, 1000.0)

    def begin(self, target: str = "/a/", body: Body | None = None) -> Exchange:
        made = self.exchange(target, body)
        self.engine.begin(made)
        return made

    def counted(self) -> dict[tuple[str, ...], float]:
        counter = self.metrics.counter("passerelle_requests_total", "", ("route", "status"))
        return {labels: child.value for labels, child in counter.children()}

    async def rest(self) -> None:
        """Every task has ended."""
        await asyncio.wait_for(asyncio.gather(*self.tasks, return_exceptions=True), 5)
        await asyncio.sleep(0)


class Gate:
    """A hook that waits until the test lets it go on, and tells whether it was cancelled."""

    def __init__(self, then: Hook = lambda exchange: None) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self.cancelled = False
        self._then = then

    async def __call__(self, exchange: Exchange) -> Any:
        self.reached.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self._then(exchange)
