"""A client for tests: one connection, on which bytes go out as they are given and answers are read as they stand.

It reads with the project's own framing, which is strict; it does not follow, decode or retry anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from proxy.framing import FramingError, Reader, response_reader
from proxy.headers import Headers

PATIENCE = 10.0  # seconds until a missing answer is a failure
_END = b"\r\n\r\n"


class Cut(Exception):
    """The connection ended before the answer was whole.

    :ivar received: the bytes of the answer that came.
    """

    def __init__(self, received: bytes) -> None:
        super().__init__(f"the connection ended after {received[:200]!r}")
        self.received = received


@dataclass
class Reply:
    """One final answer as the client got it.

    :ivar interim: the statuses of the 1xx answers before it.
    :ivar raw: its bytes, interim answers and framing included.
    """

    status: int
    headers: Headers
    body: bytes
    trailers: Headers | None = None
    interim: list[int] = field(default_factory=list)
    raw: bytes = b""

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()


class Wire:
    """One connection to a gateway.

    :ivar data: bytes that came and belong to no answer yet.
    :ivar ended: whether the gateway closed it, in good order or not.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self.data = b""
        self.ended = False

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    async def send(self, *pieces: bytes) -> None:
        """Write the pieces, each to be read on its own; a gateway that has closed already is no error."""
        try:
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            return

    def leave(self) -> None:
        """Drop the connection, as a client does that went away."""
        self._writer.transport.abort()

    async def until(self, mark: bytes) -> None:
        """Wait until `mark` is among the bytes that belong to no answer yet.

        :raises Cut: when it will not come.
        """
        async with asyncio.timeout(PATIENCE):
            while mark not in self.data:
                if not await self._more():
                    raise Cut(self.data)

    async def closed(self) -> bytes:
        """Wait until the gateway closes; gives what came before that and belongs to no answer."""
        async with asyncio.timeout(PATIENCE):
            while await self._more():
                pass
        return self.data

    async def reply(self, method: str = "GET") -> Reply:
        """The next final answer.

        :param method: of the request that it answers: HEAD has no body.
        :raises Cut: when the connection ended before it was whole.
        :raises TimeoutError: when it does not come.
        """
        async with asyncio.timeout(PATIENCE):
            interim: list[int] = []
            raw = b""
            while True:
                head = await self._head()
                raw += head
                status, headers = parse_head(head)
                if status >= 200:
                    break
                interim.append(status)
            reply = await self._body(method, status, headers)
        reply.interim = interim
        reply.raw = raw + reply.raw
        return reply

    async def _head(self) -> bytes:
        while _END not in self.data:
            if not await self._more():
                raise Cut(self.data)
        head, self.data = _split(self.data)
        return head

    async def _body(self, method: str, status: int, headers: Headers) -> Reply:
        reader = response_reader(method, status, "1.1", headers)
        if reader is None:
            return Reply(status, headers, b"")
        content, raw = b"", b""
        while not reader.done:
            data, self.data = self.data, b""
            raw += data
            content += reader.feed(data) if data else b""
            if not reader.done and not await self._more():
                _end(reader, raw)
        raw = raw.removesuffix(reader.rest) if reader.rest else raw
        self.data = reader.rest + self.data
        return Reply(status, headers, content, reader.trailers, raw=raw)

    async def _more(self) -> bool:
        try:
            data = await self._reader.read(65536)
        except ConnectionError:
            data = b""
        self.data += data
        self.ended = not data
        return bool(data)


def _end(reader: Reader, raw: bytes) -> None:
    """The connection has ended: a body without framing is whole then, any other is cut."""
    try:
        reader.eof()
    except FramingError:
        raise Cut(raw) from None


def _split(data: bytes) -> tuple[bytes, bytes]:
    at = data.index(_END) + len(_END)
    return data[:at], data[at:]


def parse_head(head: bytes) -> tuple[int, Headers]:
    """The status and the fields of an answer's head."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    return int(first.split(" ")[1]), fields_of(lines)


def fields_of(lines: Iterable[str]) -> Headers:
    """The fields of a head's lines, its first line left out."""
    return Headers((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))


def request_bytes(
    method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None, host: str = "test"
) -> bytes:
    """A request as bytes; its length is told when it has a body."""
    fields = {"Host": host, **(headers or {})}
    if body is not None:
        fields["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (body or b"")
