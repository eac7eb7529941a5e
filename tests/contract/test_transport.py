"""What the engine may expect of a transport: `upstream.send(exchange, endpoint)`, and callbacks from then on.

Every transport passes these, whatever it speaks on the wire. One is described by a maker of upstreams (`TRANSPORTS`):
given what the far side answers, it yields an upstream and an endpoint. A further protocol adds its maker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from proxy.errors import GatewayError, UpstreamError
from proxy.exchange import Endpoint, Exchange
from proxy.headers import Headers
from proxy.message import Body, Request, Response
from proxy.peer import Peer
from proxy.plan import Upstream
from proxy.ports import FetchPort
from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.settings import load_text
from proxy.stream import Stream
from proxy.testing.upstream import Conversation, FakeUpstream

Far = FakeUpstream
Maker = Callable[[Far], AbstractAsyncContextManager[tuple[Upstream, Endpoint]]]

CONFIG = "listen: [http://127.0.0.1:0]\nadmin: false\nupstreams: {{app: {{targets: ['{url}'], retry: false}}}}\n"


@asynccontextmanager
async def http1(far: Far) -> AsyncIterator[tuple[Upstream, Endpoint]]:
    """HTTP/1.1 over TCP."""
    gateway = Gateway(load_text(CONFIG.format(url=far.url), {}), Registry.installed())
    await gateway.start()
    try:
        upstream = gateway.built.snapshot.upstreams["app"]
        yield upstream, upstream.endpoints[0]
    finally:
        await gateway.stop()


TRANSPORTS: dict[str, Maker] = {"http1": http1}


class Engine:
    """Takes what the transport tells, in the engine's place: what came, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.interim: list[int] = []
        self.response: Response | None = None
        self.error: GatewayError | None = None
        self.settled = asyncio.Event()

    def informed(self, exchange: Exchange, response: Response) -> None:
        self.told.append("informed")
        self.interim.append(response.status)

    def answered(self, exchange: Exchange, response: Response) -> None:
        self.told.append("answered")
        self.response = response
        self.settled.set()

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        self.told.append("failed")
        self.error = error
        self.settled.set()


class Talk:
    """One exchange with the far side."""

    def __init__(self, upstream: Upstream, endpoint: Endpoint) -> None:
        self.upstream, self.endpoint, self.engine = upstream, endpoint, Engine()

    def send(self, request: Request) -> Exchange:
        """Begin a try; nothing is awaited."""
        x = Exchange("id", request, Peer("127.0.0.1"), FetchPort(), 0.0)
        x.driver = self.engine  # type: ignore[assignment]  # the part of it that a transport calls
        x.endpoint, x.attempts = self.endpoint, 1
        self.upstream.send(x, self.endpoint)
        return x

    async def answer(self, request: Request) -> Response:
        """The answer to a request, its body still to flow."""
        self.send(request)
        await asyncio.wait_for(self.engine.settled.wait(), 5)
        assert self.engine.response is not None, self.engine.error
        return self.engine.response


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    made = FakeUpstream()
    await made.start()
    yield made
    await made.stop()
    assert made.failures == []


@pytest.fixture(params=TRANSPORTS)
async def talk(request: pytest.FixtureRequest, far: Far) -> AsyncIterator[Talk]:
    async with TRANSPORTS[request.param](far) as (upstream, endpoint):
        yield Talk(upstream, endpoint)


async def test_a_request_arrives_and_is_answered(talk: Talk, far: Far) -> None:
    far.reply(Response(404, Headers([("X-A", "1"), ("X-A", "2")]), b"gone"))
    answer = await talk.answer(Request("POST", "/a%20b?c", headers=Headers([("X-B", "3")]), body=Body(b"hello")))
    assert (answer.status, answer.headers.getall("x-a"), await answer.body.read(99)) == (404, ["1", "2"], b"gone")
    (seen,) = far.seen
    assert (seen.method, seen.target, seen.headers.get("x-b"), seen.body) == ("POST", "/a%20b?c", "3", b"hello")
    assert talk.engine.told == ["answered"]


async def test_it_is_the_attempt_until_the_answer_is_whole(talk: Talk, far: Far) -> None:
    far.reply(Response(200, body=b"x" * 500_000))
    x = talk.send(Request("GET", "/"))
    assert x.attempt is not None, "nobody could cancel it"
    await asyncio.wait_for(talk.engine.settled.wait(), 5)
    assert talk.engine.response is not None
    assert x.attempt is not None
    assert len(await talk.engine.response.body.read(1_000_000)) == 500_000
    assert x.attempt is None


