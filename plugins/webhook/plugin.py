"""The plugin: puts the parts together, and takes them apart again."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress

from plugins.webhook.config import Config, EndpointConfig, check_pattern
from plugins.webhook.courier import Budget, Courier, Tools
from plugins.webhook.desk import Desk
from plugins.webhook.figures import Figures
from plugins.webhook.intake import Intake
from plugins.webhook.sender import Sender
from plugins.webhook.steady import Steady
from plugins.webhook.turns import Turns
from proxy.api import (
    Event,
    EventBus,
    EventClass,
    Plugin,
    Rank,
    Services,
    Store,
    StoreUnavailable,
    is_built_in,
    known_events,
)

STORE = "webhooks"

_LOOK_EVERY = 5.0  # seconds between two looks at the backlog
_PRUNE_EVERY = 600.0  # seconds
_PATIENCE = 5.0  # seconds that attempts under way have at the end


class Webhook(Plugin[Config]):
    """Keeps events for endpoints, and delivers them."""

    rank = Rank.EVENTS

    _turns: Turns[Webhook] = Turns()

    _store: Store | None = None
    _services: Services

    def configured(self) -> None:
        _check_types(self.config)

    def doubts(self) -> list[str]:
        return [doubt for endpoint in self.config.endpoints for doubt in endpoint.doubts]

    async def start(self, services: Services) -> None:
        self._services = services
        endpoints = [endpoint for endpoint in self.config.endpoints if endpoint.enabled]
        if not self.config.endpoints:
            return
        self._store = services.store(STORE)
        self._now = Steady(services.clock)
        self._owner = uuid.uuid4().hex
        self._figures = Figures(services.metrics)
        self._couriers = self._made(self._store, endpoints)
        self._listen(self._store, endpoints)
        Desk(self.config, self._store, self._now, self._wake).register(services.admin)
        self._tasks = [services.spawn(courier.run()) for courier in self._couriers]
        self._tasks.append(services.spawn(self._keep_house(self._store)))
        self._turns.join(services.events, self)

    def _made(self, store: Store, endpoints: list[EndpointConfig]) -> list[Courier]:
        services = self._services
        tools = Tools(
            store,
            self._now,
            services.random,
            self._owner,
            services.events.publish,
            Budget(self.config.in_flight),
            self._figures,
            services.log,
        )
        return [Courier(one, Sender(one, services.http, services.clock), tools) for one in endpoints]

    def _listen(self, store: Store, endpoints: list[EndpointConfig]) -> None:
        """Take events from the bus into the store."""
        loop, services = asyncio.get_running_loop(), self._services

        def kept() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody is there to be woken
                loop.call_soon_threadsafe(self._kept)

        self._intake = Intake(endpoints, self.config.source, self._now, services.log, kept, services.events.brake)
        self._intake.wake = store.events.feed(self._intake)
        self._unsubscribe = services.events.subscribe(self._intake.wants, self._put, owner="webhook")
        self._measure(services.events)

    def _measure(self, bus: EventBus) -> None:
        metrics, intake = self._services.metrics, self._intake
        metrics.gauge(
            "passerelle_webhook_waiting",
            "Events that wait to be written to disk, by class.",
            ("class",),
            lambda: {(klass.value,): float(intake.waiting(klass)) for klass in EventClass},
        )
        metrics.gauge(
            "passerelle_webhook_store_ok",
            "Whether the outbox can be written.",
            (),
            lambda: 0.0 if intake.trouble else 1.0,
        )
        self._uncount = bus.count_drops(intake.lost)

    def play(self, *, has_turn: bool) -> None:
        """:see: `plugins.webhook.turns.Player.play`."""
        self._has_turn = has_turn
        for courier in self._couriers:
            courier.resting = not has_turn
            courier.wake()
        if not has_turn and self._store is not None:
            self._services.spawn(self._disown(self._store))

    def _put(self, event: Event) -> None:
        if self._has_turn:
            self._intake.put(event)

    def _kept(self) -> None:
        self._intake.ease()
        self._wake()

    def _wake(self) -> None:
        for courier in self._couriers:
            courier.wake()

    async def _disown(self, store: Store) -> None:
        with suppress(StoreUnavailable):
            await store.endpoints.disown(self._owner)

    async def stop(self) -> None:
        store, self._store = self._store, None
        if store is None:
            return
        self._unsubscribe()
        self._uncount()
        self._services.events.brake.ease(self._intake, empty=False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await asyncio.gather(*(courier.land() for courier in self._couriers))
        await asyncio.gather(*(courier.close() for courier in self._couriers))
        with suppress(StoreUnavailable):
            await store.deliveries.release(self._owner)
            await store.endpoints.disown(self._owner)
        self._turns.leave(self._services.events, self)
        await store.close()

    async def _keep_house(self, store: Store) -> None:
        """Look at the backlog now and then, and forget what is old."""
        next_prune = 0.0
        while True:
            with suppress(StoreUnavailable):
                await self.look()
                if self._now() >= next_prune:
                    next_prune = self._now() + _PRUNE_EVERY
                    await self._prune(store)
            await asyncio.sleep(_LOOK_EVERY)

    async def look(self) -> None:
        """Have the metrics know the backlog. :raises StoreUnavailable: when the store is."""
        if self._store is not None:
            mine = {courier.config.id for courier in self._couriers if courier.health is not None}
            self._figures.backlog(mine, await self._store.deliveries.backlog(), self._now.wall())

    async def _prune(self, store: Store) -> None:
        """Forget what is old or too much, a part at a time, so that nobody waits long for the store."""
        config = self.config
        while await store.events.prune(self._now.wall() - config.keep, config.keep_at_most):
            pass


def _check_types(config: Config) -> None:
    """:raises ValueError: for an event that neither the gateway nor any plugin that was loaded knows."""
    types = known_events()
    for endpoint in config.endpoints:
        for pattern in endpoint.events:
            if not is_built_in(pattern):
                check_pattern(pattern, types)
