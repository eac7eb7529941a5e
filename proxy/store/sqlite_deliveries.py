"""Who is owed what, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from proxy.store.records import Attempt, Backlog, Claim, Delivery, Due, Outcome, Selection, StoredEvent
from proxy.store.thread import Thread

_PENDING = "SELECT event FROM delivery WHERE endpoint = :endpoint AND state = 'pending'"
_LEASE = """
UPDATE delivery SET owner = :owner, leased_until = :until
WHERE endpoint = :endpoint AND next_at <= :now AND (leased_until <= :now OR leased_until > :longest)
    AND event IN (WHICH)
RETURNING event, attempts, status, alike, failed_since
"""
_LEASE_FIRST = _LEASE.replace("WHICH", _PENDING + " ORDER BY event LIMIT 1")
_LEASE_NEXT = _LEASE.replace(
    "WHICH",
    _PENDING
    + " AND next_at <= :now AND (leased_until <= :now OR leased_until > :longest) ORDER BY next_at, event LIMIT :limit",
)
_BODY = "SELECT sequence, id, type, subject, time, body FROM event WHERE sequence = ?"
_LATER = """
SELECT min(next_at) FROM delivery INDEXED BY delivery_due
WHERE endpoint = :endpoint AND state = 'pending' AND (leased_until <= :now OR leased_until > :longest)
"""
_LATER_FIRST = """
SELECT next_at FROM delivery WHERE endpoint = :endpoint AND state = 'pending' ORDER BY event LIMIT 1
"""
_TRIED = "INSERT INTO attempt (event, endpoint, at, duration_ms, status, error, answer) VALUES (?, ?, ?, ?, ?, ?, ?)"
_SETTLE = """
UPDATE delivery SET state = :then, attempts = attempts + 1, next_at = :next_at, settled_at = :settled_at,
    status = :status, alike = :alike, failed_since = :failed_since, error = :error, owner = '', leased_until = 0
WHERE event = :event AND endpoint = :endpoint
    AND (state = 'pending' AND owner = :owner OR state != 'done' AND :then = 'done')
RETURNING 1
"""
_OWNED = """
SELECT owner = :owner AND state = 'pending' FROM delivery JOIN event ON sequence = event
WHERE event = :event AND endpoint = :endpoint AND id = :id
"""
_SELECTED = """
FROM delivery JOIN event ON event.sequence = delivery.event
WHERE (:event_id = '' OR event.id = :event_id) AND (:endpoint = '' OR delivery.endpoint = :endpoint)
    AND (:type = '' OR event.type GLOB :type) AND (:state = '' OR delivery.state = :state)
    AND event.time >= :since AND (:until = 0 OR event.time < :until)
"""
_FIND = (
    "SELECT event.id, event.type, event.subject, event.time, delivery.endpoint, delivery.state, delivery.attempts,"
    " delivery.next_at, delivery.settled_at, delivery.status, delivery.error"
    + _SELECTED
    + "ORDER BY event.sequence DESC, delivery.endpoint LIMIT :limit"
)
_CHOSEN = "SELECT delivery.event, delivery.endpoint" + _SELECTED
_AGAIN = """
UPDATE delivery SET state = 'pending', attempts = 0, next_at = :now, settled_at = 0, status = 0, alike = 0,
    failed_since = 0, error = ''
