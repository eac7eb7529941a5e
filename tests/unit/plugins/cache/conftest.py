"""A gateway with the cache between real sockets, at a time that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import pytest

from plugins.cache.plugin import HttpCache
from proxy.clock import ManualClock
from proxy.message import Body, Response
from proxy.testing import Conversation, GatewayKit, running

Started: TypeAlias = Callable[..., AbstractAsyncContextManager[GatewayKit]]
Fresh: TypeAlias = Callable[..., Response]


@pytest.fixture
def cached() -> Started:
    """Starts a gateway whose chain is the cache with the options given; plugins behind it may be added."""

    @asynccontextmanager
    async def start(*more: Any, **options: Any) -> AsyncIterator[GatewayKit]:
        async with running(plugins=[(HttpCache, options), *more], clock=ManualClock()) as kit:
            yield kit

    return start


@pytest.fixture
def fresh() -> Fresh:
    """Makes an answer that is fresh for a minute."""

    def make(body: str = "ok", status: int = 200, **fields: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        return Response.text(status, body, {"Cache-Control": "max-age=60", **named})

    return make


class Gate:
    """An origin that answers when it is told to.

    :ivar asked: set when a request has come.
    :ivar open: set to let its answer go on: the head, and with `parts` one piece after the other.
    """

    def __init__(self, *responses: Response, parts: tuple[bytes, ...] = ()) -> None:
        self._responses = list(responses)
        self._parts = parts
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.count = 0

    async def __call__(self, conversation: Conversation) -> None:
        self.count += 1
        self.asked.set()
        await conversation.upload()
        await self.open.wait()
        response = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
        if self._parts:
            response = Response(response.status, response.headers.copy(), Body.of(self._flow()))
        await conversation.answer(response)

    async def _flow(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part
            await self.goes_on.wait()


@pytest.fixture
def gate() -> type[Gate]:
    return Gate


async def turns(condition: Callable[[], bool]) -> None:
    """Wait until something has come about."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Any]:
    return turns
