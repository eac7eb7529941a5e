"""An outbox in a SQLite file, which any number of processes of one machine may share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from proxy.store.file import File
from proxy.store.records import EndpointNotes, NewEvent, StoredEvent
from proxy.store.repositories import EventSource
from proxy.store.sqlite_deliveries import SqliteDeliveries
from proxy.store.thread import Alarm, Thread

_CHUNK = 1000  # events forgotten at once, so that nobody waits long behind that

_KEEP = "INSERT OR IGNORE INTO event (sequence, id, type, subject, time, body) VALUES (?, ?, ?, ?, ?, ?)"
_OWE = "INSERT OR IGNORE INTO delivery (event, endpoint, next_at) SELECT sequence, ?, ? FROM event WHERE id = ?"
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'event'"
_OLD = """
DELETE FROM event WHERE sequence IN (
    SELECT sequence FROM event WHERE time < ?
    AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = sequence AND state = 'pending') ORDER BY time LIMIT ?)
"""
_OVER = """
DELETE FROM event WHERE sequence IN (
    SELECT sequence FROM (
        SELECT sequence, sum(length(body)) OVER (ORDER BY sequence) - length(body) AS before FROM event
        WHERE NOT EXISTS (SELECT 1 FROM delivery WHERE event = sequence AND state IN ('pending', :spared))
        ORDER BY sequence LIMIT :most)
    WHERE before < :over)
"""
_SIZE = (
    "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)
_OWN = """
INSERT INTO endpoint (id, owner, owned_until) VALUES (:id, :owner, :until)
ON CONFLICT (id) DO UPDATE SET owner = :owner, owned_until = :until
WHERE owner IN ('', :owner) OR owned_until <= :now OR owned_until > :longest
RETURNING id, owner, owned_until, state, asked
"""
_ASK = "INSERT INTO endpoint (id, asked) VALUES (:id, :asked) ON CONFLICT (id) DO UPDATE SET asked = :asked"
_SAVE = "INSERT INTO endpoint (id, state) VALUES (:id, :state) ON CONFLICT (id) DO UPDATE SET state = :state"


class SqliteStore:
    """:see: `proxy.store.repositories.Store`.

    :param path: the file; it and its directory are made if they are not there.
    :raises NotUsable: when no file can be kept there.
    """

    def __init__(self, path: Path) -> None:
        alarm = Alarm()
        self._writer = Thread(File(path), "writer", alarm, _draw)
        self._reader = Thread(File(path), "reader", alarm)
        self.events = _Events(self._writer, self._reader)
        self.deliveries = SqliteDeliveries(self._writer, self._reader)
        self.endpoints = _Endpoints(self._writer, self._reader)

    async def close(self) -> None:
        """:see: `proxy.store.repositories.Store.close`."""
        await self._reader.close()
        await self._writer.close()


class _Events:
    """:see: `proxy.store.repositories.EventRepository`."""

    def __init__(self, writer: Thread, reader: Thread) -> None:
        self._writer = writer
        self._reader = reader

    def feed(self, source: EventSource) -> Callable[[], None]:
        return self._writer.feed(source)

    async def add(self, make: Callable[[int], NewEvent]) -> NewEvent:
        def work(connection: sqlite3.Connection) -> NewEvent:
            event = make(_last(connection) + 1)
            _keep(connection, _last(connection) + 1, event)
            return event

        return await self._writer.do(work)

    async def get(self, event_id: str) -> StoredEvent | None:
        query = "SELECT sequence, id, type, subject, time, body FROM event WHERE id = ?"
        rows = await self._reader.do(lambda connection: connection.execute(query, (event_id,)).fetchall())
        return StoredEvent(*rows[0]) if rows else None

    async def prune(self, before: float, most_bytes: int) -> int:
        def work(connection: sqlite3.Connection) -> int:
            found = connection.execute(_OLD, (before, _CHUNK)).rowcount
            over = connection.execute(_SIZE).fetchone()[0] - most_bytes
            for spared in ("dead", ""):
                if not found and over > 0:
                    found = connection.execute(_OVER, {"spared": spared, "over": over, "most": _CHUNK}).rowcount
            return found

        return await self._writer.do(work)


class _Endpoints:
    """:see: `proxy.store.repositories.EndpointRepository`."""

    def __init__(self, writer: Thread, reader: Thread) -> None:
        self._writer = writer
        self._reader = reader

    async def own(self, endpoint: str, owner: str, now: float, until: float) -> EndpointNotes | None:
        values = {"id": endpoint, "owner": owner, "now": now, "until": until, "longest": until + (until - now)}
        rows = await self._writer.do(lambda connection: connection.execute(_OWN, values).fetchall())
        return EndpointNotes(*rows[0]) if rows else None

    async def latest(self) -> float:
        query = "SELECT coalesce(max(owned_until), 0.0) FROM endpoint"
        return float((await self._reader.do(lambda connection: connection.execute(query).fetchone()))[0])

    async def disown(self, owner: str) -> None:
        query = "UPDATE endpoint SET owner = '' WHERE owner = ?"
        await self._writer.do(lambda connection: connection.execute(query, (owner,)))

    async def save(self, endpoint: str, state: str) -> None:
        values = {"id": endpoint, "state": state}
        await self._writer.do(lambda connection: connection.execute(_SAVE, values))

    async def ask(self, endpoint: str, asked: str) -> None:
        values = {"id": endpoint, "asked": asked}
        await self._writer.do(lambda connection: connection.execute(_ASK, values))

    async def all(self) -> Sequence[EndpointNotes]:
        query = "SELECT id, owner, owned_until, state, asked FROM endpoint ORDER BY id"
        rows = await self._reader.do(lambda connection: connection.execute(query).fetchall())
        return [EndpointNotes(*row) for row in rows]


def _draw(connection: sqlite3.Connection, source: EventSource) -> int:
    """Keep what a source has."""
    sequence = _last(connection) + 1
    taken = source.take(sequence)
    for number, event in enumerate(taken, sequence):
        _keep(connection, number, event)
    return len(taken)


def _last(connection: sqlite3.Connection) -> int:
    """The last sequence that was given; nobody else can give one while the transaction lasts."""
    row = connection.execute(_LAST).fetchone()
    return 0 if row is None else int(row[0])


def _keep(connection: sqlite3.Connection, sequence: int, event: NewEvent) -> None:
    connection.execute(_KEEP, (sequence, event.id, event.type, event.subject, event.time, event.body))
    connection.executemany(_OWE, [(name, due_at, event.id) for name, due_at in event.endpoints.items()])
