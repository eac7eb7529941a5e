"""A courier on a store in memory, by a clock of the test's own, to an endpoint that answers what the test says."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plugins.webhook.config import EndpointConfig
from plugins.webhook.courier import Budget, Courier, Tools
from plugins.webhook.figures import Figures
from plugins.webhook.sender import Sender
from plugins.webhook.steady import Steady
from proxy.api import Clock, Event, GatewayError, MemoryStore, Metrics, NewEvent, Response, Store
from proxy.body import Body
from proxy.testing import ManualClock, ScriptedHttp

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://hooks.example.com/gw"


@dataclass
class Sent:
    """One request."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass
class Receiver(ScriptedHttp):
    """Answers with a status, or with what is set for an id.

    :ivar gate: held shut, nothing is answered.
    """

    clock: Clock = field(default_factory=ManualClock)
    status: int = 204
    fields: dict[str, str] = field(default_factory=dict)
    by_id: dict[str, int] = field(default_factory=dict)
    error: GatewayError | None = None
    received: list[Sent] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    most: int = 0
    open: int = 0

    def guarded(self, *_: object, **__: object) -> Any:
        return self

    async def close(self) -> None:
        pass

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float, keep: int
    ) -> Response:
        self.received.append(Sent(url, headers, body, self.clock.time()))
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await self.gate.wait()
        finally:
            self.open -= 1
        if self.error is not None:
            raise self.error
        status = self.by_id.get(headers["webhook-id"], self.status)
        return Response(status, self.fields, Body(b"thanks"[:keep]))

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.received]


class Stage:
    """One endpoint, and all around it."""

    def __init__(
        self,
        *,
        store: Store | None = None,
        clock: ManualClock | None = None,
        owner: str = "me",
        first: int = 1,
        **more: Any,
    ) -> None:
        self.clock = clock or ManualClock()
        self.store = store or MemoryStore()
        self.receiver = Receiver(clock=self.clock)
        self.receiver.gate.set()
        self.events: list[Event] = []
        self.metrics = Metrics()
        self.budget = Budget(200)
        self.config = EndpointConfig(**{"id": "ops", "url": URL, "secret": SECRET, "retry": {"jitter": "0%"}, **more})
        tools = Tools(
            self.store,
            Steady(self.clock),
            random.Random(1),
            owner,
            self.events.append,
            self.budget,
            Figures(self.metrics),
            logging.getLogger("test"),
        )
        self.courier = Courier(self.config, Sender(self.config, self.receiver, self.clock), tools)
        self._number = first - 1

    async def owe(self, count: int = 1, kind: str = "quota.low") -> list[str]:
        """Have events kept that are owed to the endpoint."""
        ids = []
        for _ in range(count):
            self._number += 1
            ids.append(f"id{self._number}")
            now = self.clock.time()
            event = NewEvent(ids[-1], kind, "", now, b'{"type": "quota.low", "data": {}}', {self.config.id: now})
            await self.store.events.add(lambda _, event=event: event)  # type: ignore[misc]  # a lambda's default
        return ids

    async def run(self) -> float:
        """Rounds until nothing more begins; what has begun ends. :returns: what the last round said."""
        if self.receiver.gate.is_set():
            await self.courier.land()
        while True:
            before = len(self.receiver.received)
            seconds = await self.courier.round()
            if self.receiver.gate.is_set():
                await self.courier.land()
            if len(self.receiver.received) == before and not self.courier.flying:
                return seconds
            if not self.receiver.gate.is_set():
                await asyncio.sleep(0)
                return seconds

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and deliver what is due then."""
        self.clock.advance(seconds)
        await self.run()

    def told(self) -> list[str]:
        """Types of what was published."""
        return [event.type for event in self.events]
