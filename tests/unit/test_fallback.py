"""What a route does instead of answering with its upstream's failure, between real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from proxy.chain import Chain
from proxy.clock import Clock, ManualClock
from proxy.errors import BadResponse, ClientLeft, ConnectFailed, DeadlinePassed, GatewayError, PoolFull, UpstreamReset
from proxy.events import ApiError, RequestCompleted
from proxy.exchange import Exchange
from proxy.fallback import Fallback
from proxy.message import Body, Request, Response
from proxy.peer import Peer
from proxy.plan import Plan
from proxy.testing import FakeUpstream, GatewayKit, running
from proxy.testing.upstream import Conversation

CONFIG = """
listen: [http://127.0.0.1:0]
admin: false
upstreams:
  app: {{targets: ["${{UPSTREAM}}"], retry: {retry}, timeouts: {timeouts}}}
  other: {{targets: ["${{OTHER}}"], retry: {{attempts: 1, backoff: false}}}}
plugins: [events]
routes: [{{name: all, upstream: app, on_error: {on_error}}}]
"""


@asynccontextmanager
async def between(
    on_error: str, *, retry: str = "false", timeouts: str = "{first_byte: 5s, total: 20s}", clock: Clock | None = None
) -> AsyncIterator[tuple[GatewayKit, FakeUpstream]]:
    """A gateway before an upstream, and the other one."""
    other = FakeUpstream()
    await other.start()
    other.reply(Response.text(200, "other"))
    text = CONFIG.format(on_error=on_error, retry=retry, timeouts=timeouts)
    async with running(text, env={"OTHER": other.url}, clock=clock) as kit:
        try:
            yield kit, other
        finally:
            await kit.settled()
            await other.stop()


def completed(kit: GatewayKit) -> RequestCompleted:
    (event,) = (event for event in kit.events if isinstance(event, RequestCompleted))
    return event


def used(kit: GatewayKit, to: str, cause: str) -> float:
    counter = kit.gateway.metrics.counter("passerelle_fallbacks_total", "", ("route", "to", "cause"))
    return {labels: child.value for labels, child in counter.children()}.get(("all", to, cause), 0.0)


async def test_another_upstream_answers_for_one_that_is_gone() -> None:
    async with between("{upstream: other}") as (kit, other):
        kit.upstream.refuse()
        active: list[int] = []

        async def look(conversation: Conversation) -> None:
            active.append(kit.gateway.engine.snapshot.active)
            await conversation.upload()
            await conversation.answer(Response.text(200, "other"))

        other.reply(look)
        reply = await kit.request("POST", "/x", body=b"data")
        assert (reply.status, reply.body) == (200, b"other")
        assert [(seen.method, seen.target, seen.body) for seen in other.seen] == [("POST", "/x", b"data")]
        event = completed(kit)
        assert (event.upstream, event.attempts, event.fallback, event.status) == ("other", 2, "other", 200)
        assert used(kit, "other", "connect") == 1
        assert (active, kit.gateway.engine.snapshot.active) == ([1], 0)


async def test_it_comes_after_the_upstreams_own_retries_and_has_its_own() -> None:
    async with between("{upstream: other}", retry="{attempts: 2, backoff: false}") as (kit, other):
        kit.upstream.reply(Response.text(503, "no"))
        other.reply(Response.text(503, "not yet"), Response.text(200, "other"))
        assert (await kit.get("/")).body == b"other"
        assert (len(kit.upstream.seen), len(other.seen), completed(kit).attempts) == (3, 2, 5)


async def test_the_limit_of_a_try_is_that_of_the_upstream_which_is_asked() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def held(conversation: Conversation) -> None:
        asked.set()
        await go.wait()
        await conversation.answer(Response.text(200, "other"))

    retry = "{attempts: 0, per_try_timeout: 2s}"
    async with between("{upstream: other}", retry=retry, timeouts="{}", clock=ManualClock()) as (kit, other):
        kit.upstream.reply(Response.text(503, "no"))
        other.reply(held)
        waiting = asyncio.create_task(kit.get("/"))
        await asked.wait()
        kit.advance(2.1)
        go.set()
        assert (await waiting).body == b"other"


async def test_a_fallback_that_fails_is_the_answer() -> None:
    async with between("{upstream: other, when: 5xx}") as (kit, other):
        kit.upstream.reply(Response.text(500, "mine"))
        other.reply(Response.text(500, "theirs"))
        reply = await kit.get("/")
        assert (reply.status, reply.body, len(other.seen)) == (500, b"theirs", 1)


async def test_other_failures_are_passed_on() -> None:
    async with between("{upstream: other, when: [connect, 503]}") as (kit, other):
        kit.upstream.reply(Response.text(500, "mine"))
        assert (await kit.get("/")).status == 500
        assert (other.seen, completed(kit).fallback) == ([], "")


@pytest.mark.parametrize(("method", "status"), [("PUT", 200), ("POST", 503)])
async def test_what_may_have_been_processed_goes_elsewhere_when_it_is_idempotent(method: str, status: int) -> None:
    async with between("{upstream: other}") as (kit, other):
        kit.upstream.reply(Response.text(503, "no"))
        assert (await kit.request(method, "/", body=b"data")).status == status
        assert [seen.body for seen in other.seen] == ([b"data"] if status == 200 else [])


async def test_a_fixed_answer() -> None:
    rule = "{respond: {status: 200, body: '[]', headers: {Content-Type: application/json, X-A: b}}, when: [connect]}"
    async with between(rule) as (kit, _):
        kit.upstream.refuse()
        for _ in range(2):
            reply = await kit.request("POST", "/")
            assert (reply.status, reply.body, reply.headers["content-type"]) == (200, b"[]", "application/json")
            assert (reply.headers["x-a"], reply.headers["cache-control"]) == ("b", "no-store")
        assert used(kit, "respond", "connect") == 2
        first = next(event for event in kit.events if isinstance(event, RequestCompleted))
        assert (first.fallback, first.attempts, first.upstream) == ("respond", 1, "app")


async def test_a_fixed_answer_in_the_place_of_a_status_tells_why() -> None:
    async with between("{respond: {status: 503, body: sorry}, when: [500]}") as (kit, _):
        kit.upstream.reply(Response.text(500, "trace"))
        reply = await kit.get("/")
        assert (reply.status, reply.body) == (503, b"sorry")
        (error,) = (event for event in kit.events if isinstance(event, ApiError))
        assert (error.status, error.error) == (503, "bad_gateway")


# which failures lead there


class Nobody:
    def informed(self, exchange: Exchange, response: Response) -> None: ...

    def deliver(self, exchange: Exchange) -> None: ...


def exchange(method: str = "GET") -> Exchange:
    return Exchange("id", Request(method, "/", body=Body(b"x")), Peer("192.0.2.1"), Nobody(), 0.0)


EVERY = frozenset({"connect", "reset", "timeout", "unavailable", "invalid", "503"})


@pytest.mark.parametrize(
    ("failure", "get", "post", "fixed"),
    [
        (ConnectFailed(), True, True, True),
        (PoolFull(), True, True, True),
        (UpstreamReset(), True, False, True),
        (BadResponse(), True, False, True),
        (DeadlinePassed(), False, False, True),
        (503, True, False, True),
        (500, False, False, False),
        (ClientLeft(), False, False, False),
    ],
    ids=str,
)
def test_which_failures_lead_where(failure: GatewayError | int, get: bool, post: bool, fixed: bool) -> None:
    elsewhere = Fallback(EVERY, plan=Plan("", Chain([]), None), name="other")
    answer = Fallback(EVERY, answer=lambda: Response(204))
    assert elsewhere.takes(exchange(), failure) is get
    assert elsewhere.takes(exchange("POST"), failure) is post
    assert answer.takes(exchange("POST"), failure) is fixed
