from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from plugins.events import Config, Events
from proxy.errors import ConnectFailed
from proxy.events import ApiError, RequestCompleted
from proxy.exchange import Exchange
from proxy.message import Request, Response
from proxy.plugin import Plugin, PluginConfig, Rank, config_of


async def started(gateway: Any, **options: Any) -> Events:
    plugin = Events(Config.model_validate(options))
    await plugin.start(gateway.services)
    return plugin


def heard(gateway: Any, kind: str = "*") -> list[Any]:
    events: list[Any] = []
    gateway.events.subscribe(kind, events.append)
    return events


async def test_an_exchange_that_is_over(gateway: Any) -> None:
    events = heard(gateway)
    gateway.origin.takes = 0.25
    await gateway.send(await started(gateway), method="POST", target="/x")
    (event,) = events
    assert isinstance(event, RequestCompleted)
    assert event.data() == {
        "request_id": gateway.last.id,
        "route": "site",
        "method": "POST",
        "status": 200,
        "upstream": "app",
        "duration_ms": 250.0,
        "first_byte_ms": 250.0,
        "bytes_in": 0,
        "bytes_out": 4,
        "cache": "",
        "tenant": "",
        "attempts": 1,
        "fallback": "",
    }


async def test_a_client_that_left(gateway: Any) -> None:
    events = heard(gateway)
    await gateway.send(await started(gateway), leaves=True)
    (event,) = events
    assert (event.type, event.status, event.bytes_out) == ("request.completed", 499, 0)


async def test_an_exchange_without_an_answer(gateway: Any) -> None:
    plugin = await started(gateway)
    events = heard(gateway)
    exchange = Exchange("1", Request("GET", "/"), None, None, 10.0)  # type: ignore[arg-type]  # neither end is asked
    exchange.finished = 10.5
    plugin.on_complete(exchange)
    (event,) = events
    assert (event.status, event.duration_ms, event.first_byte_ms, event.route) == (499, 500.0, None, "")


async def test_a_5xx_of_the_upstream(gateway: Any) -> None:
    gateway.origin.answer = lambda: Response(503)
    events = heard(gateway, "api.error")
    await gateway.send(await started(gateway))
    (event,) = events
    assert isinstance(event, ApiError)
    assert event.data() == {
        "route": "site",
        "upstream": "app",
        "status": 503,
        "error": "",
        "first_request_id": gateway.last.id,
        "last_request_id": gateway.last.id,
        "count": 1,
    }


async def test_a_5xx_of_the_gateway_names_what_failed(gateway: Any) -> None:
    gateway.origin.answer = lambda: ConnectFailed("refused")
    events = heard(gateway, "api.error")
    await gateway.send(await started(gateway))
    (event,) = events
    assert (event.status, event.error, event.upstream) == (502, ConnectFailed.code, "app")


async def test_a_5xx_is_told_of_although_its_client_left(gateway: Any) -> None:
    gateway.origin.answer = lambda: Response(500)
    events = heard(gateway)
    await gateway.send(await started(gateway), leaves=True)
    completed, failed = events
    assert (completed.type, completed.status) == ("request.completed", 499)
    assert (failed.type, failed.status, failed.error) == ("api.error", 500, "")


@pytest.mark.parametrize(("status", "told"), [(200, 0), (404, 0), (499, 0), (500, 1), (599, 1)])
async def test_only_a_5xx_is_an_error(gateway: Any, status: int, told: int) -> None:
    gateway.origin.answer = lambda: Response(status)
    events = heard(gateway, "api.error")
    await gateway.send(await started(gateway))
    assert len(events) == told


async def test_a_request_that_matches_no_upstream(gateway: Any) -> None:
    events = heard(gateway)
    await gateway.send(await started(gateway), upstream=False)
    (event,) = events
    assert (event.status, event.upstream) == (404, "")


