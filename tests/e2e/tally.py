"""A receiver of very many webhooks: it only takes note of them, and answers by path, at once or later."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_LINE = re.compile(rb"POST (\S+) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb"\r\nwebhook-id: *(\S+)", re.IGNORECASE)
_REQUEST = re.compile(rb'"request_id":"([^"]*)"')
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Note:
    """One delivery. :ivar request: the exchange that it tells of."""

    path: str
    id: str
    request: str
    at: float


@dataclass
class Tally:
    """What was received.

    :ivar url: where; a path follows.
    :ivar notes: all deliveries.
    :ivar delays: by path, how many seconds an answer takes.
    """

    url: str = ""
    notes: list[Note] = field(default_factory=list)
    delays: dict[str, float] = field(default_factory=dict)

    def ids(self) -> set[str]:
        """Of the events."""
        return {note.id for note in list(self.notes)}

    def of(self, path: str) -> list[Note]:
        """Those that came by one path."""
        return [note for note in list(self.notes) if note.path == path]


class _Peer(asyncio.Protocol):
    """One connection: no request begins before the one before it is answered."""

    def __init__(self, tally: Tally, peers: set[_Peer]) -> None:
        self._tally = tally
        self._peers = peers
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._peers.discard(self)

    def end(self) -> None:
        """Close the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n") + 4
        length = _LENGTH.search(self._buffer, 0, end) if end >= 4 else None
        if length is None or len(self._buffer) < end + int(length[1]):
            return
        path, told = self._note(self._buffer[:end], self._buffer[end:])
        self._tally.notes.append(told)
        self._buffer = b""
        delay = self._tally.delays.get(path, 0.0)
        if delay:
            asyncio.get_running_loop().call_later(delay, self._answer)
        else:
            self._answer()

    @staticmethod
    def _note(head: bytes, body: bytes) -> tuple[str, Note]:
        line, name, request = _LINE.match(head), _ID.search(head), _REQUEST.search(body)
        assert line is not None
        assert name is not None
        path = line[1].decode()
        return path, Note(path, name[1].decode(), "" if request is None else request[1].decode(), time.monotonic())

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


@contextmanager
def tallying() -> Iterator[Tally]:
    """A receiver on the loopback, on a loop in a thread of its own."""
    tally, ready = Tally(), threading.Event()
    loop = asyncio.new_event_loop()
    peers: set[_Peer] = set()

    async def serve() -> None:
        server = await loop.create_server(lambda: _Peer(tally, peers), "127.0.0.1", 0, backlog=512)
        tally.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        try:
            await loop.create_future()
        finally:
            server.close()
            for peer in list(peers):
                peer.end()
            await asyncio.sleep(0)

    task = loop.create_task(serve())
    thread = threading.Thread(target=lambda: _run(loop, task), daemon=True)
    thread.start()
    assert ready.wait(20)
    yield tally
    loop.call_soon_threadsafe(task.cancel)
    thread.join()


def _run(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    try:
        loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    finally:
        loop.close()
