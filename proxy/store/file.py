"""One SQLite file and a connection to it: how it is opened, and what becomes of one that is broken.

WAL, so that readers and the writers of several processes keep out of each other's way, and `synchronous=FULL`, so that
what was committed outlasts a loss of power. A file that SQLite finds corrupt is moved aside, never deleted, and a new
one begun with what can be read of it: an outbox that refuses everything until somebody comes would lose more than it
keeps.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

from proxy.store.repositories import StoreUnavailable
from proxy.store.salvage import salvage

log = logging.getLogger("passerelle.store")

_BUSY = 5.0  # seconds that a lock of another process is waited for
_VERSION = 1
_REMOTE = frozenset(
    ("9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4")
) | {"smb3", "smbfs", "virtiofs"}
_BROKEN = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
_SCHEMA = f"""
CREATE TABLE event (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, subject TEXT NOT NULL,
    time REAL NOT NULL, body BLOB NOT NULL
);
CREATE INDEX event_time ON event (time);
CREATE TABLE delivery (
    event INTEGER NOT NULL REFERENCES event ON DELETE CASCADE, endpoint TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL,
    owner TEXT NOT NULL DEFAULT '', leased_until REAL NOT NULL DEFAULT 0, settled_at REAL NOT NULL DEFAULT 0,
    status INTEGER NOT NULL DEFAULT 0, alike INTEGER NOT NULL DEFAULT 0, failed_since REAL NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '', PRIMARY KEY (event, endpoint)
) WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (endpoint, next_at, event) WHERE state = 'pending';
CREATE INDEX delivery_order ON delivery (endpoint, event) WHERE state = 'pending';
CREATE INDEX delivery_dead ON delivery (endpoint, event) WHERE state = 'dead';
CREATE TABLE attempt (
    event INTEGER NOT NULL REFERENCES event ON DELETE CASCADE, endpoint TEXT NOT NULL, at REAL NOT NULL,
    duration_ms REAL NOT NULL, status INTEGER NOT NULL, error TEXT NOT NULL, answer BLOB NOT NULL
);
CREATE INDEX attempt_event ON attempt (event);
CREATE TABLE endpoint (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', owned_until REAL NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT '', asked TEXT NOT NULL DEFAULT ''
);
PRAGMA user_version = {_VERSION};
"""


class NotUsable(Exception):
    """A place where no outbox can be kept, as long as it is configured so."""


class File:
    """A path, and at most one open connection to it. Belongs to one thread after its making.

    :raises NotUsable: when the directory cannot be made or is on a network file system, where locks cannot be trusted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise NotUsable(f"the directory {path.parent} cannot be made: {error.strerror}") from error
        kind = file_system(path.parent)
        if kind in _REMOTE:
            raise NotUsable(f"{path.parent} is on a network file system ({kind}), where SQLite loses data")

    def connection(self) -> sqlite3.Connection:
        """The connection, opened now if need be, or anew when the path leads to another file by now.

        :raises sqlite3.Error: when it cannot be opened.
        """
        if self._connection is not None and self._inode != self._found():
            self.close()
        if self._connection is None:
            self._connection = self._opened()
            self._inode = self._found()
        return self._connection

    def failed(self, error: sqlite3.Error) -> StoreUnavailable:
        """Let go of the connection; move the file aside when it is beyond repair.

        :returns: what to tell.
        """
        inode = self._inode or self._found()
        self.close()
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BROKEN:
            self._quarantine(inode)
        return StoreUnavailable(f"{self.path.name}: {error}")

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection, self._inode = self._connection, None, 0
        if connection is not None:
            connection.close()

    def _found(self) -> int:
        try:
            return os.stat(self.path).st_ino
        except OSError:
            return 0

    def _opened(self) -> sqlite3.Connection:
        with suppress(OSError):  # whatever it is, SQLite will tell
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        if _version(connection) == _VERSION:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            found = _version(connection)
            if found not in (0, _VERSION):
                raise sqlite3.OperationalError(f"it was made by another version of Passerelle (schema {found})")
            if found == 0:
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _quarantine(self, inode: int) -> None:
        """Move the broken file away, once for all processes that find it so."""
        with open(self.path.with_suffix(".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if inode == 0 or self._found() != inode:
                return
            aside = self.path.with_name(f"{self.path.name}.corrupt-{time.time_ns()}")
            for suffix in ("", "-wal", "-shm"):
                part = Path(f"{self.path}{suffix}")
                if part.exists():
                    part.rename(f"{aside}{suffix}")
            log.error("%s is corrupt: it was moved to %s, and a new one is begun", self.path, aside.name)
            self._take_over(aside)

    def _take_over(self, aside: Path) -> None:
        """Put what is still owed into the new file."""
        try:
            with closing(self._opened()) as connection:
                count = salvage(aside, connection)
        except sqlite3.Error as error:
            log.error("what is owed by %s was not saved: %s", aside.name, error)
        else:
            log.warning("%d deliveries were saved from %s", count, aside.name)


def _version(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def file_system(path: Path, table: str = "/proc/self/mountinfo") -> str:
    """What kind of file system a directory is on; empty where that cannot be known."""
    if sys.platform != "linux":
        return ""
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as lines:
            mounts = [line.split() for line in lines]
    except OSError:
        return ""
    real = str(path.resolve())
    fitting = [(len(fields[4]), fields) for fields in mounts if _is_below(real, fields[4])]
    if not fitting:
        return ""
    fields = max(fitting, key=lambda item: item[0])[1]
    return fields[fields.index("-") + 1]


def _is_below(path: str, mount: str) -> bool:
    return path == mount or path.startswith(mount.rstrip("/") + "/")
