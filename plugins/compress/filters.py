"""Bodies coded as they flow: small pieces on the loop, large ones in a thread, and nothing that waits is kept back.

What an encoder holds back to code it better would make an event late. So where a body is made of events everything is
flushed at the end of each; and where nobody knows how long a body gets, whatever is held is flushed as soon as the
upstream has paused.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from plugins.compress.coders import Coder
from plugins.compress.turns import Turns
from proxy.api import Filter

_BLOCK = 65536  # bytes given to a thread at a time: what a client that leaves can still cost
_THREADS = 4

_EVENT_PAUSE = 0.005  # seconds for which a part of an event may be kept back
_PAUSE = 0.02  # the same for other bodies of unknown length: flushing makes them larger

_BLANK_LINE = re.compile(rb"\n\r?\n|\r\r")  # ends an event of text/event-stream

EndsEvent = Callable[[bytes], bool]


class Threads:
    """The threads in which large blocks are coded; made when there is the first."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[], bytes]) -> bytes:
        """What `work()` gives, without keeping the loop waiting."""
        if self._executor is None:
            workers = min(_THREADS, os.cpu_count() or 1)
            self._executor = ThreadPoolExecutor(workers, thread_name_prefix="passerelle-compress")
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def release(self) -> None:
        """Let idle threads end; what is under way goes on."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)


class BlankLine:
    """Tells where an event of text/event-stream ends: at an empty line, wherever the pieces are cut."""

    def __init__(self) -> None:
        self._tail = b""

    def __call__(self, data: bytes) -> bool:
        seen = self._tail + data
        self._tail = seen[-2:]
        return _BLANK_LINE.search(seen) is not None


def line_end(data: bytes) -> bool:
    """Where a record of NDJSON, JSON lines or JSON text sequences ends."""
    return b"\n" in data


class Coding:
    """How one body is coded.

    :param turns: where small pieces are coded.
    :param threads: where large ones are.
    :param size: the body's length in bytes if it is known: then nobody can be waiting for a part of it.
    :param ends_event: tells whether an event ends in a piece; None where the body is not made of events.
    """

    def __init__(
        self, coder: Coder, size: int | None, turns: Turns, threads: Threads, ends_event: EndsEvent | None
    ) -> None:
        self._coder = coder
        self._size = size
        self._turns = turns
        self._threads = threads
        self._ends_event = ends_event
        self._pause = _PAUSE if ends_event is None else _EVENT_PAUSE

    async def change(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The filter itself; see `proxy.api.Filter`."""
        encoder = self._coder.stream(self._size)
        source = pieces if self._size is not None and self._ends_event is None else self._watched(pieces)
        async for data in source:
            if data is _PAUSED:
                yield await self._work(0, encoder.flush)
                continue
            for at in range(0, len(data), _BLOCK):
                part = data if len(data) <= _BLOCK else data[at : at + _BLOCK]
                made = await self._work(len(part), partial(encoder.encode, part))
                if made:
                    yield made
        yield await self._work(0, encoder.finish)

    async def _work(self, size: int, work: Callable[[], bytes]) -> bytes:
        """What the encoder makes of so many bytes more: in a thread where that is much, else here, in its turn."""
        piece = self._coder.piece
        if size > piece or not piece:
            return await self._threads.run(work)
        if self._turns.room(size):
            return self._turns.now(work)
        made: bytes = await self._turns.later(work)
        return made

    async def _watched(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces, and between them a sign that everything held back should go out now."""
        ahead: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                data = await (ahead if ahead is not None else _next(pieces))
                ahead = None
                if data is None:
                    return
                yield data
                if self._ends_event is None or not self._ends_event(data):
                    ahead = asyncio.ensure_future(_next(pieces))
                    if (await asyncio.wait({ahead}, timeout=self._pause))[0]:
                        continue
                yield _PAUSED
        finally:
            if ahead is not None and not ahead.done():
                ahead.cancel()
                await asyncio.wait({ahead})


_PAUSED = b""


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    """The next piece that is not empty, or None after the last."""
    async for data in pieces:
        if data:
            return data
    return None


def coding(coder: Coder, size: int | None, turns: Turns, threads: Threads, ends_event: EndsEvent | None) -> Filter:
    """A filter that codes one body; see `Coding`."""
    return Coding(coder, size, turns, threads, ends_event).change
