"""Requests in memory: what the ends give, what is told of it, and how often the engine had to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from proxy.api import AdminRequest, Event, EventClass, Exchange, Peer, Plugin, PluginConfig, Services
from proxy.errors import ClientLeft, ConnectFailed, UpstreamReset
from proxy.message import Body, Request, Response
from proxy.testing import bench, drive


class Told(Event):
    """A plugin's own event."""

    type = "testing.told"
    klass = EventClass.C


class Busy(Plugin[PluginConfig]):
    """Uses everything that it is lent."""

    async def start(self, services: Services) -> None:
        self.services = services
        self.stopped = False
        services.admin.route("GET", "busy", self.answer)
        services.spawn(self.background())
        services.metrics.counter("passerelle_busy_total", "Asked.").inc()

    async def stop(self) -> None:
        self.stopped = True

    async def background(self) -> None:
        await asyncio.Event().wait()

    async def answer(self, request: AdminRequest) -> Response:
        return Response.text(200, request.path)

    async def on_request(self, exchange: Exchange) -> None:
        self.services.events.publish(Told())
        answer = await self.services.http.get("http://other.test/word")
        exchange.request.headers["X-Word"] = (await answer.body.read(100)).decode()

    def on_complete(self, exchange: Exchange) -> None:
        self.services.clock.monotonic()


async def test_everything_that_a_plugin_is_lent_is_there() -> None:
    plugin = Busy(PluginConfig())
    async with bench(plugin) as made:
        made.http.answers["http://other.test/word"] = Response.text(200, "hello")
        done = await made.send("GET /")
        assert done.forwarded is not None
        assert done.forwarded.headers["x-word"] == "hello"
        assert [event.type for event in done.events] == ["testing.told"]
        assert made.http.sent == [("GET", "http://other.test/word", b"")]
        assert (("GET", "busy") in made.admin.routes, done.tasks) == (True, 1)
        answer = await made.admin.routes["GET", "busy"](AdminRequest("GET", "/busy", {}, {}, b""))
        assert answer.body.data == b"/busy"
        with pytest.raises(ValueError, match="taken"):
            made.admin.route("GET", "busy", plugin.answer)
    assert plugin.stopped


async def test_what_the_http_client_has_no_answer_for_cannot_be_reached() -> None:
    async with bench() as made:
        with pytest.raises(ConnectFailed):
            await made.http.post("http://other.test/", b"data")
        made.http.answers["http://other.test/"] = UpstreamReset("gone")
        with pytest.raises(UpstreamReset):
            async with made.http.stream("GET", "http://other.test/"):
                raise AssertionError("it was reached")
        assert [method for method, _, _ in made.http.sent] == ["POST", "GET"]


async def test_a_request_may_be_made_of_words_or_be_a_request() -> None:
    done = await drive(request="PURGE")
    assert (done.exchange.request.method, done.exchange.request.target) == ("PURGE", "/")
    done = await drive(request=Request("PUT", "/a", body=Body(b"data")), peer=Peer("192.0.2.9"))
    assert done.forwarded is not None
    assert done.forwarded.body.data == b"data"
    assert done.exchange.peer.host == "192.0.2.9"


async def parts(*given: bytes) -> AsyncIterator[bytes]:
    for part in given:
        yield part


async def test_large_bodies_flow_with_back_pressure() -> None:
    async def slow(given: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for part in given:
            await asyncio.sleep(0)
            yield part

    class Slow(Plugin[PluginConfig]):
        def on_response(self, exchange: Exchange) -> Response:
            assert exchange.response is not None
            return Response(200, {}, exchange.response.body.through(slow))

    large = [b"x" * 50000] * 10
    done = await drive(Slow(PluginConfig()), answer=Response(200, {}, Body.of(parts(*large))))
    assert done.response.body == b"".join(large)


async def test_a_body_that_breaks_off_is_cut() -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield b"half"
        raise UpstreamReset("gone")

    done = await drive(answer=Response(200, {}, Body.of(breaks())))
    assert (done.response.body, type(done.cut)) == (b"half", UpstreamReset)


async def test_a_client_that_leaves_before_the_answer_has_none() -> None:
    done = await drive(leaves="before")
    assert isinstance(done.exchange.error, ClientLeft)
    assert len(done.tries) == 1
    with pytest.raises(AssertionError, match="no answer"):
        _ = done.response


async def test_a_client_that_leaves_amid_the_answer_has_its_head() -> None:
    done = await drive(leaves="during", answer=Response(200, {"A": "b"}, Body.of(parts(b"x"))))
    assert (done.response.headers["a"], done.response.body) == ("b", b"")
    assert isinstance(done.exchange.error, ClientLeft)


async def test_an_exchange_that_does_not_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.testing.memory.PATIENCE", 0.01)

    class Hangs(Plugin[PluginConfig]):
        async def on_request(self, exchange: Exchange) -> None:
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await drive(Hangs(PluginConfig()))


async def test_errors_and_functions_may_be_the_upstreams_answer() -> None:
    assert (await drive(answer=ConnectFailed("refused"))).response.status == 502
    assert (await drive(answer=lambda request: Response.text(200, request.target), request="GET /a")).response.text == (
        "/a"
    )


async def test_the_received_id_is_told() -> None:
    async with bench() as made:
        done = await made.send("GET /", received_id="theirs")
    assert done.exchange.received_id == "theirs"
    assert done.exchange.id != "theirs"


async def test_two_plugins_of_one_class_have_ids_of_their_own() -> None:
    class Fails(Plugin[PluginConfig]):
        on_error = "skip"

        def on_request(self, exchange: Exchange) -> None:
            raise ValueError

    done = await drive(Fails(PluginConfig()), Fails(PluginConfig()))
    assert [event.data()["plugin"] for event in done.events] == ["fails", "fails_2"]
