"""The two ends of an exchange in memory: a client that takes an answer, and an upstream that gives one.

What a front end and a transport would do is done in the smallest way that keeps their promises: bodies flow with
back-pressure, HEAD has none, an answer that nobody wants any more is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias

from proxy import flow
from proxy.body import Body
from proxy.errors import ClientLeft, GatewayError, Retry
from proxy.exchange import Endpoint, Exchange
from proxy.headers import Headers
from proxy.message import Request, Response
from proxy.stream import Stream
from proxy.testing.client import Reply

Answer: TypeAlias = Response | GatewayError
Leaves: TypeAlias = Literal["", "before", "during"]  # the answer's head; its body

ENDPOINT = Endpoint("http://127.0.0.1:9001", "http", "127.0.0.1", 9001)


class Collector:
    """A sink that keeps what it gets.

    :ivar parts: the pieces of the body, in order.
    :ivar end: told with None, or with the error that befell the body.
    """

    full = False

    def __init__(self, end: Callable[[GatewayError | None], None]) -> None:
        self.parts: list[bytes] = []
        self.trailers: Headers | None = None
        self._end = end

    def body_data(self, data: bytes) -> None:
        self.parts.append(data)

    def body_end(self, trailers: Headers | None) -> None:
        self.trailers = trailers
        self._end(None)

    def body_failed(self, error: GatewayError) -> None:
        self._end(error)

    async def drained(self) -> None:
        """There is always room."""


class Caller(Collector):
    """A client that takes one answer whole, unless it leaves."""

    def __init__(self, leaves: Leaves, spawn: flow.Spawn) -> None:
        super().__init__(self._ended)
        self.leaves = leaves
        self.interim: list[int] = []
        self.reply: Reply | None = None
        self.cut: GatewayError | None = None
        self._spawn = spawn
        self._pump: asyncio.Task[None] | None = None
        self._exchange: Exchange | None = None

    def informed(self, exchange: Exchange, response: Response) -> None:
        self.interim.append(response.status)

    def deliver(self, exchange: Exchange) -> None:
        response = exchange.response
        if response is None:
            raise RuntimeError("there is no answer to deliver")
        self.reply = Reply(response.status, response.headers, b"", interim=self.interim)
        if self.leaves == "during":
            exchange.left()
        elif exchange.request.method == "HEAD" or response.status in (204, 304):
            response.close()
            exchange.delivered()
        else:
            self._exchange = exchange
            self._pump = flow.send(response.body, self, self._spawn)

    def body_data(self, data: bytes) -> None:
        super().body_data(data)
        if self._exchange is not None:
            self._exchange.bytes_out += len(data)

    def _ended(self, error: GatewayError | None) -> None:
        exchange, self._exchange = self._exchange, None
        self.cut = error
        if self.reply is not None:
            self.reply.body, self.reply.trailers = b"".join(self.parts), self.trailers
        if exchange is not None:
            exchange.delivered(error)


class _Try:
    """One try at the upstream: takes the request's body, then answers; feeds an answer that flows."""

    def __init__(self, upstream: MemoryUpstream, exchange: Exchange) -> None:
        self._upstream = upstream
        self._exchange: Exchange | None = exchange
        self._request = exchange.request.copy()
        self._request.target = exchange.target
        self._stream: Stream | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._taken = Collector(self._sent)
        exchange.attempt = self
        upstream.tries.append(self._request)
        upstream.open += 1
        flow.send(exchange.request.body, self._taken, upstream.spawn)

    def _sent(self, error: GatewayError | None) -> None:
        exchange = self._exchange
        self._request.body = Body(b"".join(self._taken.parts))
        if exchange is None or self._upstream.silent:
            return
        answer = error or self._upstream.next_answer(self._request)
        if isinstance(answer, GatewayError):
            self._over()
            exchange.failed(answer)
        elif answer.body.data is not None or exchange.request.method == "HEAD":
            self._over()
            exchange.answered(answer)
        else:
            source, self._stream = answer.body, Stream(self, answer.body.size)
            answer.body = self._stream
            self._feeder = self._upstream.spawn(self._feed(source, self._stream))
            exchange.answered(answer)

    async def _feed(self, source: Body, stream: Stream) -> None:
        try:
            async for piece in source:
                await self._room.wait()
                stream.feed(piece)
        except GatewayError as error:
            self._over()
            stream.fail(error)
        else:
            self._over()
            stream.finish(source.trailers)

    def _over(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.attempt = None
            self._upstream.open -= 1

    def cancel(self, reason: GatewayError | None = None) -> None:
        self._over()
        if self._feeder is not None:
            self._feeder.cancel()
        if self._stream is not None:
            self._stream.fail(ClientLeft("the answer is not wanted any more"))

    def pause(self) -> None:
        self._room.clear()

    def resume(self) -> None:
        self._room.set()

    def wanted(self) -> None:
        """No client waits for `100 Continue` here."""

    def abandon(self) -> None:
        self.cancel()


class MemoryUpstream:
    """An upstream with one endpoint.

    :ivar answer: what it gives: a Response, an error that befalls the try, or a function of the request that makes one
        of these. A body that is not in memory flows, with back-pressure.
    :ivar tries: the requests as they were sent, their bodies read, oldest first.
    :ivar open: tries under way.
    :ivar retries: how many failed tries may be repeated.
    :ivar silent: whether it never answers.
    """

    name = "app"

    def __init__(self, spawn: flow.Spawn) -> None:
        self.spawn = spawn
        self.answer: Answer | Callable[[Request], Answer] = lambda _: Response.text(200, "ok")
        self.tries: list[Request] = []
        self.open = 0
        self.retries = 0
        self.silent = False

    def next_answer(self, request: Request) -> Answer:
        """What is answered to this request."""
        return self.answer(request) if callable(self.answer) else self.answer

    def pick(self, exchange: Exchange) -> Endpoint:
        """:see: `proxy.plan.Upstream.pick`."""
        return ENDPOINT

    def send(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """:see: `proxy.plan.Upstream.send`."""
        _Try(self, exchange)
        if self.silent:
            self.spawn(_leave(exchange))

    def answered(self, exchange: Exchange, response: Response) -> None:
        """Nothing is kept count of."""

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        """Nothing is kept count of."""

    def retry_in(self, exchange: Exchange, cause: GatewayError | int) -> float | None:
        """:see: `proxy.plan.Upstream.retry_in`."""
        retry = Retry.IDEMPOTENT if isinstance(cause, int) else cause.retry
        safe = exchange.resendable if retry is Retry.UNSENT else exchange.repeatable and retry is not Retry.NEVER
        return 0.0 if safe and exchange.attempts <= self.retries else None

    def pause(self, exchange: Exchange, seconds: float) -> None:
        """:see: `proxy.plan.Upstream.pause`."""


async def _leave(exchange: Exchange) -> None:
    """The client leaves: it is that of the exchange for which others may have been fetched."""
    while exchange.parent is not None:
        exchange = exchange.parent
    exchange.left()
