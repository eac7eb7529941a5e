"""From the bus into the outbox: what an endpoint subscribes to waits here until the store has it on disk.

Publishing costs an append. The store's own thread comes and takes what waits, and makes ids and JSON there: so neither
does a busy loop keep an event from the disk, nor does the disk keep the loop. What the store could not keep stays here
and is offered again.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from plugins.webhook.config import EndpointConfig
from plugins.webhook.envelope import body, envelope, new_id
from plugins.webhook.filters import compile_filter
from proxy.api import Brake, Event, EventClass, NewEvent, StoreUnavailable

SIZES: Mapping[EventClass, int] = {EventClass.A: 10_000, EventClass.B: 10_000, EventClass.C: 4096}
_MOST = 200  # events in one transaction
_PRESSED, _EASED = 0.8, 0.5  # shares of the room for class A: from the first on requests wait, until the second


class Subscription:
    """One endpoint's interest."""

    def __init__(self, config: EndpointConfig) -> None:
        self.id = config.id
        self.first = config.retry.schedule[0]
        self.wants = config.wants
        self._fits = compile_filter(config.filter)

    def takes(self, event: Event, told: Mapping[str, Any]) -> bool:
        """Whether an event is owed to it. None about itself is: its failing would make more of what fails."""
        if not self.wants(type(event)):
            return False
        about = event.type.startswith("webhook.") and told["data"].get("endpoint") == self.id
        return not about and self._fits(told)


class Intake:
    """:see: `proxy.store.repositories.EventSource`.

    :param now: seconds since the epoch by which deliveries are scheduled.
    :param kept: called in the store's thread when something was kept, or could not be.
    :param brake: has requests wait while there is hardly room for events of class A.
    :ivar lost: events that found no room, by type.
    :ivar trouble: why the store keeps nothing; empty when it does.
    """

    def __init__(
        self,
        endpoints: Sequence[EndpointConfig],
        source: str,
        now: Callable[[], float],
        log: logging.Logger,
        kept: Callable[[], None],
        brake: Brake,
    ) -> None:
        self._subscriptions = [Subscription(endpoint) for endpoint in endpoints]
        self._source = source
        self._now = now
        self._log = log
        self._kept = kept
        self._brake = brake
        self._rings: dict[EventClass, deque[Event]] = {klass: deque() for klass in EventClass}
        self._held: list[tuple[str, Event]] = []
        self.wake: Callable[[], None] = lambda: None
        self.lost: Counter[str] = Counter()
        self.trouble = ""
        self._alarmed = False  # once until all is kept again

    def wants(self, kind: type[Event]) -> bool:
        """Whether some endpoint subscribes to events of a class."""
        return any(one.wants(kind) for one in self._subscriptions)

    def waiting(self, klass: EventClass) -> int:
        """How many events of a class wait."""
        return len(self._rings[klass])

    def put(self, event: Event) -> None:
        """Have an event kept; on the loop."""
        ring = self._rings[event.klass]
        if len(ring) < SIZES[event.klass]:
            ring.append(event)
        elif event.klass is EventClass.C:
            self._lose(ring.popleft())
            ring.append(event)
        else:
            self._lose(event)
        self.wake()
        if event.klass is EventClass.A and len(ring) >= _PRESSED * SIZES[EventClass.A] and not self.trouble:
            self._brake.press(self)

    def ease(self) -> None:
        """Let requests go on if there is room again, or if waiting makes none; on the loop, when `kept` was called."""
        waiting = self.waiting(EventClass.A)
        self._alarmed = self._alarmed and waiting > 0
        if waiting <= _EASED * SIZES[EventClass.A] or self.trouble:
            self._brake.ease(self, empty=not waiting)

    def _lose(self, event: Event) -> None:
        if event.klass is EventClass.A and not self._alarmed:
            self._alarmed = True
            self._log.critical("events are lost: %s", self.trouble or "they come faster than they can be kept")
        self.lost[event.type] += 1

    # in the store's thread

    def take(self, sequence: int) -> Sequence[NewEvent]:
        """:see: `proxy.store.repositories.EventSource.take`."""
        while len(self._held) < _MOST and (event := self._next()) is not None:
            self._held.append((new_id(), event))
        found: list[NewEvent] = []
        for event_id, event in self._held:
            made = self._made(event_id, event, sequence + len(found))
            if made is not None:
                found.append(made)
        return found

    def settled(self, error: StoreUnavailable | None) -> None:
        """:see: `proxy.store.repositories.EventSource.settled`."""
        if error is not None:
            self.trouble = str(error)
            self._kept()
            return
        self.trouble = ""
        if self._held:
            self._held.clear()
            self._kept()

    def _next(self) -> Event | None:
        for ring in self._rings.values():
            try:
                return ring.popleft()
            except IndexError:
                continue
        return None

    def _made(self, event_id: str, event: Event, sequence: int) -> NewEvent | None:
        """What is to be kept of an event; None when it is owed to nobody, or cannot be told."""
        try:
            told = envelope(event, event_id, self._source)
            now = self._now()
            owed = {one.id: now + one.first for one in self._subscriptions if one.takes(event, told)}
            content = body(told, sequence) if owed else b""
        except Exception:
            self._log.exception("an event cannot be told: %s", type(event).__name__)
            return None
        return NewEvent(event_id, event.type, event.subject, event.time, content, owed) if owed else None
