"""Events as they happen, over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

import pytest
from aiohttp import ClientSession

from proxy.clock import Clock
from proxy.events import (
    ConfigReloaded,
    EventBus,
    PluginError,
    RequestCompleted,
    SystemDraining,
)
from proxy.server.gateway import Gateway
from proxy.server.guard import Refused
from proxy.server.streams import KINDS, MOST, Streams

Start = Callable[..., Awaitable[Gateway]]


class Plain:
    """Takes nothing out."""

    hidden: ClassVar[frozenset[str]] = frozenset()

    def data(self, value: Any) -> Any:
        return value


@pytest.fixture
def bus() -> EventBus:
    return EventBus(Clock())


def streams(**more: Any) -> Streams:
    return Streams(Plain, **more)


def reader(body: Any) -> AsyncIterator[bytes]:
    return aiter(body)


async def test_what_happens_is_told_as_it_happens(bus: EventBus) -> None:
    answer = streams().answer(bus, "config.*, system.*")
    lines = reader(answer.body)
    assert (answer.headers["content-type"], await anext(lines)) == ("text/event-stream", b": listening\n\n")
    bus.publish(PluginError("a", "b"))
    bus.publish(ConfigReloaded("abc", "abd", ("route é changed",)))
    kind, data, *rest = (await anext(lines)).decode().split("\n")
    assert (kind, rest) == ("event: config.reloaded", ["", ""])
    said = json.loads(data.removeprefix("data: "))
    assert said["data"] == {"revision": "abc", "previous": "abd", "summary": ["route é changed"]}
    assert (said["type"], said["subject"]) == ("config.reloaded", "")
    assert said["time"] == pytest.approx(Clock().time(), abs=60)
    answer.close()


async def test_requests_are_told_of_only_to_those_who_name_them(bus: EventBus) -> None:
    made = streams()
    answer = made.answer(bus, "")
    assert not bus.wants(RequestCompleted)
    assert bus.wants(PluginError)
    other = made.answer(bus, "request.completed")
    assert bus.wants(RequestCompleted)
    answer.close()
    other.close()
    assert not bus.wants(RequestCompleted)
    assert len(made) == 0


async def test_silence_is_told_too(bus: EventBus) -> None:
    answer = streams(heartbeat=0.01).answer(bus, "")
    lines = reader(answer.body)
    await anext(lines)
    assert await anext(lines) == b": still here\n\n"
    bus.publish(PluginError("a", "b"))
    assert (await anext(lines)).startswith(b"event: plugin.error\n")
    answer.close()


async def test_who_is_slow_loses_and_is_told_how_many(bus: EventBus) -> None:
    answer = streams(waiting=2).answer(bus, "")
    lines = reader(answer.body)
    await anext(lines)
    for number in range(5):
        bus.publish(PluginError(str(number), "b"))
    told = [(await anext(lines)).decode() for _ in range(3)]
    assert told[0] == 'event: lost\ndata: {"lost": 3}\n\n'
    assert [json.loads(line.partition("data: ")[2])["data"]["plugin"] for line in told[1:]] == ["0", "1"]
    answer.close()


async def test_there_is_a_limit_to_listeners_and_types(bus: EventBus) -> None:
    made = streams()
    answers = [made.answer(bus, "") for _ in range(MOST)]
    with pytest.raises(Refused) as refused:
        made.answer(bus, "")
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "5"})
    for answer in answers:
        answer.close()
    with pytest.raises(Refused) as refused:
        made.answer(bus, ",".join(["a.b"] * (KINDS + 1)))
    assert (refused.value.status, len(made)) == (400, 0)


async def test_the_end_is_told_before_it_ends(start: Start, client: ClientSession) -> None:
    gateway = await start()
    async with client.get(f"{gateway.admin_url}/api/v1/events?type=system.*") as answer:
        await answer.content.readuntil(b"\n\n")
        drain = asyncio.create_task(gateway.drain())
        async with asyncio.timeout(5):
            rest = (await answer.content.read()).decode()
    await drain
    assert rest.startswith(f"event: {SystemDraining.type}\n")
    assert len(gateway.streams) == 0


async def test_a_listener_that_leaves_is_forgotten(start: Start, client: ClientSession) -> None:
    gateway = await start()
    answer = await client.get(f"{gateway.admin_url}/api/v1/events")
    await answer.content.readuntil(b"\n\n")
    assert len(gateway.streams) == 1
    answer.close()
    async with asyncio.timeout(5):
        while len(gateway.streams):
            await asyncio.sleep(0.01)