class Fetcher(Plugin[PluginConfig]):
    """Answers with what it fetches."""

    async def on_request(self, exchange: Exchange) -> Response:
        return await exchange.fetch(Request("GET", "/inner", host="example.com"))


async def test_what_a_plugin_fetched_is_not_told_of(gateway: Any) -> None:
    gateway.origin.answer = lambda: Response(500)
    events = heard(gateway)
    await gateway.send(Fetcher(PluginConfig()), await started(gateway), target="/outer")
    assert gateway.forwarded.target == "/inner"
    assert [event.type for event in events] == ["request.completed", "api.error"]


async def test_a_sample_of_exchanges(gateway: Any) -> None:
    events = heard(gateway)
    plugin = await started(gateway, sample="25%")
    for _ in range(400):
        await gateway.send(plugin)
    assert 70 <= len(events) <= 130


async def test_errors_are_never_sampled(gateway: Any) -> None:
    gateway.origin.answer = lambda: Response(500)
    events = heard(gateway)
    plugin = await started(gateway, sample="0%")
    for _ in range(5):
        await gateway.send(plugin)
    assert [event.type for event in events] == ["api.error"] * 5


async def test_every_exchange_without_a_draw(gateway: Any) -> None:
    heard(gateway)
    before = gateway.services.random.getstate()
    await gateway.send(await started(gateway, sample="100%"))
    assert gateway.services.random.getstate() == before


async def test_nothing_is_made_when_nobody_listens(gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **fields: Any) -> None:
        raise AssertionError("an event was made that nobody wants")

    monkeypatch.setattr("plugins.events.RequestCompleted.__init__", refuse)
    monkeypatch.setattr("plugins.events.ApiError.__init__", refuse)
    failures: list[str] = []
    gateway.events.subscribe("plugin.error", lambda event: failures.append(event.error))
    gateway.origin.answer = lambda: Response(500)
    plugin = await started(gateway)
    await gateway.send(plugin)
    assert failures == []
    heard(gateway, "request.completed")
    await gateway.send(plugin)
    assert failures == ["AssertionError: an event was made that nobody wants"]


async def test_listeners_may_come_and_go(gateway: Any) -> None:
    plugin = await started(gateway)
    await gateway.send(plugin)
    events: list[Any] = []
    stop = gateway.events.subscribe("request.completed", events.append)
    await gateway.send(plugin)
    stop()
    await gateway.send(plugin)
    assert len(events) == 1


async def test_a_route_has_a_share_of_its_own(gateway: Any) -> None:
    plugin = await started(gateway)
    events = heard(gateway)
    await gateway.send(plugin.for_route(Config.model_validate({"sample": "0%"})))
    assert events == []
    await gateway.send(plugin)
    assert len(events) == 1


@pytest.mark.parametrize(
    ("options", "place", "message"),
    [
        ({"sample": "120%"}, ("sample",), "120% is more than the whole"),
        ({"sample": 0.5}, ("sample",), "0.5 has no unit"),
        ({"sample": "half"}, ("sample",), '"half" is not a percentage'),
        ({"samples": "1%"}, ("samples",), "Extra inputs are not permitted"),
    ],
)
def test_slips_are_refused_where_they_stand(options: dict[str, Any], place: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Config.model_validate(options)
    (error,) = raised.value.errors()
    assert (error["loc"], error["msg"]) == (place, message)


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        ("100%", "tells of every request, and of every 5xx"),
        ("12.5%", "tells of 12.5% of requests, and of every 5xx"),
        ("0", "tells of no request, and of every 5xx"),
    ],
)
async def test_explain_tells_the_share(gateway: Any, sample: str, told: str) -> None:
    await gateway.send()
    assert Events(Config.model_validate({"sample": sample})).describe(gateway.last) == told


def test_its_place_and_kind() -> None:
    assert Events.rank is Rank.EVENTS
    assert not Events.pure
    assert config_of(Events) is Config


def test_every_option_is_explained() -> None:
    assert all("description" in option for option in Config.model_json_schema()["properties"].values())
