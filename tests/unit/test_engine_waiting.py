"""Exchanges that wait: who may leave when, what a plugin fetches, and what is drained for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from proxy.body import Body, Stream
from proxy.chain import Chain, Link
from proxy.clock import ManualClock
from proxy.engine import Engine
from proxy.errors import BadRequest, ClientLeft, GatewayError, UpstreamReset
from proxy.events import Event, EventBus
from proxy.exchange import Endpoint, Exchange, Peer, Phase
from proxy.message import Request, Response
from proxy.metrics import Metrics
from proxy.plan import Plan, Snapshot
from proxy.plugin import Plugin, PluginConfig
from proxy.routing import Match, Route, Router

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

    def cancel(self) -> None:
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

    def may_retry(self, exchange: Exchange, cause: GatewayError | int) -> bool:
        return False


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


async def waiting(hook: str) -> tuple[Stage, Acting, Gate, Exchange]:
    gate = Gate()
    plugin = Acting(**{hook: gate})
    stage = Stage(plugin)
    x = stage.begin()
    if hook == "on_response":
        stage.upstream.tries[0].answer()
    await asyncio.wait_for(gate.reached.wait(), 5)
    return stage, plugin, gate, x


# ---- leaving ----


@pytest.mark.parametrize("hook", ["on_request", "on_attempt", "on_response"])
async def test_a_client_that_leaves_ends_a_hook_that_waits(hook: str) -> None:
    stage, plugin, gate, x = await waiting(hook)
    x.left()
    assert x.phase is not Phase.DONE
    await stage.rest()
    assert gate.cancelled
    assert plugin.completed == [x]
    assert stage.client.delivered == []
    assert stage.engine.active == 0
    assert stage.counted() == {("test", "499"): 1}
    assert stage.events == []
    assert all(attempt.cancelled for attempt in stage.upstream.tries)


async def test_a_client_that_leaves_before_the_hook_began_to_wait() -> None:
    begun: list[bool] = []

    async def hook(exchange: Exchange) -> None:
        begun.append(True)

    plugin = Acting(on_request=hook)
    stage = Stage(plugin)
    x = stage.begin()
    x.left()
    await stage.rest()
    assert begun == []
    assert plugin.completed == [x]
    assert stage.engine.active == 0


async def test_a_client_that_leaves_while_a_future_is_waited_for() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    plugin = Acting(on_request=lambda x: future)
    stage = Stage(plugin)
    x = stage.begin()
    await asyncio.sleep(0)
    x.left()
    await stage.rest()
    assert future.cancelled()
    assert plugin.completed == [x]


async def test_a_client_that_leaves_while_the_upstream_works() -> None:
    plugin = Acting()
    stage = Stage(plugin)
    x = stage.begin()
    x.left()
    assert x.phase is Phase.DONE
    assert stage.upstream.tries[0].cancelled
    assert plugin.completed == [x]
    assert stage.tasks == []
    x.left()
    x.delivered()
    assert plugin.completed == [x]
    assert stage.counted() == {("test", "499"): 1}


async def test_a_client_that_leaves_in_the_middle_of_the_answer() -> None:
    stage = Stage(Acting())
    x = stage.begin()
    stage.upstream.tries[0].answer().feed(b"half")
    x.left()
    assert stage.upstream.tries[0].cancelled
    assert stage.counted() == {("test", "499"): 1}
    assert isinstance(x.error, ClientLeft)


async def test_what_the_ends_say_after_the_end_is_not_heard() -> None:
    stage = Stage()
    x = stage.begin()
    x.left()
    late = Stream(stage.upstream.tries[0], None)
    x.informed(Response(103))
    x.answered(Response(200, {}, late))
    x.failed(UpstreamReset("late"))
    assert stage.client.delivered == []
    assert stage.client.informs == []
    assert late.ended
    assert stage.engine.active == 0


@pytest.mark.parametrize(
    "gives", [None, Response.text(200, "too late"), ValueError("clean-up"), ClientLeft("gone"), "nonsense"]
)
async def test_a_hook_that_keeps_its_cancellation_to_itself_does_not_go_on(gives: object) -> None:
    reached = asyncio.Event()

    async def stubborn(exchange: Exchange) -> Any:
        reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if isinstance(gives, Exception):
                raise gives from None
            return gives

    plugin = Acting(on_request=stubborn)
    stage = Stage(plugin)
    x = stage.begin()
    await asyncio.wait_for(reached.wait(), 5)
    x.left()
    await stage.rest()
    assert stage.upstream.tries == []
    assert stage.client.delivered == []
    assert plugin.completed == [x]
    assert stage.counted() == {("test", "499"): 1}
    assert [event.type for event in stage.events] == ["plugin.error"] * isinstance(gives, ValueError)


async def test_a_deadline_of_a_hooks_own_is_no_leaving() -> None:
    async def hook(exchange: Exchange) -> Response | None:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return Response.text(504, "slow")
        return None

    stage = Stage(Acting(on_request=hook))
    stage.begin()
    await stage.rest()
    assert [response.status for response in stage.client.delivered] == [504]


# ---- interim answers, refusals ----


async def test_interim_answers_pass_while_the_upstream_works() -> None:
    stage = Stage()
    x = stage.begin()
    x.informed(Response(103))
    stage.upstream.tries[0].answer()
    x.informed(Response(103))
    assert stage.client.informs == [103]


async def test_no_route_is_a_404_through_the_common_chain() -> None:
    plugin = Acting(on_response=lambda x: Response.text(404, f"nothing at {x.request.path}"))
    stage = Stage(plugin)
    x = stage.begin("/b")
    assert x.route == ""
    assert await stage.client.delivered[0].body.read(100) == b"nothing at /b"
    x.delivered()
    assert stage.counted() == {("", "404"): 1}


async def test_a_refused_request_is_answered_through_the_common_chain_without_a_hook_on_the_way_in() -> None:
    seen: list[str] = []
    stage = Stage(Acting(on_request=lambda x: seen.append("in"), on_response=lambda x: seen.append("out")))
    x = stage.exchange()
    stage.engine.refuse(x, BadRequest("malformed"))
    assert seen == ["out"]
    assert stage.client.delivered[0].status == 400
    x.delivered()
    assert stage.counted() == {("", "400"): 1}


async def test_a_target_that_no_route_can_read_is_refused_through_the_common_chain() -> None:
    seen: list[str] = []
    stage = Stage(Acting(on_request=lambda x: seen.append("in"), on_response=lambda x: seen.append("out")))
    x = stage.begin("/a/../../b")
    assert (seen, x.route) == (["out"], "")
    assert stage.client.delivered[0].status == 400


async def test_what_nobody_listens_to_is_not_told_but_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(exchange: Exchange) -> None:
        raise ValueError("only for the log")

    stage = Stage(Acting(on_request=fail))
    stage.leave_bus()
    stage.begin()
    assert stage.events == []
    assert "only for the log" in caplog.text
    assert stage.client.delivered[0].status == 500


async def test_an_exchange_that_has_not_begun_has_no_driver() -> None:
    with pytest.raises(RuntimeError, match="has not begun"):
        Stage().exchange().left()


# ---- detached ----


async def test_a_detached_answer_flows_on_although_its_client_has_left() -> None:
    plugin = Acting(on_response=lambda x: x.detach())
    stage = Stage(plugin)
    x = stage.begin()
    stream = stage.upstream.tries[0].answer()
    x.left()
    assert x.phase is Phase.DELIVER
    assert not stage.upstream.tries[0].cancelled
    stream.feed(b"rest")
    stage.upstream.tries[0].end()
    x.delivered(ClientLeft("the client left"))
    assert plugin.completed == [x]
    assert stage.counted() == {("test", "499"): 1}


async def kept(parts: AsyncIterator[bytes], into: list[bytes]) -> AsyncIterator[bytes]:
    async for part in parts:
        into.append(part)
        yield part


def filling(into: list[bytes]) -> Hook:
    """What a cache does: keep what passes."""

    def hook(exchange: Exchange) -> Response:
        answer = exchange.response
        assert answer is not None
        return Response(answer.status, answer.headers, answer.body.through(lambda parts: kept(parts, into)))

    return hook


@pytest.mark.parametrize("left_at", ["on_request", "upstream", "on_response"])
async def test_a_detached_answer_is_drained_also_when_its_client_left_before_it_began(left_at: str) -> None:
    into: list[bytes] = []
    gate = Gate()

    def detach(exchange: Exchange) -> Awaitable[Any] | None:
        exchange.detach()
        return gate(exchange) if left_at == "on_request" else None

    slow = {"on_response": gate} if left_at == "on_response" else {}
    plugin = Acting(on_request=detach, on_response=filling(into))
    stage = Stage(plugin, Acting(**slow))
    x = stage.begin()
    if left_at == "on_request":
        await asyncio.wait_for(gate.reached.wait(), 5)
        x.left()
        gate.open.set()
        await stage.rest()
    if left_at == "upstream":
        x.left()
    attempt = stage.upstream.tries[0]
    stream = attempt.answer()
    if left_at == "on_response":
        await asyncio.wait_for(gate.reached.wait(), 5)
        x.left()
        gate.open.set()
    stream.feed(b"one")
    x.informed(Response(103))
    await asyncio.sleep(0)
    stream.feed(b"two")
    attempt.end()
    await stage.rest()
    assert into == [b"one", b"two"]
    assert not attempt.cancelled
    assert plugin.completed == [x]
    assert stage.client.delivered == []
    assert stage.counted() == {("test", "499"): 1}


async def test_interim_answers_of_a_detached_exchange_are_told_to_nobody() -> None:
    stage = Stage(Acting(on_request=lambda x: x.detach()))
    x = stage.begin()
    x.left()
    x.informed(Response(103))
    stage.upstream.tries[0].answer()
    stage.upstream.tries[0].end()
    assert stage.client.informs == []
    assert stage.engine.active == 0


async def test_a_detached_answer_that_breaks_off_ends_the_exchange() -> None:
    stage = Stage(Acting(on_request=lambda x: x.detach()))
    x = stage.begin()
    x.left()
    stream = stage.upstream.tries[0].answer()
    x.attempt = None
    stream.fail(UpstreamReset("gone"))
    assert x.phase is Phase.DONE
    assert stage.engine.active == 0


# ---- fetch ----


def fetching(then: Callable[[Response], Awaitable[Any]]) -> Hook:
    async def hook(exchange: Exchange) -> Any:
        if exchange.parent is not None:
            return None
        return await then(await exchange.fetch(Request("GET", "/a/other")))

    return hook


async def whole(response: Response) -> Response:
    return Response(200, {}, b"got " + await response.body.read(1000))


@pytest.mark.parametrize("hook", ["on_request", "on_response"])
async def test_what_is_fetched_passes_the_plugins_further_in_alone(hook: str) -> None:
    outer, asking, inner = Acting(), Acting(**{hook: fetching(whole)}), Acting()
    stage = Stage(outer, asking, inner)
    x = stage.begin()
    if hook == "on_response":
        stage.upstream.tries[0].answer()
        stage.upstream.tries[0].end()
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[-1]
    child = attempt.exchange
    assert (child.parent, child.request.target, child.route) == (x, "/a/other", "test")
    attempt.answer().feed(b"it")
    attempt.end()
    await stage.rest()
    assert stage.client.delivered[0].body.data == b"got it"
    x.delivered()
    assert inner.completed == [child, x]
    assert asking.completed == outer.completed == [x]
    assert stage.engine.active == 0
    assert stage.counted() == {("test", "200"): 1}


async def test_what_is_fetched_ends_when_it_is_closed() -> None:
    async def close(response: Response) -> None:
        response.close()

    inner = Acting()
    stage = Stage(Acting(on_request=fetching(close)), inner)
    x = stage.begin()
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[0]
    attempt.answer()
    await stage.rest()
    assert attempt.cancelled
    assert inner.completed == [attempt.exchange]
    assert len(stage.upstream.tries) == 2
    x.left()
    assert stage.engine.active == 0


async def test_what_is_fetched_and_left_unread_ends_with_the_upstreams_last_byte() -> None:
    async def keep(response: Response) -> None:
        return None

    stage = Stage(Acting(on_request=fetching(keep)))
    x = stage.begin()
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[0]
    attempt.answer().feed(b"never read")
    await stage.rest()
    assert stage.engine.active == 2
    attempt.end()
    assert stage.engine.active == 1
    x.left()
    assert stage.engine.active == 0


async def test_an_error_is_an_answer_to_who_fetches() -> None:
    stage = Stage(Acting(on_request=fetching(whole)))
    stage.begin()
    await asyncio.sleep(0)
    stage.upstream.tries[0].exchange.failed(UpstreamReset("gone"))
    await stage.rest()
    assert b"upstream_reset" in (stage.client.delivered[0].body.data or b"")


async def test_interim_answers_are_not_for_who_fetches() -> None:
    stage = Stage(Acting(on_request=fetching(whole)))
    stage.begin()
    await asyncio.sleep(0)
    stage.upstream.tries[0].exchange.informed(Response(103))
    assert stage.client.informs == []
    stage.upstream.tries[0].answer()
    stage.upstream.tries[0].end()
    await stage.rest()
    assert stage.client.delivered[0].body.data == b"got "


@pytest.mark.parametrize("answered", [False, True])
async def test_a_client_that_leaves_ends_what_is_fetched_for_it(answered: bool) -> None:
    inner = Acting()
    stage = Stage(Acting(on_request=fetching(whole)), inner)
    x = stage.begin()
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[0]
    if answered:
        attempt.answer()
    x.left()
    await stage.rest()
    assert attempt.cancelled
    assert inner.completed == [attempt.exchange, x]
    assert stage.engine.active == 0
    assert stage.counted() == {("test", "499"): 1}


async def test_an_answer_for_who_has_stopped_fetching_is_let_go() -> None:
    gate = Gate()
    stage = Stage(Acting(on_request=fetching(whole)), Acting(on_response=gate))
    x = stage.begin()
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[0]
    attempt.answer()
    await asyncio.wait_for(gate.reached.wait(), 5)
    x.left()
    await stage.rest()
    assert attempt.cancelled
    assert gate.cancelled
    assert stage.engine.active == 0


async def test_what_is_fetched_in_the_background_outlives_its_exchange() -> None:
    background: list[asyncio.Task[Response]] = []
    diary: list[bytes] = []

    async def revalidate(fetched: Awaitable[Response]) -> Response:
        response = await fetched
        diary.append(await response.body.read(100))
        return response

    def hook(exchange: Exchange) -> Response | None:
        if exchange.parent is None:
            fetched = exchange.fetch(Request("GET", "/a/fresh"))
            background.append(asyncio.create_task(revalidate(fetched)))
        return Response.text(200, "stale")

    inner = Acting()
    stage = Stage(Acting(on_request=hook), inner)
    x = stage.begin()
    x.delivered()
    assert x.phase is Phase.DONE
    await asyncio.sleep(0)
    attempt = stage.upstream.tries[0]
    attempt.answer().feed(b"fresh")
    attempt.end()
    await asyncio.wait_for(background[0], 5)
    assert diary == [b"fresh"]
    assert inner.completed == [x, attempt.exchange]
    assert stage.engine.active == 0


async def test_a_hook_that_fetches_and_raises_is_a_500() -> None:
    async def fail(response: Response) -> None:
        response.close()
        raise ValueError("not what was expected")

    stage = Stage(Acting(on_request=fetching(fail)))
    x = stage.begin()
    await asyncio.sleep(0)
    stage.upstream.tries[0].answer()
    await stage.rest()
    assert stage.client.delivered[0].status == 500
    x.delivered()
    assert stage.engine.active == 0
