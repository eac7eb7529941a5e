"""Exchanges: typed keys, the small values beside them, and what they say of themselves."""

from __future__ import annotations

import pytest

from proxy.errors import ConnectFailed, GatewayError
from proxy.exchange import Endpoint, Exchange, Key, Phase
from proxy.message import Request, Response
from proxy.patience import Patience
from proxy.peer import Peer
from proxy.plugin import Plugin, PluginConfig
from proxy.testing import bench, drive

USER: Key[str] = Key("user")
OTHER: Key[str] = Key("user")


async def exchange() -> Exchange:
    return (await drive()).exchange


async def test_what_is_kept_under_a_key_is_that_keys_alone() -> None:
    x = await exchange()
    assert USER not in x
    assert x.get(USER) is None
    assert x.get(USER, "nobody") == "nobody"
    with pytest.raises(KeyError, match="user"):
        x[USER]
    x[USER] = "ann"
    assert USER in x
    assert x[USER] == x.get(USER) == "ann"
    assert OTHER not in x
    with pytest.raises(KeyError):
        x[OTHER]
    assert repr(USER) == "Key('user')"


async def test_an_exchange_tells_where_it_stands() -> None:
    x = await exchange()
    assert repr(x) == f"<Exchange {x.id} GET / DONE>"
    assert (x.route, x.upstream, x.target, x.attempts) == ("test", "app", "/", 1)
    assert x.started <= x.first_byte <= x.finished
    assert (x.bytes_in, x.bytes_out) == (0, 2)
    assert (x.upstream_status, x.revision) == (200, "test")
    assert x.parent is None
    assert not x.detached


def test_phases_only_move_forward() -> None:
    assert list(Phase) == sorted(Phase)
    assert [phase.name for phase in Phase] == ["INWARD", "ATTEMPT", "UPSTREAM", "OUTWARD", "DELIVER", "DONE"]


@pytest.mark.parametrize("name", ["left", "delivered"])
def test_an_exchange_that_no_engine_has_taken_cannot_be_advanced(name: str) -> None:
    x = Exchange("id", Request("GET", "/"), Peer("192.0.2.1"), None, 0.0)  # type: ignore[arg-type]  # never reached
    with pytest.raises(RuntimeError, match=name):
        getattr(x, name)()
    assert (x.upstream_status, x.revision) == (0, "")


def test_a_peer_is_its_address() -> None:
    peer = Peer("192.0.2.1", 1234)
    assert (str(peer), peer.address, peer.port, peer.trusted) == ("192.0.2.1", "192.0.2.1", 1234, False)
    behind = Peer("192.0.2.1", address="10.0.0.1", trusted=True)
    assert (behind.host, behind.address, behind.trusted) == ("192.0.2.1", "10.0.0.1", True)


def test_an_endpoint_is_its_url() -> None:
    endpoint = Endpoint("http://a.test:81", "http", "a.test", 81)
    assert str(endpoint) == "http://a.test:81"
    assert repr(endpoint) == "<Endpoint http://a.test:81>"
    assert (endpoint.authority, endpoint.weight, endpoint.prefix, endpoint.host_field) == ("a.test:81", 1, "", "")
    assert Endpoint("http://a.test", "http", "a.test", 80, authority="a.test").authority == "a.test"


def test_patience_has_the_defaults_of_the_settings() -> None:
    patience = Patience()
    assert (patience.connect, patience.first_byte, patience.between_bytes) == (5.0, 60.0, 60.0)


class Polite(Plugin[PluginConfig]):
    """Never tells a client of a 503."""

    def on_response(self, exchange: Exchange) -> Response:
        return Response.text(200, "soon")


@pytest.mark.parametrize(
    ("second", "status"), [(Response(404), 404), (Response(503), 503), (ConnectFailed("refused"), 0)]
)
async def test_the_status_of_the_last_try_is_kept(second: Response | GatewayError, status: int) -> None:
    given = iter([Response(503), second])
    async with bench(Polite(PluginConfig())) as made:
        made.upstream.answer = lambda _: next(given)
        made.upstream.retries = 1
        done = await made.send("GET /")
    assert (done.response.status, done.exchange.attempts) == (200, 2)
    assert done.exchange.upstream_status == status
