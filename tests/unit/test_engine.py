"""The engine without sockets: every way that an exchange can take, and what each end is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from proxy.errors import BodyTooLarge, ConnectFailed, GatewayError, NoRoute, PluginFailed, Retry, UpstreamReset
from proxy.events import PluginError
from proxy.exchange import Exchange, Phase
from proxy.message import Body, Request, Response
from proxy.plugin import Plugin, PluginConfig
from proxy.testing import bench, drive

HOOKS = ("on_request", "on_attempt", "on_response", "on_complete")


class Noted(Plugin[PluginConfig]):
    """Writes every hook's run into a diary; a subclass or `act` decides what it does.

    :ivar act: hook name to what it does with the exchange.
    """

    def __init__(self, name: str = "p", diary: list[str] | None = None, **act: Callable[[Exchange], Any]) -> None:
        super().__init__(PluginConfig())
        self.name = name
        self.diary = [] if diary is None else diary
        self.act = act

    def _note(self, hook: str, exchange: Exchange) -> Any:
        self.diary.append(f"{self.name} {hook}")
        return self.act[hook](exchange) if hook in self.act else None

    def on_request(self, exchange: Exchange) -> Any:
        return self._note("on_request", exchange)

    def on_attempt(self, exchange: Exchange) -> Any:
        return self._note("on_attempt", exchange)

    def on_response(self, exchange: Exchange) -> Any:
        return self._note("on_response", exchange)

    def on_complete(self, exchange: Exchange) -> None:
        self._note("on_complete", exchange)


class Lenient(Noted):
    on_error = "skip"


def raises(error: BaseException) -> Callable[[Exchange], Any]:
    def hook(exchange: Exchange) -> Any:
        raise error

    return hook


def waits(hook: Callable[[Exchange], Any]) -> Callable[[Exchange], Any]:
    async def waiting(exchange: Exchange) -> Any:
        await asyncio.sleep(0)
        return hook(exchange)

    return waiting


def answers(status: int, text: str = "") -> Callable[[Exchange], Response]:
    return lambda exchange: Response.text(status, text)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part


BOTH = pytest.mark.parametrize("way", [lambda hook: hook, waits], ids=["plain", "waits"])


# ---- the order of hooks ----


async def test_hooks_run_inward_then_outward_and_all_are_told_of_the_end() -> None:
    diary: list[str] = []
    done = await drive(Noted("a", diary), Noted("b", diary))
    assert diary == [
        *("a on_request", "b on_request", "a on_attempt", "b on_attempt"),
        *("b on_response", "a on_response", "b on_complete", "a on_complete"),
    ]
    assert (done.response.status, done.response.body) == (200, b"ok")
    assert done.tasks == 0
    assert done.exchange.phase is Phase.DONE


@BOTH
@pytest.mark.parametrize(("at", "outward"), [(0, []), (1, ["0 on_response"]), (2, ["1 on_response", "0 on_response"])])
async def test_who_answers_and_who_stands_further_in_is_skipped_on_the_way_out(
    way: Callable[[Any], Any], at: int, outward: list[str]
) -> None:
    diary: list[str] = []
    chain = [Noted(str(i), diary, **({"on_request": way(answers(204))} if i == at else {})) for i in range(3)]
    done = await drive(*chain)
    assert done.response.status == 204
    assert done.forwarded is None
    inward = [f"{i} on_request" for i in range(at + 1)]
    assert diary == [*inward, *outward, "2 on_complete", "1 on_complete", "0 on_complete"]


@BOTH
async def test_an_answer_in_the_place_of_another_closes_it(way: Callable[[Any], Any]) -> None:
    async with bench(Noted(on_response=way(answers(418, "tea")))) as made:
        made.upstream.answer = lambda _: Response(200, {}, Body.of(pieces(b"x" * 70000, b"y" * 70000)))
        done = await made.send("GET /")
        assert (done.response.status, done.response.body) == (418, b"tea")
        assert made.upstream.open == 0


async def test_a_body_that_a_plugin_took_out_of_its_answer_is_given_up() -> None:
    def swap(exchange: Exchange) -> None:
        assert exchange.response is not None
        exchange.response.body = Body(b"mine")

    async with bench(Noted(on_response=swap)) as made:
        made.upstream.answer = lambda _: Response(200, {}, Body.of(pieces(*[b"x" * 70000] * 3)))
        done = await made.send("GET /")
        assert done.response.body == b"mine"
        assert made.upstream.open == 0
        assert done.exchange.attempt is None


@BOTH
async def test_an_error_of_the_upstream_travels_outward_and_can_be_made_good(way: Callable[[Any], Any]) -> None:
    def stale(exchange: Exchange) -> Response | None:
        assert exchange.error is not None
        assert exchange.response is not None
        assert exchange.response.status == 502
        return Response.text(200, f"stale, for {exchange.error.code}")

    done = await drive(Noted(on_response=way(stale)), answer=ConnectFailed("refused"))
    assert (done.response.status, done.response.body) == (200, b"stale, for connect_failed")


# ---- what raises ----


@BOTH
@pytest.mark.parametrize("hook", ["on_request", "on_attempt", "on_response"])
@pytest.mark.parametrize(
    "error",
    [ValueError("secret"), asyncio.CancelledError(), SystemExit("secret")],
    ids=["error", "cancelled", "exit"],
)
async def test_a_hook_that_raises_is_a_500_and_an_event(
    way: Callable[[Any], Any], hook: str, error: BaseException
) -> None:
    outer = Noted("outer")
    done = await drive(outer, Noted(**{hook: way(raises(error))}))
    assert done.response.status == 500
    assert done.response.headers["content-type"] == "application/problem+json"
    assert b"plugin_error" in done.response.body
    assert b"secret" not in done.response.body
    (told,) = done.events
    assert isinstance(told, PluginError)
    assert (told.plugin, told.request_id) == ("noted_2", done.exchange.id)
    assert told.error.startswith(type(error).__name__)
    assert outer.diary[-2:] == ["outer on_response", "outer on_complete"]
    assert done.exchange.error is not None
    assert done.exchange.error.code == "plugin_error"


@BOTH
@pytest.mark.parametrize("hook", ["on_request", "on_attempt", "on_response"])
async def test_a_plugin_may_be_left_out_where_it_raises(way: Callable[[Any], Any], hook: str) -> None:
    inner = Noted("inner")
    done = await drive(Lenient(**{hook: way(raises(ValueError("oh")))}), inner)
    assert (done.response.status, done.response.body) == (200, b"ok")
    assert [type(event) for event in done.events] == [PluginError]
    assert inner.diary == [f"inner {name}" for name in HOOKS]
    assert done.exchange.error is None


@BOTH
@pytest.mark.parametrize(("hook", "status"), [("on_request", 413), ("on_attempt", 413), ("on_response", 502)])
async def test_an_error_of_the_catalogue_is_answered_as_what_it_is(
    way: Callable[[Any], Any], hook: str, status: int
) -> None:
    """A body that is too large is the client's fault on the way in, and the upstream's on the way out."""
    done = await drive(Lenient(**{hook: way(raises(BodyTooLarge("over the limit")))}))
    assert done.response.status == status
    assert b"over the limit" in done.response.body
    assert done.events == []


async def test_who_raises_at_the_end_does_not_harm_the_answer_nor_the_others() -> None:
    outer = Noted("outer")
    done = await drive(outer, Noted(on_complete=raises(ValueError("late"))))
    assert (done.response.status, done.response.body) == (200, b"ok")
    assert outer.diary[-1] == "outer on_complete"
    assert [event.type for event in done.events] == ["plugin.error"]


@BOTH
@pytest.mark.parametrize("given", [5, "text", b"bytes", {"status": 200}], ids=["int", "str", "bytes", "dict"])
@pytest.mark.parametrize("hook", ["on_request", "on_attempt", "on_response"])
async def test_a_hook_that_gives_nonsense_is_a_500(way: Callable[[Any], Any], given: object, hook: str) -> None:
    done = await drive(Noted(**{hook: way(lambda exchange: given)}))
    assert done.response.status == 500
    (told,) = done.events
    assert isinstance(told, PluginError)
    assert type(given).__name__ in told.error


@BOTH
async def test_a_hook_before_a_try_cannot_answer(way: Callable[[Any], Any]) -> None:
    done = await drive(Noted(on_attempt=way(answers(200, "mine"))))
    assert done.response.status == 500
    assert done.forwarded is None
    (told,) = done.events
    assert isinstance(told, PluginError)
    assert "on_attempt gave Response" in told.error


@BOTH
@pytest.mark.parametrize(
    "made",
    [*(lambda status=status: Response(status) for status in (99, 101, 199, 600)), lambda: Response(200, {}, "text")],  # type: ignore[arg-type]  # that is the point
    ids=["99", "101", "199", "600", "body"],
)
async def test_an_answer_that_cannot_be_sent_is_a_500(way: Callable[[Any], Any], made: Callable[[], Response]) -> None:
    done = await drive(Noted(on_request=way(lambda exchange: made())))
    assert done.response.status == 500
    assert b"plugin_error" in done.response.body
    assert isinstance(done.exchange.error, PluginFailed)


async def test_a_status_that_a_plugin_spoilt_is_a_500_and_the_upstreams_body_is_given_up() -> None:
    def spoil(exchange: Exchange) -> None:
        assert exchange.response is not None
        exchange.response.status = 42

    async with bench(Noted(on_response=spoil)) as made:
        made.upstream.answer = lambda _: Response(200, {}, Body.of(pieces(*[b"x" * 70000] * 3)))
        done = await made.send("GET /")
        assert done.response.status == 500
        assert made.upstream.open == 0


async def test_a_hook_that_awaits_what_was_cancelled_is_a_500() -> None:
    async def hook(exchange: Exchange) -> None:
        other = asyncio.create_task(asyncio.sleep(60))
        other.cancel()
        await other

    done = await drive(Noted(on_request=hook))
    assert done.response.status == 500
    assert [event.type for event in done.events] == ["plugin.error"]


async def test_a_hook_may_give_a_future_or_a_task() -> None:
    def future(exchange: Exchange) -> asyncio.Future[Response]:
        made = asyncio.get_running_loop().create_future()
        made.set_result(Response.text(202, "later"))
        return made

    done = await drive(Noted(on_request=future))
    assert (done.response.status, done.response.body) == (202, b"later")


# ---- tries ----


def failing_first(error: GatewayError) -> Callable[[Request], Response | GatewayError]:
    given = iter([error])
    return lambda _: next(given, Response.text(200, "at last"))


@BOTH
@pytest.mark.parametrize(
    ("error", "method", "tries"),
    [
        (ConnectFailed("refused"), "GET", 2),
        (ConnectFailed("refused"), "POST", 2),
        (UpstreamReset("gone"), "GET", 2),
        (UpstreamReset("gone"), "POST", 1),
        (UpstreamReset("gone", retry=Retry.NEVER), "GET", 1),
        (UpstreamReset("gone", retry=Retry.REUSED), "POST", 1),
        (UpstreamReset("gone", retry=Retry.UNSENT), "POST", 2),
    ],
)
async def test_a_failed_try_is_repeated_where_that_is_safe(
    way: Callable[[Any], Any], error: GatewayError, method: str, tries: int
) -> None:
    def stamp(exchange: Exchange) -> None:
        exchange.request.headers["X-Try"] = str(exchange.attempts)

    async with bench(Noted(on_attempt=way(stamp))) as made:
        made.upstream.answer = failing_first(error)
        made.upstream.retries = 1
        done = await made.send(Request(method, "/", body=Body(b"data")))
    assert [request.headers.getall("x-try") for request in done.tries] == [["1"], ["2"]][:tries]
    assert done.response.status == (200 if tries == 2 else 502)
    assert done.exchange.attempts == tries
    assert (done.exchange.error is None) == (tries == 2)


@pytest.mark.parametrize(("method", "retries", "tries"), [("GET", 1, 2), ("GET", 0, 1), ("POST", 1, 1)])
async def test_an_answer_of_503_is_repeated_where_that_is_allowed(method: str, retries: int, tries: int) -> None:
    given = iter([Response(503, {}, Body.of(pieces(b"x" * 70000, b"y")))])
    async with bench() as made:
        made.upstream.answer = lambda _: next(given, Response.text(200, "ok"))
        made.upstream.retries = retries
        done = await made.send(f"{method} /")
        assert made.upstream.open == 0
    assert len(done.tries) == tries
    assert done.response.status == (200 if tries == 2 else 503)


async def test_a_body_that_is_on_its_way_is_not_sent_twice() -> None:
    async with bench() as made:
        made.upstream.answer = failing_first(UpstreamReset("gone"))
        made.upstream.retries = 1
        done = await made.send(Request("PUT", "/", body=Body.of(pieces(b"one", b"two"))))
    assert len(done.tries) == 1
    assert done.response.status == 502


async def test_a_body_that_a_plugin_read_can_be_sent_twice() -> None:
    async def read(exchange: Exchange) -> None:
        assert await exchange.request.body.read(100) == b"onetwo"

    async with bench(Noted(on_request=read)) as made:
        made.upstream.answer = failing_first(UpstreamReset("gone"))
        made.upstream.retries = 1
        done = await made.send(Request("PUT", "/", body=Body.of(pieces(b"one", b"two"))))
    assert [request.body.data for request in done.tries] == [b"onetwo", b"onetwo"]
    assert done.response.status == 200


async def test_no_target_can_take_it() -> None:
    async with bench() as made:

        def none(exchange: Exchange) -> Any:
            raise NoRoute("nobody there")

        made.upstream.pick = none  # type: ignore[method-assign]  # an upstream without a healthy target
        done = await made.send("GET /")
    assert done.response.status == 404
    assert done.exchange.attempts == 0


# ---- ids and figures ----


async def test_ids_are_32_hexadecimal_digits_and_differ() -> None:
    async with bench() as made:
        ids = {made.engine.new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(made_id) == 32 and int(made_id, 16) >= 0 for made_id in ids)


async def test_what_ended_is_counted_by_route_and_status() -> None:
    async with bench(Noted(on_request=lambda x: None if x.request.path == "/" else Response(204))) as made:
        for target in ("/", "/", "/none"):
            await made.send(f"GET {target}")
        await made.send("GET /", leaves="before")
        counter = made.metrics.counter("passerelle_requests_total", "", ("route", "status"))
        counted = {labels: child.value for labels, child in counter.children()}
        assert counted == {("test", "200"): 2, ("test", "204"): 1, ("test", "499"): 1}
        assert made.engine.active == 0


async def test_durations_are_those_of_the_clock() -> None:
    async with bench() as made:
        made.upstream.answer = lambda _: made.clock.advance(2.0) or Response.text(200, "ok")  # type: ignore[func-returns-value]  # a short way
        done = await made.send("GET /")
    assert done.exchange.first_byte - done.exchange.started == pytest.approx(2.0)
    assert done.exchange.finished - done.exchange.started == pytest.approx(2.0)
