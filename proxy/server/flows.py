"""Answers of the admin API that go on: a worker's side, piece by piece over its channel."""

from __future__ import annotations

import asyncio
import itertools

from proxy.message import Response
from proxy.server.channel import Channel
from proxy.server.orders import Reply


class Flows:
    """Turns responses into replies: bodies that are whole go with the reply, others follow it.

    :param channel: to the supervisor, which says `flow` when it is ready for a stream and `enough` when nobody reads it
        any more.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._numbers = itertools.count(1)
        self._held: dict[int, Response] = {}
        self._flowing: dict[int, asyncio.Task[None]] = {}
        channel.on("flow", self._begin)
        channel.on("enough", self._enough)

    async def answer(self, response: Response) -> Reply:
        """A response as it travels."""
        headers = tuple(response.headers.items())
        if response.body.data is not None:
            return Reply(response.status, headers, response.body.data)
        number = next(self._numbers)
        self._held[number] = response
        return Reply(response.status, headers, b"", number)

    async def _begin(self, number: int) -> None:
        response = self._held.pop(number, None)
        if response is not None:
            self._flowing[number] = asyncio.get_running_loop().create_task(self._flow(number, response))

    async def _flow(self, number: int, response: Response) -> None:
        try:
            async for piece in response.body:
                self._channel.tell("piece", (number, bytes(piece)))
                await self._channel.drained()
        finally:
            response.close()
            self._flowing.pop(number, None)
            self._channel.tell("end", number)

    async def _enough(self, number: int) -> None:
        held = self._held.pop(number, None)
        if held is not None:
            held.close()
        task = self._flowing.get(number)
        if task is not None:
            task.cancel()
