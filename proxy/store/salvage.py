"""What can still be read of a file that is broken: whatever is owed goes into the new one.

A file is seldom broken as a whole. Most often it is its write-ahead log that was cut or overwritten, and what stands
before the damage is sound. It is read through links of its own, by which SQLite looks at the log anew and takes nothing
that fails its checksum, and only read: the broken file stays as it was found.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

log = logging.getLogger("passerelle.store")

_CHUNK = 500  # events read at once: what one damaged page costs at most
_NEWEST = "SELECT seq FROM sqlite_sequence WHERE name = 'event'"
_OWED = """
SELECT sequence, id, type, subject, time, body FROM event WHERE sequence > ? AND sequence <= ?
    AND EXISTS (SELECT 1 FROM delivery WHERE event = sequence AND state != 'done') ORDER BY sequence
"""
_TO = """
SELECT event, endpoint, state, attempts, next_at, settled_at, status, alike, failed_since, error FROM delivery
WHERE event > ? AND event <= ? AND state != 'done'
"""
_KEEP = "INSERT OR IGNORE INTO event (sequence, id, type, subject, time, body) VALUES (?, ?, ?, ?, ?, ?)"
_OWE = """
INSERT OR IGNORE INTO delivery
    (event, endpoint, state, attempts, next_at, settled_at, status, alike, failed_since, error)
SELECT owed.* FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)) AS owed
    WHERE EXISTS (SELECT 1 FROM event WHERE sequence = owed.column1)
"""
_KNOWN = "SELECT id, state, asked FROM endpoint"
_KNOW = "INSERT OR IGNORE INTO endpoint (id, state, asked) VALUES (?, ?, ?)"


def salvage(broken: Path, into: sqlite3.Connection) -> int:
    """Copy what is owed, dead letters included, and what is known of endpoints.

    :param broken: the file; its log, if it has one, beside it.
    :param into: a new file.
    :returns: how many deliveries were saved; 0 when the file cannot be read at all.
    :raises sqlite3.Error: when the new file cannot be written.
    """
    try:
        with _looked_at(broken) as source:
            last = _last(source)
            return _copied(source, into, last) if last else 0
    except OSError as error:
        log.debug("%s cannot be linked to: %s", broken.name, error)
        return 0


def _last(source: sqlite3.Connection) -> int:
    """The last event's sequence; 0 when that cannot be read, or there was none."""
    try:
        found = source.execute(_NEWEST).fetchone()
    except sqlite3.Error as error:
        log.debug("nothing can be read: %s", error)
        return 0
    return 0 if found is None else int(found[0])


def _copied(source: sqlite3.Connection, into: sqlite3.Connection, last: int) -> int:
    into.execute("BEGIN IMMEDIATE")
    try:
        into.executemany(_KNOW, _rows(source, _KNOWN))
        saved = sum(_saved(source, into, first) for first in range(0, last, _CHUNK))
        into.execute("COMMIT")
    except BaseException:
        if into.in_transaction:
            into.execute("ROLLBACK")
        raise
    return saved


def _saved(source: sqlite3.Connection, into: sqlite3.Connection, first: int) -> int:
    """Copy some. :returns: how many deliveries."""
    between = first, first + _CHUNK
    into.executemany(_KEEP, _rows(source, _OWED, between))
    return into.executemany(_OWE, _rows(source, _TO, between)).rowcount


def _rows(source: sqlite3.Connection, query: str, values: tuple[int, ...] = ()) -> list[Any]:
    """What a query finds, as far as it can be read."""
    found = []
    with suppress(sqlite3.Error):
        for row in source.execute(query, values):
            found.append(row)  # noqa: PERF402 (so that the rows before a damaged page are kept)
    return found


@contextmanager
def _looked_at(broken: Path) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, by links without the index that others may still hold."""
    link = broken.with_name(f"{broken.name}-read")
    try:
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                os.link(f"{broken}{suffix}", f"{link}{suffix}")
        with closing(sqlite3.connect(f"file:{quote(str(link))}?mode=ro", uri=True)) as connection:
            yield connection
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{link}{suffix}").unlink(missing_ok=True)
