"""An origin that records every byte, reads strictly, and answers what its script says."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.wire import strict

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Wire:
    """One connection from the gateway, seen from the origin.

    :ivar received: every byte that came.
    :ivar requests: what they were.
    :ivar gone: set when the gateway closed the connection.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._held = b""
        self.received = b""
        self.requests: list[strict.Message] = []
        self.gone = asyncio.Event()

    @property
    def unfinished(self) -> bytes:
        """Bytes of a request that is not whole."""
        return self._held

    async def next(self) -> strict.Message | None:
        """The next request, or None when the gateway closed."""
        while True:
            try:
                message, self._held = strict.request(self._held)
            except strict.Unfinished:
                if not await self.more():
                    return None
            else:
                self.requests.append(message)
                return message

    async def more(self) -> bool:
        """Read on; False when the gateway closed."""
        try:
            data = await self._reader.read(65536)
        except ConnectionError:
            data = b""
        self.received += data
        self._held += data
        if not data:
            self.gone.set()
        return bool(data)

    async def send(self, data: bytes) -> None:
        """Write bytes; a gateway that has closed already is no error."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (ConnectionError, RuntimeError):  # the second is uvloop's
            return

    def close(self) -> None:
        """Close in good order."""
        self._writer.close()

    def abort(self) -> None:
        """Reset the connection: without lingering, so that the other side sees a reset and no end."""
        raw = self._writer.get_extra_info("socket")
        if raw is not None:  # it is gone already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Wire], Awaitable[bool]]  # answers one request; tells whether the connection goes on


@dataclass
class Record:
    """What arrived since the record was opened."""

    wires: list[Wire] = field(default_factory=list)
    requests: list[strict.Message] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)

    @property
    def unfinished(self) -> list[bytes]:
        """Beginnings of requests that did not become whole."""
        return [wire.unfinished for wire in self.wires if wire.unfinished]


class Origin:
    """The server; `scripts` maps targets to what answers them, everything else gets a small 200."""

    def __init__(self, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None, path: Path | None = None) -> None:
        self.port = 0
        self._host = host
        self._tls = tls
        self._path = path
        self.scripts: dict[str, Script] = {}
        self.record = Record()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: list[Wire] = []

    async def start(self, port: int = 0) -> None:
        """Listen: on a free port of the loopback, unless something else was asked for."""
        if self._path is not None:
            self._server = await asyncio.start_unix_server(self._connected, self._path)
            return
        self._server = await asyncio.start_server(self._connected, self._host, port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """Where it is, as a target."""
        if self._path is not None:
            return f"unix:{self._path}"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http{'s' if self._tls else ''}://{host}:{self.port}"

    async def stop(self) -> None:
        """Close everything."""
        self._server.close()
        for wire in self._open:
            wire.abort()
        await asyncio.gather(*self._tasks)

    def fresh(self) -> Record:
        """Begin a new record; connections that are open go on in it."""
        self.record = Record(wires=[wire for wire in self._open if not wire.gone.is_set()])
        return self.record

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        wire = Wire(reader, writer)
        self._open.append(wire)
        self.record.wires.append(wire)
        try:
            await self._serve(wire)
        except strict.Malformed as error:
            self.record.malformed.append(str(error))
        finally:
            wire.gone.set()
            self._open.remove(wire)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, wire: Wire) -> None:
        while (message := await wire.next()) is not None:
            self.record.requests.append(message)
            script = self.scripts.get(message.start.split(" ")[1], _ok)
            if not await script(wire):
                return


async def _ok(wire: Wire) -> bool:
    method = wire.requests[-1].start.partition(" ")[0]
    await wire.send(OK.removesuffix(b"ok") if method == "HEAD" else OK)
    return True
