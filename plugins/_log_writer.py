"""Lines into a file, off the loop: one thread takes what has gathered and writes it in one piece.

The loop only appends to a queue, and never waits: what does not fit is counted and gone. Several processes may write
one file. It is opened for appending, and a piece is whole lines in a single write, so that lines never mix; into a pipe
only so much at a time as the system promises to keep together.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import stat
import threading
from collections import deque
from collections.abc import Callable

from proxy.api import Clock

STDOUT = "-"

_GATHER = 0.05  # seconds from a line's arrival until what has gathered is written
_PIECE = 256 * 1024  # bytes of one write
_PATIENCE = 5.0  # seconds that the end waits for the last lines
_TELL_EVERY = 60.0  # seconds between two words about the same trouble
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_MISTAKES = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)

Count = Callable[[int], None]


class Trouble:
    """Says what is wrong, but not all the time."""

    def __init__(self, clock: Clock, log: logging.Logger) -> None:
        self._now = clock.monotonic
        self._log = log
        self._lines = 0  # lost since it was last told
        self._next = float("-inf")

    def tell(self, lines: int, why: str) -> None:
        """So many more lines are lost."""
        self._lines += lines
        now = self._now()
        if now >= self._next:
            self._next = now + _TELL_EVERY
            self._log.warning("%d lines of the access log are lost: %s", self._lines, why)
            self._lines = 0


class LogWriter:
    """A file that grows at its end, and the thread that writes it.

    :param path: the file; `-` for stdout.
    :param room: bytes of lines that may wait.
    :param dropped: called on the loop with the number of lines for which there was no room.
    :param failed: called in the thread with the number of lines that could not be written.
    """

    def __init__(self, path: str, room: int, clock: Clock, log: logging.Logger, dropped: Count, failed: Count) -> None:
        self._path = path
        self._room = room
        self._log = log
        self._dropped = dropped
        self._failed = failed
        self._full = Trouble(clock, log)
        self._unwritable = Trouble(clock, log)
        self._lines: deque[bytes] = deque()
        self._put = 0  # bytes that came, which only the loop counts
        self._taken = 0  # bytes that are dealt with, which only the thread counts
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._rotated = False
        self._file: int | None = None
        self._identity = (0, 0)  # device and inode of what is open
        self._most = _PIECE
        self._torn = False  # whether the last write ended inside a line
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)

    # on the loop

    def start(self) -> None:
        """Open the file and begin.

        :raises OSError: when the path cannot be right. What may pass, such as a full disk, is told and tried again.
        """
        try:
            self._open()
        except _MISTAKES:
            raise
        except OSError as error:
            self._unwritable.tell(0, _words(error))
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Append a line, which ends in a line end, unless too much is waiting."""
        size = len(line)
        if self._put - self._taken + size > self._room:
            self._dropped(1)
            self._full.tell(1, "they come faster than they can be written")
            return
        self._put += size
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def reopen(self) -> None:
        """Open the file anew at once, since it may have been moved away."""
        self._rotated = True
        self._wake.set()

    async def close(self) -> None:
        """Write what is left, and end; what cannot be written within some seconds is lost."""
        self._room = -1
        self._closing.set()
        self._wake.set()
        await asyncio.to_thread(self._thread.join, _PATIENCE)
        if self._thread.is_alive():
            self._log.warning("some %d lines of the access log are lost: nobody takes them", len(self._lines))

    # in the thread

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(_GATHER)
            self._wake.clear()
            self._turn()
        self._turn()
        self._release()

    def _turn(self) -> None:
        """Write all that is there."""
        if self._rotated or self._is_moved():
            self._rotated = False
            self._renew()
        while self._lines:
            self._write(self._piece())

    def _piece(self) -> bytes:
        """The next lines, as many as may be one write; at least one."""
        lines = self._lines
        taken = [lines.popleft()]
        size = len(taken[0])
        while lines and size + len(lines[0]) <= self._most:
            size += len(lines[0])
            taken.append(lines.popleft())
        return b"".join(taken)

    def _write(self, piece: bytes) -> None:
        rest = piece
        try:
            file = self._open() if self._file is None else self._file
            if self._torn:
                self._torn = not _write_some(file, b"\n")
            while rest:
                rest = rest[_write_some(file, rest) :]
        except OSError as error:
            self._torn = self._torn or (len(rest) < len(piece) and not piece[: -len(rest)].endswith(b"\n"))
            lost = rest.count(b"\n")
            self._failed(lost)
            self._unwritable.tell(lost, _words(error))
        self._taken += len(piece)

    # the file

    def _open(self) -> int:
        """:raises OSError: when it cannot be opened."""
        if self._path == STDOUT:
            file = os.dup(1)
        else:
            file = os.open(self._path, _FLAGS, 0o640)  # not waiting for whoever should read a pipe
            os.set_blocking(file, True)
        about = os.fstat(file)
        self._identity = about.st_dev, about.st_ino
        self._most = select.PIPE_BUF if stat.S_ISFIFO(about.st_mode) else _PIECE
        self._file = file
        return file

    def _is_moved(self) -> bool:
        """Whether the path leads to another file by now, or to none."""
        if self._path == STDOUT or self._file is None:
            return False
        try:
            about = os.stat(self._path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return (about.st_dev, about.st_ino) != self._identity

    def _renew(self) -> None:
        """Open the path anew. While that fails the old file is written on: it is better than none."""
        old = self._file
        try:
            self._open()
        except OSError as error:
            self._unwritable.tell(0, f"the file cannot be opened anew: {_words(error)}")
            return
        self._torn = False
        if old is not None:
            os.close(old)

    def _release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _write_some(file: int, data: bytes) -> int:
    """How many bytes were taken. :raises OSError: when the file takes none."""
    while True:
        try:
            return os.write(file, data)
        except BlockingIOError:  # somebody who shares stdout has made it so
            select.select([], [file], [])


def _words(error: OSError) -> str:
    return (error.strerror or "it cannot be written").lower()
