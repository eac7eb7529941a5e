"""Looks at the files that a configuration is made of, and tells when one of them has changed.

It looks at names, times and sizes twice a second rather than asking the system to be told: that works on every system
and file system, and sees what editors, `mv` and Kubernetes do, which put another file under an old name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from proxy.settings import Trace

EVERY = 0.5  # seconds between two looks
QUIET = 0.25  # seconds in which nothing changes any more, before it counts

Picture: TypeAlias = dict[Path, tuple[int, ...] | None]


def picture(trace: Trace) -> Picture:
    """Every file with what tells its versions apart; None for one that is not there."""
    files = {*trace.files, *(found for root, pattern in trace.patterns for found in root.glob(pattern))}
    return {file: _version(file) for file in files}


def _version(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Watcher:
    """Calls `changed` after files have changed and have come to rest.

    :param trace: says what to look at.
    :param changed: awaited; what changes meanwhile is seen afterwards.
    :param seen: the files as they were when they were read; as they are when it begins to look, unless given.
    """

    def __init__(
        self,
        trace: Callable[[], Trace],
        changed: Callable[[], Awaitable[object]],
        *,
        every: float = EVERY,
        quiet: float = QUIET,
        seen: Picture | None = None,
    ) -> None:
        self._seen = seen
        self._trace = trace
        self._changed = changed
        self._every = every
        self._quiet = quiet

    async def run(self) -> None:
        """Watch until it is cancelled."""
        seen = await self._look() if self._seen is None else self._seen
        while True:
            await asyncio.sleep(self._every)
            now = await self._look()
            if now == seen:
                continue
            seen = await self._at_rest(now)
            before = self._trace()
            await self._changed()
            seen = await self._since(seen, before)

    async def _since(self, seen: Picture, before: Trace) -> Picture:
        """What to compare with after a reload: versions seen before it, so that what changed meanwhile is noticed.

        Files that were not looked at then count from now on; those that have appeared where one did look are new.
        """
        after, appeared = await self._look(), await asyncio.to_thread(picture, before)
        return {file: seen.get(file, None if file in appeared else version) for file, version in after.items()}

    async def _at_rest(self, now: Picture) -> Picture:
        """An editor may write several files, or one in several steps."""
        while True:
            await asyncio.sleep(self._quiet)
            later = await self._look()
            if later == now:
                return now
            now = later

    async def _look(self) -> Picture:
        return await asyncio.to_thread(picture, self._trace())
