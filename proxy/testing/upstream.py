"""An upstream on a real socket that records what it is sent and answers by script.

It is a server that behaves: it keeps connections, reads requests to their end, and answers HEAD without a body. A
script may misbehave on its behalf.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from proxy.framing import ChunkedWriter, CloseWriter, LengthWriter, Reader, request_reader, writer
from proxy.headers import Headers
from proxy.message import Response
from proxy.tasks import Tasks
from proxy.testing.client import fields_of

_END = b"\r\n\r\n"


@dataclass
class Seen:
    """One request as the upstream received it.

    :ivar connection: number of the connection that it came on, the first being 1.
    :ivar head: the bytes of its head.
    :ivar raw: all its bytes.
    :ivar whole: False while its body is still to come, or when it never came.
    """

    method: str
    target: str
    headers: Headers
    connection: int
    head: bytes
    raw: bytes
    body: bytes = b""
    trailers: Headers | None = None
    whole: bool = False


class Conversation:
    """One connection from the gateway, as a script has it.

    :ivar seen: the request to answer.
    :ivar gone: set when the gateway has closed the connection.
    """

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.gone = asyncio.Event()
        self.seen: Seen
        self._reader = reader
        self._writer = writer
        self._held = b""
        self._body: Reader | None = None
        self._stays = True

    async def send(self, *pieces: bytes) -> None:
        """Write bytes, each piece to be read on its own; a gateway that has closed already is no error."""
        try:
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            self.gone.set()

    async def answer(self, response: Response) -> None:
        """Write an answer in the ordinary way, its body as it comes."""
        head, framing = _head(response, self.seen.method)
        if framing is None:
            await self.send(head)
        elif response.body.data is not None:
            await self.send(head + b"".join(framing.frame(response.body.data)) + framing.end(response.body.trailers))
        else:
            await self.send(head)
            async for piece in response.body:
                await self.send(b"".join(framing.frame(piece)))
            await self.send(framing.end(response.body.trailers))

    async def upload(self) -> bytes:
        """The request's body, read to its end; what came of it before a gateway that went away is in `seen`."""
        reader, seen = self._body, self.seen
        self._body = None
        while reader is not None:
            data, self._held = self._held or await self.more(), b""
            seen.raw += data
            seen.body += reader.feed(data) if data else b""
            if reader.done:
                seen.raw = seen.raw.removesuffix(reader.rest) if reader.rest else seen.raw
                self._held, seen.trailers, seen.whole = reader.rest, reader.trailers, True
            if reader.done or not data:
                break
        return seen.body

    async def more(self) -> bytes:
        """The next bytes from the gateway; empty when it has closed."""
        try:
            data = await self._reader.read(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.gone.set()
        return data

    async def left(self) -> None:
        """Wait until the gateway has closed the connection; what it still sends is thrown away."""
        while await self.more():
            pass

    def close(self) -> None:
        """Close in good order, after what was sent."""
        self._stays = False
        self._writer.close()

    def abort(self) -> None:
        """Reset the connection."""
        self._stays = False
        raw = self._writer.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:  # else it has ended by itself
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def next(self) -> bool:
        """Take the next request's head; False when there is none."""
        while self._stays and _END not in self._held:
            data = await self.more()
            if not data:
                return False
            self._held += data
        if self._stays:
            at = self._held.index(_END) + len(_END)
            head, self._held = self._held[:at], self._held[at:]
            self._begin(head)
        return self._stays

    def _begin(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, version = first.split(" ")
        fields = fields_of(lines)
        self.seen = Seen(method, target, fields, self.number, head, head)
        self._body = request_reader(version.removeprefix("HTTP/"), fields)
        self.seen.whole = self._body is None


def _head(response: Response, method: str) -> tuple[bytes, LengthWriter | ChunkedWriter | CloseWriter | None]:
    """An answer's head, and how its body is framed; None when it has none."""
    untold = response.status in (204, 304) or response.status < 200
    framing = writer(None if response.body.trailers else response.body.size, "1.1")
    told = None if untold else framing.fields
    fields = [*response.headers.items(), *([told] if told else [])]
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    head = f"HTTP/1.1 {response.status} {response.reason or 'Status'}\r\n{lines}\r\n".encode("latin-1")
    return head, None if untold or method == "HEAD" else framing


Script: TypeAlias = Callable[[Conversation], Awaitable[None]]


class FakeUpstream:
    """The server: a small `200` in plain text for everything, unless something else is set.

    :ivar url: where it is.
    :ivar seen: every request, oldest first; only those after `forget`.
    :ivar accepted: connections accepted so far.
    :ivar conversations: those open now.
    :ivar failures: what went wrong in scripts.
    """

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.accepted = 0
        self.conversations: list[Conversation] = []
        self.failures: list[Exception] = []
        self._scripts: dict[str | None, list[Script]] = {None: [_small]}
        self._tasks = Tasks()

    def reply(self, *answers: Response | bytes | Script, to: str | None = None) -> None:
        """Set what is answered, one after the other, the last one for good.

        :param answers: a Response; bytes that are sent as they are; or a script, which is given the conversation.
        :param to: the target that it is for; None for all that have none of their own.
        """
        self._scripts[to] = [_script(answer) for answer in answers]

    def forget(self) -> None:
        """Begin a new record."""
        self.seen.clear()

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def refuse(self) -> None:
        """Listen no more: connections are refused from now on, open ones are reset."""
        self._server.close()
        for conversation in list(self.conversations):
            conversation.abort()

    async def stop(self) -> None:
        """Close everything."""
        self.refuse()
        await self._tasks.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.adopt(task)
        self.accepted += 1
        conversation = Conversation(self.accepted, reader, writer)
        self.conversations.append(conversation)
        try:
            await self._serve(conversation)
        except Exception as error:  # told by the kit at its end
            self.failures.append(error)
        except asyncio.CancelledError:
            pass  # `stop`: asyncio's own server would log a cancelled handler
        finally:
            conversation.gone.set()
            self.conversations.remove(conversation)
            writer.transport.abort()

    async def _serve(self, conversation: Conversation) -> None:
        while await conversation.next():
            self.seen.append(conversation.seen)
            await self._next_script(conversation.seen.target)(conversation)
            await conversation.upload()

    def _next_script(self, target: str) -> Script:
        scripts = self._scripts.get(target) or self._scripts[None]
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]


def _script(answer: Response | bytes | Script) -> Script:
    if not isinstance(answer, Response | bytes):
        return answer

    async def play(conversation: Conversation) -> None:
        await conversation.upload()
        await (conversation.send(answer) if isinstance(answer, bytes) else conversation.answer(answer))

    return play


async def _small(conversation: Conversation) -> None:
    await conversation.upload()
    await conversation.answer(Response.text(200, "ok"))
