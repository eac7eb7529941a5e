from __future__ import annotations

import asyncio
import random
import re
import socket
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from plugins.request_id import Config, RequestId
from proxy.chain import Chain, Link
from proxy.clock import Clock
from proxy.engine import Engine
from proxy.errors import ConnectFailed
from proxy.events import EventBus
from proxy.exchange import Exchange
from proxy.frontend.identity import Trust
from proxy.frontend.listener import Limits, Listener
from proxy.message import Request, Response
from proxy.metrics import Metrics
from proxy.peer import Peer
from proxy.plan import Plan, Snapshot
from proxy.plugin import Plugin, PluginConfig, Rank, config_of
from proxy.routing.router import Router
from proxy.timers import Wheel

STRANGER = Peer("192.0.2.7")
TRUSTED = Peer("192.0.2.8", trusted=True)
HEX = re.compile(r"[0-9a-f]{32}")


def request_id(**options: Any) -> RequestId:
    return RequestId(Config.model_validate(options))


def error(**options: Any) -> tuple[tuple[int | str, ...], str]:
    with pytest.raises(ValidationError) as raised:
        Config.model_validate(options)
    (found,) = raised.value.errors()
    return found["loc"], found["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("accept", "peer", "received", "kept"),
    [
        ("trusted", TRUSTED, "abc-1", True),
        ("trusted", TRUSTED, "Root=1-67;Self/+", True),
        ("trusted", TRUSTED, "a b", False),
        ("trusted", TRUSTED, "x" * 128, True),
        ("trusted", TRUSTED, "x" * 129, False),
        ("trusted", STRANGER, "abc-1", False),
        ("always", TRUSTED, "Root=1-67;Self/+", True),
        ("always", STRANGER, "Abc_1.2-3", True),
        ("always", STRANGER, "x" * 128, True),
        ("always", STRANGER, "x" * 129, False),
        ("always", STRANGER, "a=1", False),
        ("always", STRANGER, "<script>", False),
        ("always", STRANGER, "a\xe9", False),
        ("always", STRANGER, "", False),
        ("never", TRUSTED, "abc-1", False),
        ("never", STRANGER, "abc-1", False),
    ],
)
@pytest.mark.parametrize("header", ["X-Request-ID", "X-Correlation-ID"])
async def test_whose_id_is_kept(gateway: Any, header: str, accept: str, peer: Peer, received: str, kept: bool) -> None:
    plugin = request_id(accept=accept, header=header)
    sent: dict[str, Any] = {"received_id": received}
    if header == "X-Correlation-ID":
        sent = {"headers": {header: received}}
    await gateway.send(plugin, peer=peer, **sent)
    found = gateway.last.id
    assert (found == received) is kept
    assert kept or HEX.fullmatch(found)
    assert gateway.forwarded.headers.getall("x-request-id") == [found]
    assert gateway.forwarded.headers.getall(header) == [found]


async def test_without_anything_received_the_id_is_the_engines(gateway: Any) -> None:
    await gateway.send()
    engines = gateway.last.id
    await gateway.send(request_id())
    assert gateway.last.id == engines


async def test_the_named_field_comes_before_the_usual_one(gateway: Any) -> None:
    plugin = request_id(header="X-Correlation-ID", accept="always")
    await gateway.send(plugin, headers={"X-Correlation-ID": "named"}, received_id="usual")
    assert gateway.last.id == "named"
    await gateway.send(plugin, received_id="usual")
    assert gateway.last.id == "usual"


async def test_a_strangers_field_does_not_reach_the_upstream(gateway: Any) -> None:
    await gateway.send(request_id(header="X-Correlation-ID"), headers={"x-correlation-id": "forged"})
    assert gateway.forwarded.headers.getall("x-correlation-id") == [gateway.last.id]
    assert gateway.last.id != "forged"


async def test_the_answer_carries_the_named_field(gateway: Any) -> None:
    gateway.origin.answer = lambda: Response(200, {"X-Correlation-ID": "the upstream's"})
    answer = await gateway.send(request_id(header="X-Correlation-ID"))
    assert answer.headers.getall("x-correlation-id") == [gateway.last.id]


async def test_an_answer_of_the_gateway_carries_it_too(gateway: Any) -> None:
    gateway.origin.answer = lambda: ConnectFailed("refused")
    answer = await gateway.send(request_id(header="X-Correlation-ID"))
    assert answer.status == 502
    assert answer.headers["x-correlation-id"] == gateway.last.id


async def test_without_echo_the_answer_does_not(gateway: Any) -> None:
    answer = await gateway.send(request_id(header="X-Correlation-ID", echo=False))
    assert "x-correlation-id" not in answer.headers
    assert gateway.forwarded.headers["x-correlation-id"] == gateway.last.id


async def test_the_usual_field_is_left_to_the_front_end(gateway: Any) -> None:
    answer = await gateway.send(request_id(header="x-request-id"))
    assert "x-request-id" not in answer.headers
    assert len(gateway.forwarded.headers.getall("x-request-id")) == 1


async def test_uuid4(gateway: Any) -> None:
    plugin = request_id(format="uuid4")
    await plugin.start(gateway.services)
    await gateway.send(plugin)
    made = UUID(gateway.last.id)
    assert (made.version, made.variant) == (4, "specified in RFC 4122")
    assert str(made) == str(UUID(int=random.Random(1).getrandbits(128), version=4))
    await gateway.send(plugin)
    assert gateway.last.id != str(made)


