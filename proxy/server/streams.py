"""Events as they happen, for as many listeners as there may be: server-sent events.

Each listener has a queue of its own with a bound. One that reads too slowly loses events and is told how many; nobody
else waits for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from proxy.events import Event, EventBus, EventClass, EventStream, Kind
from proxy.message import Body, Response
from proxy.server.guard import Refused
from proxy.server.scrub import Scrub

MOST = 32  # listeners at once
KINDS = 20  # globs that one may name
_WAITING = 256  # events that one may be behind
_HEARTBEAT = 15.0  # seconds of silence
_FIELDS = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


class Streams:
    """The listeners of one gateway.

    :param scrub: takes secrets out of what is told; asked for anew for each event.
    """

    def __init__(self, scrub: Any, *, waiting: int = _WAITING, heartbeat: float = _HEARTBEAT) -> None:
        self._scrub = scrub
        self._waiting = waiting
        self._heartbeat = heartbeat
        self._open: set[EventStream] = set()

    def __len__(self) -> int:
        return len(self._open)

    def answer(self, bus: EventBus, types: str) -> Response:
        """The events from now on.

        :param types: globs with commas between; empty: all but those of class C, which are many.
        :raises Refused: when there are too many listeners, or types.
        """
        if len(self._open) >= MOST:
            raise Refused(503, f"{MOST} listeners are served at once", {"Retry-After": "5"})
        stream = bus.stream(*_kinds(types), size=self._waiting)
        self._open.add(stream)
        body = Body.of(self._lines(stream))
        body.on_end(lambda: self._ended(stream))
        return Response(200, _FIELDS, body)

    def close(self) -> None:
        """End all of them, once they have what waits for them."""
        for stream in list(self._open):
            stream.close()

    def _ended(self, stream: EventStream) -> None:
        stream.close()
        self._open.discard(stream)

    async def _lines(self, stream: EventStream) -> AsyncIterator[bytes]:
        yield b": listening\n\n"
        lost = 0
        while True:
            try:
                async with asyncio.timeout(self._heartbeat):
                    event = await anext(stream)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            except StopAsyncIteration:
                return
            if stream.dropped > lost:
                missed, lost = stream.dropped - lost, stream.dropped
                yield _line("lost", {"lost": missed})
            yield _line(event.type, self._told(event))

    def _told(self, event: Event) -> dict[str, Any]:
        scrub: Scrub = self._scrub()
        data = {"type": event.type, "time": event.time, "subject": event.subject, "data": event.data()}
        told: dict[str, Any] = scrub.data(data)
        return told


def _kinds(types: str) -> Sequence[Kind]:
    named = [name for name in (part.strip() for part in types.split(",")) if name]
    if len(named) > KINDS or len(types) > KINDS * 64:
        raise Refused(400, f"at most {KINDS} types")
    return named or [kind for kind in _every(Event) if kind.klass is not EventClass.C]


def _every(kind: type[Event]) -> Iterator[type[Event]]:
    for child in kind.__subclasses__():
        yield child
        yield from _every(child)


def _line(kind: str, data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False, default=str)}\n\n".encode()
