"""Clients' ends that are no connection, on their own; what they are for is tested with the engine."""

from __future__ import annotations

import asyncio

from proxy.body import Body
from proxy.errors import ClientLeft, GatewayError
from proxy.exchange import Exchange
from proxy.message import Response
from proxy.ports import Drain, FetchPort
from proxy.stream import Stream
from proxy.testing import drive


class Told:
    """A driver that notes how exchanges end."""

    def __init__(self) -> None:
        self.ends: list[GatewayError | None] = []

    def delivered(self, exchange: Exchange, error: GatewayError | None) -> None:
        self.ends.append(error)


class Source:
    """Of a body that a test feeds."""

    def pause(self) -> None:
        """It may."""

    def resume(self) -> None:
        """It may."""

    def wanted(self) -> None:
        """It will come."""

    def abandon(self) -> None:
        """It ends here."""


async def exchange(response: Response | None) -> tuple[Exchange, Told]:
    x, told = (await drive()).exchange, Told()
    x.driver = told  # type: ignore[assignment]  # only the ends are looked at
    x.response = response
    return x, told


async def test_an_answer_for_who_has_stopped_fetching_ends_as_one_without_a_client() -> None:
    x, told = await exchange(Response(200))
    port = FetchPort()
    port.future = asyncio.get_running_loop().create_future()
    port.future.cancel()
    port.deliver(x)
    assert [type(error) for error in told.ends] == [ClientLeft]


async def test_what_is_fetched_is_over_when_its_body_is() -> None:
    stream = Stream(Source(), None)
    x, told = await exchange(Response(200, {}, stream))
    port = FetchPort()
    port.future = asyncio.get_running_loop().create_future()
    port.deliver(x)
    assert port.future.result() is x.response
    assert told.ends == []
    stream.finish()
    assert told.ends == [None]


async def test_what_is_drained_is_over_when_its_body_is() -> None:
    x, told = await exchange(Response(200, {}, Body(b"whole")))
    drain = Drain(x, asyncio.create_task)
    drain.deliver(x)
    assert told.ends == [None]
    assert not drain.full
    await drain.drained()


async def test_what_is_drained_and_breaks_off_tells_why() -> None:
    stream = Stream(Source(), None)
    x, told = await exchange(Response(200, {}, stream))
    Drain(x, asyncio.create_task).deliver(x)
    error = GatewayError("gone")
    stream.feed(b"half")
    stream.fail(error)
    assert told.ends == [error]
