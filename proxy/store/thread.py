"""The one thread that writes, and the one that reads: SQL never runs on the loop.

Work that arrives while a commit is under way is in the next one: the more there is to do, the more of it shares one
`fsync` (group commit). Each piece of work stands behind a savepoint, so that one that fails takes nothing with it; when
the file itself fails, nothing of the transaction has happened and everybody in it is told so.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from proxy.store.file import File
from proxy.store.repositories import EventSource, StoreUnavailable

log = logging.getLogger("passerelle.store")

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]
Draw: TypeAlias = Callable[[sqlite3.Connection, EventSource], int]

_GATHER = 0.002  # seconds that the first piece of work waits for others
_MOST = 200  # pieces of work in one transaction
_AGAIN = (0.1, 1.0)  # seconds until a failed source is asked again: at first, and at most
_TELL_EVERY = 60.0  # seconds between two words about the same trouble


class _Job:
    """A piece of work, and who waits for it."""

    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Work[Any]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Tell who waits; on the loop."""
        if self.future.cancelled():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Alarm:
    """Tells once that a file cannot be used, whoever notices, and once that it can be used again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failing: set[str] = set()

    def failed(self, name: str, trouble: StoreUnavailable) -> None:
        """A thread could not use it."""
        with self._lock:
            if not self._failing:
                log.error("the store cannot be used: %s; it is tried again", trouble)
            self._failing.add(name)

    def recovered(self, name: str, *, wholly: bool) -> None:
        """A thread could use it again, `wholly` when it has also written."""
        with self._lock:
            before = len(self._failing)
            self._failing = set() if wholly else self._failing - {name}
            if before and not self._failing:
                log.warning("the store can be used again")


class Thread:
    """Does work on a file, one piece after the other.

    :param alarm: shared by all threads of a file.
    :param draw: keeps what a source has, within the transaction; tells how much that was. None for a thread that only
        reads, and needs no transactions.
    """

    def __init__(self, file: File, name: str, alarm: Alarm, draw: Draw | None = None) -> None:
        self._file = file
        self._name = name
        self._alarm = alarm
        self._draw = draw
        self._jobs: deque[_Job] = deque()
        self._sources: list[EventSource] = []
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._trouble = 0  # failures in a row
        self._thread = threading.Thread(target=self._run, name=f"store-{name}", daemon=True)
        self._thread.start()

    # on the loop

    def do(self, work: Work[T]) -> asyncio.Future[T]:
        """Have work done. The future raises what it raises, or StoreUnavailable."""
        job = _Job(work)
        if self._closing.is_set():
            job.error = StoreUnavailable("the store is closed")
            job.settle()
            return job.future
        self._jobs.append(job)
        self._wake.set()
        return job.future

    def feed(self, source: EventSource) -> Callable[[], None]:
        """:see: `proxy.store.repositories.EventRepository.feed`."""
        self._sources.append(source)
        return self._wake.set

    async def close(self) -> None:
        """Do what is waiting, and end."""
        self._closing.set()
        self._wake.set()
        await asyncio.to_thread(self._thread.join)

    # in the thread

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._pause())
            if self._draw is not None:
                self._closing.wait(_GATHER)
            self._wake.clear()
            while self._turn() and not self._closing.is_set():
                pass
        while self._turn():
            pass
        self._file.close()

    def _pause(self) -> float | None:
        """How long to wait for something to do: until the next try after a failure, else for ever."""
        first, most = _AGAIN
        return min(most, first * 2 ** (self._trouble - 1)) if self._trouble and self._sources else None

    def _turn(self) -> bool:
        """One transaction. :returns: whether there may be more to do at once."""
        jobs = [self._jobs.popleft() for _ in range(min(_MOST, len(self._jobs)))]
        if not jobs and not self._sources:
            return False
        drawn = 0
        try:
            drawn = self._transact(jobs) if self._draw is not None else self._read(jobs)
        except sqlite3.Error as error:
            self._failed(jobs, error)
        else:
            self._recovered()
        for job in jobs:
            _tell(job)
        return bool(self._jobs) or drawn > 0

    def _read(self, jobs: list[_Job]) -> int:
        connection = self._file.connection()
        for job in jobs:
            _do(job, connection)
        return 0

    def _transact(self, jobs: list[_Job]) -> int:
        connection = self._file.connection()
        connection.execute("BEGIN IMMEDIATE")
        drawn = self._drawn(connection)
        for job in jobs:
            connection.execute("SAVEPOINT work")
            _do(job, connection)
            if job.error is not None:
                connection.execute("ROLLBACK TO work")
            connection.execute("RELEASE work")
        connection.execute("COMMIT")
        for source in self._sources:
            source.settled(None)
        return drawn

    def _drawn(self, connection: sqlite3.Connection) -> int:
        return sum(self._draw(connection, source) for source in self._sources) if self._draw is not None else 0

    def _failed(self, jobs: list[_Job], error: sqlite3.Error) -> None:
        trouble = self._file.failed(error)
        for job in jobs:
            job.error = trouble
        for source in self._sources:
            source.settled(trouble)
        if self._trouble == 0:
            self._alarm.failed(self._name, trouble)
        self._trouble += 1

    def _recovered(self) -> None:
        if self._trouble:
            self._trouble = 0
            self._alarm.recovered(self._name, wholly=self._draw is not None)


def _do(job: _Job, connection: sqlite3.Connection) -> None:
    """:raises sqlite3.Error: when it is the file's fault rather than the work's."""
    try:
        job.result = job.work(connection)
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError) as error:
        job.error = error
    except sqlite3.Error:
        raise
    except Exception as error:
        job.error = error


def _tell(job: _Job) -> None:
    try:
        job.loop.call_soon_threadsafe(job.settle)
    except RuntimeError:  # the loop is closed: nobody waits any more
        log.debug("a result came too late")