async def test_uuid7_tells_the_time_and_sorts_by_it(gateway: Any) -> None:
    plugin = request_id(format="uuid7")
    await plugin.start(gateway.services)
    made = []
    for _ in range(5):
        await gateway.send(plugin)
        made.append(UUID(gateway.last.id))
        gateway.clock.advance(0.002)
    assert {(one.version, one.variant) for one in made} == {(7, "specified in RFC 4122")}
    assert made[0].int >> 80 == 1_700_000_000_000
    assert made == sorted(made)


async def test_hex_replaces_an_id_that_the_engine_took_over(gateway: Any) -> None:
    plugin = request_id(accept="never")
    await plugin.start(gateway.services)
    await gateway.send(plugin, peer=TRUSTED, received_id="theirs")
    assert gateway.last.id == f"{random.Random(1).getrandbits(128):032x}"


async def test_ids_are_made_before_the_start_too(gateway: Any) -> None:
    await gateway.send(request_id(format="uuid7"))
    assert UUID(gateway.last.id).version == 7


async def test_a_route_has_options_of_its_own(gateway: Any) -> None:
    plugin = request_id(format="uuid4")
    await plugin.start(gateway.services)
    await gateway.send(plugin.for_route(Config(header="X-Trace", format="uuid7")))
    assert UUID(gateway.forwarded.headers["x-trace"]).int >> 80 == 1_700_000_000_000


class Fetcher(Plugin[PluginConfig]):
    """Answers with what it fetches."""

    async def on_request(self, exchange: Exchange) -> Response:
        return await exchange.fetch(Request("GET", "/inner", host="example.com"))


async def test_what_is_fetched_goes_by_the_id_of_its_exchange(gateway: Any) -> None:
    await gateway.send(Fetcher(PluginConfig()), request_id(header="X-Correlation-ID", format="uuid4"))
    assert gateway.forwarded.target == "/inner"
    assert gateway.forwarded.headers["x-correlation-id"] == gateway.last.id


@pytest.mark.parametrize(
    ("options", "place", "message"),
    [
        ({"echo": False}, (), "answers always carry X-Request-ID; echo: false is for another header"),
        (
            {"echo": False, "header": "x-request-id"},
            (),
            "answers always carry X-Request-ID; echo: false is for another header",
        ),
        ({"header": "Host"}, (), "an id cannot travel as Host"),
        ({"header": "expect"}, (), "an id cannot travel as expect"),
        ({"header": "X Y"}, ("header",), "not a field name: 'X Y'"),
        ({"header": "Connection"}, ("header",), "the gateway itself writes Connection"),
        ({"accept": "all"}, ("accept",), "Input should be 'trusted', 'always' or 'never'"),
        ({"format": "uuid"}, ("format",), "Input should be 'hex', 'uuid4' or 'uuid7'"),
        ({"headers": "X"}, ("headers",), "Extra inputs are not permitted"),
    ],
)
def test_slips_are_refused_where_they_stand(
    options: dict[str, Any], place: tuple[int | str, ...], message: str
) -> None:
    assert error(**options) == (place, message)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "makes a new id (hex)"),
        ({"accept": "always"}, "keeps the id abc that the client sent"),
        ({"header": "X-Trace", "format": "uuid7"}, "makes a new id (uuid7); sends it as X-Trace too"),
    ],
)
def test_explain_tells_and_changes_nothing(options: dict[str, Any], told: str) -> None:
    exchange = Exchange("engines", Request("GET", "/"), STRANGER, Watcher(), 0.0)
    exchange.received_id = "abc"
    assert request_id(**options).describe(exchange) == told
    assert (exchange.id, len(exchange.request.headers)) == ("engines", 0)


class Watcher:
    """The client's end of an exchange that never runs."""

    def informed(self, exchange: Exchange, response: Response) -> None: ...
    def deliver(self, exchange: Exchange) -> None: ...


def test_its_place_and_kind() -> None:
    assert RequestId.rank is Rank.IDENTITY
    assert RequestId.pure
    assert config_of(RequestId) is Config


def test_every_option_is_explained() -> None:
    assert all("description" in option for option in Config.model_json_schema()["properties"].values())


class Fixed(Plugin[PluginConfig]):
    """Answers with the id that the exchange goes by."""

    def on_request(self, exchange: Exchange) -> Response:
        return Response.text(200, f"id={exchange.id}")


async def wire(plugin: RequestId, trust: Trust, *fields: str) -> list[str]:
    """One request over a socket; returns the answer's lines."""
    clock = Clock()
    plugins: list[Plugin[Any]] = [plugin, Fixed(PluginConfig())]
    chain = Chain([Link(str(index), "p", one) for index, one in enumerate(plugins)])
    snapshot = Snapshot(Router([]), Plan("", chain, None), {}, [], "test")
    spawn = asyncio.get_running_loop().create_task
    engine = Engine(snapshot, events=EventBus(clock), clock=clock, metrics=Metrics(), spawn=spawn)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        listener = Listener("", engine, wheel=Wheel(clock), spawn=spawn, trust=trust, limits=Limits(), token="t")
        await listener.start([sock])
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        head = "\r\n".join(("GET / HTTP/1.1", "Host: a", "Connection: close", *fields, "", ""))
        writer.write(head.encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        listener.stop_accepting()
    return answer.splitlines()


async def test_a_strangers_id_is_handed_on_by_the_front_end() -> None:
    lines = await wire(request_id(accept="always"), Trust(()), "X-Request-ID: mine")
    assert "X-Request-ID: mine" in lines
    assert lines[-1] == "id=mine"


async def test_and_is_not_believed_otherwise() -> None:
    lines = await wire(request_id(), Trust(()), "X-Request-ID: mine")
    assert "X-Request-ID: mine" not in lines
    assert HEX.fullmatch(lines[-1].removeprefix("id="))
