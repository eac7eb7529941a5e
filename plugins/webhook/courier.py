"""Delivers what one endpoint is owed: claims what is due, sends it, and writes down what came of it.

Of several processes one delivers to an endpoint at a time, so that its pace and its breaker are those of the whole
server; it holds the endpoint by a short lease, and each delivery by one that outlives the attempt.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from plugins.webhook.config import EndpointConfig
from plugins.webhook.figures import Figures
from plugins.webhook.formats import BATCH, message
from plugins.webhook.health import Health, Mark
from plugins.webhook.pace import Pace
from plugins.webhook.sender import Sender
from plugins.webhook.signing import Secret
from plugins.webhook.steady import Steady
from plugins.webhook.verdict import Reply, Schedule, Verdict, judge, pause
from proxy.api import (
    Due,
    Event,
    Outcome,
    Store,
    StoreUnavailable,
    WebhookDeliveryDead,
    WebhookEndpointDisabled,
    WebhookEndpointFailing,
    WebhookEndpointRecovered,
)

_OWNED = 5.0  # seconds for which an endpoint is held
_LOOK_EVERY = 1.0  # seconds between two looks at what other processes and operators have done
_LOOK_SOON = 0.25  # the same while leases of a process that is gone may come to their end
_MARGIN = 15.0  # seconds that a lease outlives the attempt
_SETTLE_AGAIN = (0.1, 0.3, 1.0, 3.0, 5.0)  # seconds between tries to write an outcome down


class Budget:
    """Requests under way to all endpoints together."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: list[asyncio.Event] = []

    def free(self, wake: asyncio.Event) -> int:
        """How many more may begin; who finds none is woken when there are some."""
        if self._free <= 0 and wake not in self._waiting:
            self._waiting.append(wake)
        return self._free

    def take(self) -> None:
        """One begins."""
        self._free -= 1

    def give(self) -> None:
        """One is over."""
        self._free += 1
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake.set()


@dataclass(frozen=True, slots=True)
class Tools:
    """What all couriers share.

    :ivar now: the time by which deliveries are scheduled.
    :ivar owner: the name of this process in leases.
    :ivar publish: tells on the bus.
    """

    store: Store
    now: Steady
    randomness: random.Random
    owner: str
    publish: Callable[[Event], None]
    budget: Budget
    figures: Figures
    log: logging.Logger


