"""An outbox that lasts as long as its process: for tests, and for whoever has no disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from proxy.store.records import (
    Attempt,
    Backlog,
    Claim,
    Delivery,
    Due,
    EndpointNotes,
    NewEvent,
    Outcome,
    Selection,
    State,
    StoredEvent,
)
from proxy.store.repositories import EventSource

_CHUNK = 1000  # events forgotten at once


@dataclass(slots=True)
class _Row:
    """A delivery."""

    due: Due
    next_at: float
    state: State = "pending"
    owner: str = ""
    leased_until: float = 0.0
    settled_at: float = 0.0
    error: str = ""

    def is_leased(self, now: float, until: float) -> bool:
        return now < self.leased_until <= until + (until - now)


class _Table:
    """What all repositories of one store share."""

    def __init__(self) -> None:
        self.sequence = 0
        self.events: dict[int, StoredEvent] = {}
        self.ids: dict[str, int] = {}
        self.rows: dict[tuple[int, str], _Row] = {}
        self.attempts: list[Attempt] = []
        self.endpoints: dict[str, EndpointNotes] = {}

    def keep(self, new: NewEvent) -> None:
        if new.id in self.ids:
            return
        self.sequence += 1
        event = StoredEvent(self.sequence, new.id, new.type, new.subject, new.time, new.body)
        self.events[event.sequence] = event
        self.ids[event.id] = event.sequence
        for endpoint, due_at in new.endpoints.items():
            self.rows[event.sequence, endpoint] = _Row(Due(event, endpoint), due_at)

    def forget(self, sequence: int) -> None:
        event = self.events.pop(sequence)
        del self.ids[event.id]
        for key in [key for key in self.rows if key[0] == sequence]:
            del self.rows[key]
        self.attempts = [one for one in self.attempts if one.event_id != event.id]

    def selected(self, wanted: Selection) -> Iterator[_Row]:
        for row in self.rows.values():
            event = row.due.event
            if (
                (not wanted.event_id or event.id == wanted.event_id)
                and (not wanted.endpoint or row.due.endpoint == wanted.endpoint)
                and (not wanted.type or fnmatchcase(event.type, wanted.type))
                and (not wanted.state or row.state == wanted.state)
                and event.time >= wanted.since
                and (not wanted.until or event.time < wanted.until)
            ):
                yield row


class _Events:
    """:see: `proxy.store.repositories.EventRepository`."""

    def __init__(self, table: _Table) -> None:
        self._table = table
        self._sources: list[EventSource] = []

    def feed(self, source: EventSource) -> Callable[[], None]:
        self._sources.append(source)
        loop = asyncio.get_running_loop()
        return lambda: (loop.call_soon(self._draw, source), None)[1]

    def draw_all(self) -> None:
        """Keep what every source has."""
        for source in self._sources:
            while self._draw(source):
                pass

    def _draw(self, source: EventSource) -> int:
        taken = source.take(self._table.sequence + 1)
        for event in taken:
            self._table.keep(event)
        source.settled(None)
        return len(taken)

    async def add(self, make: Callable[[int], NewEvent]) -> NewEvent:
        event = make(self._table.sequence + 1)
        self._table.keep(event)
        return event

    async def get(self, event_id: str) -> StoredEvent | None:
        return self._table.events.get(self._table.ids.get(event_id, 0))

    async def prune(self, before: float, most_bytes: int) -> int:
        table = self._table
        pending = {key[0] for key, row in table.rows.items() if row.state == "pending"}
        dead = {key[0] for key, row in table.rows.items() if row.state == "dead"}
        free = [event for event in table.events.values() if event.sequence not in pending]
        old = [event.sequence for event in free if event.time < before][:_CHUNK]
        over = sum(len(event.body) for event in table.events.values()) - most_bytes
        for event in sorted(free, key=lambda event: (event.sequence in dead, event.sequence)) if not old else ():
            if over <= 0 or len(old) == _CHUNK:
                break
            over -= len(event.body)
            old.append(event.sequence)
        for sequence in old:
            table.forget(sequence)
        return len(old)


class _Deliveries:
    """:see: `proxy.store.repositories.DeliveryRepository`."""

    def __init__(self, table: _Table) -> None:
        self._table = table

    def _pending(self, endpoint: str) -> list[_Row]:
        return [row for row in self._table.rows.values() if row.due.endpoint == endpoint and row.state == "pending"]

    async def claim(
        self, endpoint: str, owner: str, now: float, until: float, limit: int, *, ordered: bool = False
    ) -> Claim:
        if ordered:
            rows = sorted(self._pending(endpoint), key=lambda row: row.due.event.sequence)[:1]
        else:
            rows = sorted(self._pending(endpoint), key=lambda row: (row.next_at, row.due.event.sequence))
        free = [row for row in rows if not row.is_leased(now, until)]
        ready = [row for row in free if row.next_at <= now][:limit]
        for row in ready:
            row.owner, row.leased_until = owner, until
        left = [row.next_at for row in free if row not in ready]
        return Claim(tuple(row.due for row in ready), min(left, default=None))

    async def settle(self, outcome: Outcome) -> bool:
        due = outcome.due
        row = self._table.rows.get((due.event.sequence, due.endpoint))
        if row is None or row.due.event.id != due.event.id:
            return False
        made = outcome.at, outcome.duration_ms, outcome.status, outcome.error, outcome.answer
        self._table.attempts.append(Attempt(due.event.id, due.endpoint, *made))
        is_owner = row.owner == outcome.owner and row.state == "pending"
        if not is_owner and (outcome.then != "done" or row.state == "done"):
            return False
        row.due = replace(
            row.due,
            attempts=row.due.attempts + 1,
            status=outcome.status,
            alike=outcome.alike,
            failed_since=outcome.failed_since,
        )
        row.state, row.next_at, row.error = outcome.then, outcome.next_at, outcome.error
        row.settled_at = 0.0 if outcome.then == "pending" else outcome.at
        row.owner, row.leased_until = "", 0.0
        return is_owner

    async def next_due(self, endpoint: str) -> float | None:
        return min((row.next_at for row in self._pending(endpoint) if not row.owner), default=None)

    async def release(self, owner: str) -> None:
        for row in self._table.rows.values():
            if row.owner == owner:
                row.owner, row.leased_until = "", 0.0

    async def replay(self, selection: Selection, now: float) -> int:
        rows = [row for row in self._table.selected(selection) if row.state != "pending"]
        for row in rows:
            row.due = Due(row.due.event, row.due.endpoint)
            row.state, row.next_at, row.settled_at, row.error = "pending", now, 0.0, ""
        return len(rows)

    async def hurry(self, endpoint: str, now: float) -> int:
        rows = [row for row in self._pending(endpoint) if not row.owner and row.next_at > now]
        for row in rows:
            row.next_at = now
        return len(rows)

    async def find(self, selection: Selection, limit: int) -> Sequence[Delivery]:
        rows = sorted(self._table.selected(selection), key=lambda row: (-row.due.event.sequence, row.due.endpoint))
        return [_delivery(row) for row in rows[:limit]]

    async def attempts(self, event_id: str, limit: int = 1000) -> Sequence[Attempt]:
        return [one for one in self._table.attempts if one.event_id == event_id][:limit]

    async def backlog(self) -> Mapping[str, Backlog]:
        found: dict[str, Backlog] = {}
        for endpoint in {row.due.endpoint for row in self._table.rows.values() if row.state != "done"}:
            times = [row.due.event.time for row in self._pending(endpoint)]
            rows = self._table.rows.values()
            dead = sum(1 for row in rows if row.due.endpoint == endpoint and row.state == "dead")
            found[endpoint] = Backlog(len(times), dead, min(times, default=0.0))
        return found


def _delivery(row: _Row) -> Delivery:
    event, due = row.due.event, row.due
    about = event.id, event.type, event.subject, event.time
    return Delivery(*about, due.endpoint, row.state, due.attempts, row.next_at, row.settled_at, due.status, row.error)


class _Endpoints:
    """:see: `proxy.store.repositories.EndpointRepository`."""

    def __init__(self, table: _Table) -> None:
        self._known = table.endpoints

    def _get(self, endpoint: str) -> EndpointNotes:
        return self._known.get(endpoint, EndpointNotes(endpoint, "", 0.0, ""))

    async def own(self, endpoint: str, owner: str, now: float, until: float) -> EndpointNotes | None:
        known = self._get(endpoint)
        if known.owner not in ("", owner) and now < known.owned_until <= until + (until - now):
            return None
        self._known[endpoint] = found = replace(known, owner=owner, owned_until=until)
        return found

    async def latest(self) -> float:
        return max((known.owned_until for known in self._known.values()), default=0.0)

    async def disown(self, owner: str) -> None:
        for known in self._known.values():
            if known.owner == owner:
                self._known[known.id] = replace(known, owner="")

    async def save(self, endpoint: str, state: str) -> None:
        self._known[endpoint] = replace(self._get(endpoint), state=state)

    async def ask(self, endpoint: str, asked: str) -> None:
        self._known[endpoint] = replace(self._get(endpoint), asked=asked)

    async def all(self) -> Sequence[EndpointNotes]:
        return sorted(self._known.values(), key=lambda one: one.id)


class MemoryStore:
    """:see: `proxy.store.repositories.Store`."""

    def __init__(self) -> None:
        table = _Table()
        self.events = _Events(table)
        self.deliveries = _Deliveries(table)
        self.endpoints = _Endpoints(table)

    async def close(self) -> None:
        """:see: `proxy.store.repositories.Store.close`."""
        self.events.draw_all()
