"""How a supervisor and its workers talk: requests and answers as frames on a socket that only the two of them have.

Both ends are processes of this program, so what travels is pickled: a configuration that was accepted reaches a worker
as the very object, whatever has become of its files since. What a client or an operator sends is never unpickled.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import pickle  # nosec B403
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

log = logging.getLogger("passerelle.channel")

Handler: TypeAlias = Callable[[Any], Awaitable[Any]]

_HEADER = struct.Struct("!I")
_LARGEST = 64 * 1024 * 1024  # bytes of one frame


class ChannelClosed(Exception):
    """The other end is gone; what was asked of it may have been done or not."""


class Refused(Exception):
    """The other end did not do what it was asked; the text says why."""


class Channel:
    """One end of a connection between two processes of this program.

    :param name: of the other end, for logs.
    :ivar closed: set when the other end is gone.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        self.name = name
        self.closed = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._handlers: dict[str, Handler] = {}
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def over(cls, sock: socket.socket, name: str) -> Channel:
        """A channel over one end of a socket pair."""
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        return cls(reader, writer, name)

    def on(self, subject: str, handler: Handler) -> None:
        """Answer requests of this subject; a handler that raises `Refused` says why it does not do it."""
        self._handlers[subject] = handler

    def listen(self) -> None:
        """Begin to read; call it when the handlers are in place."""
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    async def ask(self, subject: str, content: Any = None, seconds: float = 10.0) -> Any:
        """Send a request and wait for its answer.

        :raises Refused: when the other end does not do it.
        :raises ChannelClosed: when it is gone.
        :raises TimeoutError: when it does not answer in time.
        """
        if not self._open:
            raise ChannelClosed(f"{self.name} is gone")
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        self._send(("ask", number, subject, content))
        try:
            async with asyncio.timeout(seconds):
                return await future
        finally:
            self._asked.pop(number, None)

    def tell(self, subject: str, content: Any = None) -> None:
        """Send something that needs no answer; it is lost when the other end is gone."""
        if self._open:
            self._send(("tell", 0, subject, content))

    async def drained(self) -> None:
        """Wait until the other end has taken most of what was sent; what streams must do between pieces."""
        with suppress(ConnectionError):
            await self._writer.drain()

    async def close(self) -> None:
        """End it from this side."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        self._end()

    @property
    def _open(self) -> bool:
        """Whether it can be written to. The transport knows of its end first, and uvloop's raises RuntimeError then."""
        return not (self.closed.is_set() or self._writer.is_closing())

    def _send(self, frame: tuple[str, int, str, Any]) -> None:
        data = pickle.dumps(frame)
        self._writer.write(_HEADER.pack(len(data)) + data)

    async def _listen(self) -> None:
        try:
            while True:
                (length,) = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
                if length > _LARGEST:
                    log.error("%s sent a frame of %d bytes", self.name, length)
                    return
                data = await self._reader.readexactly(length)
                self._take(*pickle.loads(data))  # noqa: S301 (see the head of this module)  # nosec B301
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the usual end of it
        finally:
            self._end()

    def _take(self, kind: str, number: int, subject: str, content: Any) -> None:
        if kind in ("ask", "tell"):
            task = asyncio.get_running_loop().create_task(self._answer(kind, number, subject, content))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            return
        future = self._asked.get(number)
        if future is not None and not future.done():
            if kind == "done":
                future.set_result(content)
            else:
                future.set_exception(Refused(content))

    async def _answer(self, kind: str, number: int, subject: str, content: Any) -> None:
        handler = self._handlers.get(subject)
        try:
            if handler is None:
                raise Refused(f"it does not know {subject}")
            answer = "done", number, subject, await handler(content)
        except Refused as refused:
            answer = "refused", number, subject, str(refused)
        except Exception as error:
            log.exception("%s asked for %s, which failed", self.name, subject)
            answer = "refused", number, subject, f"{type(error).__name__}: {error}"
        if kind == "ask" and self._open:
            self._send(answer)

    def _end(self) -> None:
        self.closed.set()
        self._writer.close()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(ChannelClosed(f"{self.name} is gone"))
        for task in self._answering:
            task.cancel()