async def test_interim_answers_come_before_the_final_one(talk: Talk, far: Far) -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await conversation.answer(Response.text(200, "ok"))

    far.reply(script)
    assert (await talk.answer(Request("GET", "/"))).status == 200
    assert (talk.engine.told, talk.engine.interim) == (["informed", "answered"], [103])


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_what_has_no_body_has_none(method: str, talk: Talk, far: Far) -> None:
    far.reply(Response(200 if method == "HEAD" else 204, body=b"not to be sent" if method == "HEAD" else b""))
    answer = await talk.answer(Request(method, "/"))
    assert await answer.body.read(99) == b""


async def test_a_body_that_flows_in_is_taken_with_back_pressure(talk: Talk, far: Far) -> None:
    source = Tap()
    body = Stream(source, None)
    gate = asyncio.Event()

    async def script(conversation: Conversation) -> None:
        await gate.wait()
        await conversation.upload()
        await conversation.answer(Response.text(200, "ok"))

    far.reply(script)
    talk.send(Request("POST", "/", body=body))
    async with asyncio.timeout(5):
        while not source.is_paused():  # the far side reads nothing, so the transport must say that it is full
            body.feed(b"x" * 65536)
            await asyncio.sleep(0)
        gate.set()
        while source.is_paused():
            await asyncio.sleep(0)
        body.finish()
        await talk.engine.settled.wait()
    assert far.seen[0].whole


async def test_a_body_that_flows_out_waits_for_its_reader(talk: Talk, far: Far) -> None:
    far.reply(Response(200, body=b"x" * 20_000_000))
    answer = await talk.answer(Request("GET", "/"))
    body = answer.body
    assert isinstance(body, Stream)
    await asyncio.sleep(0.05)  # nothing to wait for: it must not happen
    assert body._held < 1_000_000
    assert len(await body.read(30_000_000)) == 20_000_000


async def test_one_that_is_cancelled_is_told_nothing_more(talk: Talk, far: Far) -> None:
    left = asyncio.Event()

    async def script(conversation: Conversation) -> None:
        await conversation.left()
        left.set()

    far.reply(script)
    x = talk.send(Request("GET", "/"))
    async with asyncio.timeout(5):
        while not far.seen:
            await asyncio.sleep(0)
        assert x.attempt is not None
        x.attempt.cancel()
        await left.wait()  # the far side learns of it
    assert talk.engine.told == []
    assert not x.attempt


async def test_an_answer_that_is_closed_is_not_read_on(talk: Talk, far: Far) -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf")
        await conversation.left()

    far.reply(script)
    (await talk.answer(Request("GET", "/"))).close()
    async with asyncio.timeout(5):
        while far.conversations:
            await asyncio.sleep(0)


async def test_a_failure_before_the_head_is_a_failed_try(talk: Talk, far: Far) -> None:
    async def script(conversation: Conversation) -> None:
        conversation.abort()

    far.reply(script)
    x = talk.send(Request("GET", "/"))
    await asyncio.wait_for(talk.engine.settled.wait(), 5)
    assert (talk.engine.told, x.attempt) == (["failed"], None)
    assert isinstance(talk.engine.error, UpstreamError)


async def test_a_failure_after_the_head_cuts_the_body(talk: Talk, far: Far) -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        conversation.abort()

    far.reply(script)
    answer = await talk.answer(Request("GET", "/"))
    with pytest.raises(GatewayError):
        await answer.body.read(1000)
    assert talk.engine.told == ["answered"]


async def test_nobody_there_is_a_failed_try(talk: Talk, far: Far) -> None:
    far.refuse()
    talk.send(Request("GET", "/"))
    await asyncio.wait_for(talk.engine.settled.wait(), 5)
    assert talk.engine.told == ["failed"]


class Tap:
    """The source of a request's body."""

    def __init__(self) -> None:
        self._paused = False

    def is_paused(self) -> bool:
        """Whether the transport takes no more for now."""
        return self._paused

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def wanted(self) -> None:
        """Nobody waits to be asked."""

    def abandon(self) -> None:
        """What comes is thrown away."""