WHERE event = :event AND endpoint = :to AND state != 'pending'
"""
_HURRY = """
UPDATE delivery SET next_at = :now WHERE endpoint = :endpoint AND state = 'pending' AND owner = '' AND next_at > :now
"""
_ATTEMPTS = """
SELECT event.id, endpoint, at, duration_ms, status, error, answer FROM attempt JOIN event ON event.sequence = event
WHERE event.id = ? ORDER BY attempt.rowid LIMIT ?
"""
_COUNT_PENDING = """
SELECT endpoint, count, time
FROM (SELECT endpoint, count(*) AS count, min(event) AS first FROM delivery WHERE state = 'pending' GROUP BY endpoint)
JOIN event ON sequence = first
"""
_COUNT_DEAD = "SELECT endpoint, count(*) FROM delivery WHERE state = 'dead' GROUP BY endpoint"


class SqliteDeliveries:
    """:see: `proxy.store.repositories.DeliveryRepository`."""

    def __init__(self, writer: Thread, reader: Thread) -> None:
        self._writer = writer
        self._reader = reader

    async def claim(
        self, endpoint: str, owner: str, now: float, until: float, limit: int, *, ordered: bool = False
    ) -> Claim:
        values = {"endpoint": endpoint, "owner": owner, "now": now, "until": until, "limit": limit}
        values["longest"] = until + (until - now)
        return await self._writer.do(lambda connection: _claim(connection, values, ordered=ordered))

    async def settle(self, outcome: Outcome) -> bool:
        return await self._writer.do(lambda connection: _settle(connection, outcome))

    async def next_due(self, endpoint: str) -> float | None:
        query = "SELECT min(next_at) FROM delivery WHERE endpoint = ? AND state = 'pending' AND owner = ''"
        found = await self._reader.do(lambda connection: connection.execute(query, (endpoint,)).fetchone())
        return None if found[0] is None else float(found[0])

    async def release(self, owner: str) -> None:
        query = "UPDATE delivery SET owner = '', leased_until = 0 WHERE state = 'pending' AND owner = ?"
        await self._writer.do(lambda connection: connection.execute(query, (owner,)))

    async def replay(self, selection: Selection, now: float) -> int:
        return await self._writer.do(lambda connection: _replay(connection, selection, now))

    async def hurry(self, endpoint: str, now: float) -> int:
        values = {"endpoint": endpoint, "now": now}
        return await self._writer.do(lambda connection: connection.execute(_HURRY, values).rowcount)

    async def find(self, selection: Selection, limit: int) -> Sequence[Delivery]:
        values = {**_values(selection), "limit": limit}
        rows = await self._reader.do(lambda connection: connection.execute(_FIND, values).fetchall())
        return [Delivery(*row) for row in rows]

    async def attempts(self, event_id: str, limit: int = 1000) -> Sequence[Attempt]:
        rows = await self._reader.do(lambda connection: connection.execute(_ATTEMPTS, (event_id, limit)).fetchall())
        return [Attempt(*row) for row in rows]

    async def backlog(self) -> Mapping[str, Backlog]:
        return await self._reader.do(_backlog)


def _claim(connection: sqlite3.Connection, values: dict[str, Any], *, ordered: bool) -> Claim:
    rows = connection.execute(_LEASE_FIRST if ordered else _LEASE_NEXT, values).fetchall()
    endpoint = values["endpoint"]
    due = [
        Due(StoredEvent(*connection.execute(_BODY, (sequence,)).fetchone()), endpoint, *about)
        for sequence, *about in sorted(rows)
    ]
    later = connection.execute(_LATER_FIRST if ordered else _LATER, values).fetchone()
    known = later is not None and later[0] is not None and not (ordered and due)
    return Claim(tuple(due), float(later[0]) if known else None)


def _settle(connection: sqlite3.Connection, outcome: Outcome) -> bool:
    due = outcome.due
    made = outcome.at, outcome.duration_ms, outcome.status, outcome.error, outcome.answer
    key = {"event": due.event.sequence, "endpoint": due.endpoint, "owner": outcome.owner}
    known = connection.execute(_OWNED, {**key, "id": due.event.id}).fetchone()
    if known is None:
        return False
    values = {
        **key,
        "then": outcome.then,
        "next_at": outcome.next_at,
        "settled_at": 0.0 if outcome.then == "pending" else outcome.at,
        "status": outcome.status,
        "alike": outcome.alike,
        "failed_since": outcome.failed_since,
        "error": outcome.error,
    }
    connection.execute(_SETTLE, values).fetchall()
    connection.execute(_TRIED, (due.event.sequence, due.endpoint, *made))
    return bool(known[0])


def _replay(connection: sqlite3.Connection, selection: Selection, now: float) -> int:
    chosen = connection.execute(_CHOSEN, _values(selection)).fetchall()
    rows = [{"event": sequence, "to": endpoint, "now": now} for sequence, endpoint in chosen]
    return connection.executemany(_AGAIN, rows).rowcount if rows else 0


def _values(selection: Selection) -> dict[str, Any]:
    return {name: getattr(selection, name) for name in Selection.__slots__}


def _backlog(connection: sqlite3.Connection) -> Mapping[str, Backlog]:
    found = {name: Backlog(count, 0, oldest) for name, count, oldest in connection.execute(_COUNT_PENDING)}
    for name, count in connection.execute(_COUNT_DEAD):
        known = found.get(name, Backlog())
        found[name] = Backlog(known.pending, count, known.oldest)
    return found
