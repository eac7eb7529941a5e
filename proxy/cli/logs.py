"""Logging of the command: on stderr, one line a record, also where there is an exception to tell of."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

from proxy.frontend.seldom import Damped

LEVELS = ("debug", "info", "warning", "error")

_FRAMES = 4  # how many of the innermost are named
_DAMPED = Damped()

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class OneLine(logging.Formatter):
    """`2024-01-31T12:00:00.123Z WARNING passerelle: message [ValueError: reason; file.py:12 in function]`."""

    def __init__(self, *, process: bool = False) -> None:
        name = "%(name)s[%(process)d]" if process else "%(name)s"
        super().__init__(f"%(asctime)s %(levelname)s {name}: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record; line ends inside it are escaped, so that nobody can write a line of his own."""
        text = super().format(record)
        return text.replace("\n[", " [", 1).replace("\r", "\\r").replace("\n", "\\n")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (the library's name)
        """RFC 3339 in UTC, with milliseconds."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 (the library's name)
        """What was raised, and the innermost frames, innermost first."""
        kind, error, trace = ei
        if kind is None:
            return ""
        frames = traceback.extract_tb(trace)[-_FRAMES:]
        places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in reversed(frames)]
        return f"[{'; '.join([f'{kind.__name__}: {error}', *places])}]"


def log_to_stderr(level: str, *, process: bool = False) -> None:
    """Send every record of that level and above to stderr, but the event loop's own at most once a minute by kind.

    :param level: one of `LEVELS`.
    :param process: name this process in every line, as one of several.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(process=process))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("asyncio").addFilter(_DAMPED)  # once, however often it is added