class Courier:
    """Delivers to one endpoint.

    :ivar health: how the endpoint is doing; None while another process delivers to it.
    :ivar resting: whether this process leaves it to another.
    """

    def __init__(self, config: EndpointConfig, sender: Sender, tools: Tools) -> None:
        self.config = config
        self._sender = sender
        self._tools = tools
        self._schedule = Schedule(config.retry.schedule, config.retry.jitter, tools.randomness)
        self._pace = Pace(config.pace.per_second, tools.now())
        self._flying: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._held_until = 0.0
        self._soon_until = 0.0
        self._saved: Mark = ()
        self._told_of_secrets = False
        self.health: Health | None = None
        self.resting = False

    @property
    def flying(self) -> int:
        """Requests under way."""
        return len(self._flying)

    @property
    def look_every(self) -> float:
        """Seconds between two looks at what is due: fewer until what another process has left under way is due."""
        return _LOOK_SOON if self._tools.now() < self._soon_until else _LOOK_EVERY

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._wake.clear()
            try:
                seconds = await self.round()
            except StoreUnavailable as error:
                self._tools.log.debug("endpoint %s waits for the store: %s", self.config.id, error)
                seconds = _LOOK_EVERY
            if seconds > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(seconds, self.look_every)):
                        await self._wake.wait()

    async def land(self) -> None:
        """Let what is under way end; its outcome is written down."""
        if self._flying:
            await asyncio.wait(self._flying)

    async def close(self) -> None:
        """Break off what is still under way: its lease will end, and it is tried again."""
        flying = list(self._flying)
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)
        await self._sender.close()

    async def round(self) -> float:
        """Begin what may begin now.

        :returns: seconds until there may be more.
        :raises StoreUnavailable: when the store is.
        """
        now = self._tools.now()
        health = None if self.resting else await self._held(now)
        if health is None or health.notes.disabled:
            return _LOOK_EVERY
        if (left_alone := health.wait(now)) > 0:
            return left_alone
        room = self._room(health, now)
        return await self._claim(health, now, room) if room > 0 else self._pace.wait(now) or _LOOK_EVERY

    async def _claim(self, health: Health, now: float, room: int) -> float:
        ordered = self.config.ordered
        most = BATCH if self.config.format == "batch" else room
        until = now + self.config.timeouts.total + _MARGIN
        claim = await self._tools.store.deliveries.claim(
            self.config.id, self._tools.owner, now, until, most, ordered=ordered
        )
        for dues in self._messages(claim.due):
            self._begin(dues, health)
        if len(claim.due) == most:
            return 0.0
        return _LOOK_EVERY if claim.next_at is None else max(0.0, claim.next_at - self._tools.now())

    def _room(self, health: Health, now: float) -> int:
        """How many requests may begin."""
        most = 1 if health.is_probing or self.config.ordered else self.config.pace.in_flight
        return min(most - self.flying, self._pace.free(now), self._tools.budget.free(self._wake))

    def _messages(self, due: Sequence[Due]) -> list[list[Due]]:
        """What goes in one request."""
        if self.config.format == "batch":
            return [list(due)] if due else []
        return [[one] for one in due]

    async def _held(self, now: float) -> Health | None:
        """How the endpoint is doing, if this process is the one to deliver to it."""
        if self.health is not None and now < self._held_until - _OWNED + _LOOK_EVERY:
            return self.health
        self._tools.now.hear(await self._tools.store.endpoints.latest() - _OWNED)
        now = self._tools.now()
        notes = await self._tools.store.endpoints.own(self.config.id, self._tools.owner, now, now + _OWNED)
        if notes is None:
            self.health = None
            return None
        self._held_until = now + _OWNED
        if self.health is None:
            self.health = Health(notes.state, self.config.mark)
            self._saved = ()
            self._soon_until = now + self.config.timeouts.total + _MARGIN + _LOOK_EVERY
            rotated = self.health.rotate(self.config.key, now)
            if self.health.anew:
                await self._tools.store.deliveries.hurry(self.config.id, now)
            if rotated or self.health.anew:
                await self._save(self.health)
        if notes.asked != self.health.notes.asked:
            await self._heed(self.health, notes.asked)
        return self.health

    async def _heed(self, health: Health, asked: str) -> None:
        """Do what an operator asked for: `enable` or `disable`, and a mark that tells it from the last time."""
        health.notes.asked = asked
        if asked.startswith("enable"):
            health.enable()
            self._pace.slow(self._tools.now())
            await self._tools.store.deliveries.hurry(self.config.id, self._tools.now())
        elif asked:
            health.disable("an operator asked for it")
        await self._save(health)

    def _begin(self, dues: list[Due], health: Health) -> None:
        self._pace.take()
        self._tools.budget.take()
        task = asyncio.get_running_loop().create_task(self._attempt(dues, health))
        self._flying.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        self._tools.budget.give()
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tools.log.error("an attempt at %s failed in itself", self.config.id, exc_info=error)

    # one attempt

    async def _attempt(self, dues: list[Due], health: Health) -> None:
        tools = self._tools
        began = tools.now()
        reply = await self._sender.send(
            message([due.event for due in dues], self.config.format), self._secrets(health, began)
        )
        now = tools.now()
        before = health.notes.last_success
        rest = pause(reply, tools.now.wall())
        events = self._judged(reply, health, now, rest)
        for due in dues:
            verdict = judge(
                due,
                reply,
                now,
                self._schedule,
                paused_until=health.notes.paused,
                others_pass=before > (due.failed_since or began),
            )
            tools.figures.attempt(self.config.id, due.event, reply, tools.now.wall() - due.event.time)
            await self._settle(self._outcome(due, reply, verdict, began, now))
            if verdict.then == "dead":
                events.append(self._dead(due, reply, verdict, health))
        for event in events:
            tools.publish(event)

    def _secrets(self, health: Health, now: float) -> tuple[Secret, ...]:
        """What is signed with now: the current secret, and for a day those before it."""
        secrets = self.config.secrets
        if len(secrets) == 1 or health.rotating(now):
            return secrets
        if not self._told_of_secrets:
            self._told_of_secrets = True
            self._tools.log.warning("the previous secret of endpoint %s signs no more: take it out", self.config.id)
        return secrets[:1]

    def _judged(self, reply: Reply, health: Health, now: float, rest: float) -> list[Event]:
        """Take note of what the endpoint did. :returns: what is to be told of it."""
        name = self.config.id
        if reply.is_success:
            was_probing = health.is_probing
            before = health.succeeded(now, reply.status)
            if was_probing:
                self._pace.slow(now)
            if before is None:
                return []
            since = self._tools.now.shown(before.since)
            return [WebhookEndpointRecovered(name, since, before.failures, before.last_status)]
        told: list[Event] = []
        if health.failed(now, reply.status, rest):
            told.append(WebhookEndpointFailing(name, self._since(health), health.notes.failures, reply.status))
        why = health.given_up(now, reply.status)
        if why and not health.notes.disabled:
            health.disable(why)
            told.append(WebhookEndpointDisabled(name, self._since(health), health.notes.failures, reply.status, why))
        return told

    def _since(self, health: Health) -> float:
        """When it began to fail, as people know it."""
        return self._tools.now.shown(health.notes.since)

    def _outcome(self, due: Due, reply: Reply, verdict: Verdict, began: float, now: float) -> Outcome:
        return Outcome(
            due,
            self._tools.owner,
            verdict.then,
            verdict.next_at,
            began,
            round((now - began) * 1000, 3),
            reply.status,
            verdict.why or reply.words,
            reply.answer,
        )

    def _dead(self, due: Due, reply: Reply, verdict: Verdict, health: Health) -> Event:
        since = self._tools.now.shown(due.failed_since or health.notes.since)
        self._tools.figures.dead(self.config.id)
        self._tools.log.warning("event %s is not delivered to %s: %s", due.event.id, self.config.id, verdict.why)
        return WebhookDeliveryDead(self.config.id, since, due.attempts + 1, reply.status, due.event.id, due.event.type)

    async def _settle(self, outcome: Outcome) -> None:
        """Write an outcome down. When that cannot be done the lease ends, and it is delivered again."""
        for seconds in (*_SETTLE_AGAIN, None):
            try:
                settled = self._tools.store.deliveries.settle(outcome)
                if self.health is not None and self.health.mark != self._saved:
                    await asyncio.gather(settled, self._save(self.health))
                else:
                    await settled
                return
            except StoreUnavailable:
                if seconds is None:
                    self._tools.log.error("what became of event %s was not kept", outcome.due.event.id)
                    return
                await asyncio.sleep(seconds)

    async def _save(self, health: Health) -> None:
        """Keep the notes."""
        mark = health.mark
        await self._tools.store.endpoints.save(self.config.id, health.text())
        self._saved = mark
