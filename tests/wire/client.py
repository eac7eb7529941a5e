"""A client that says exactly what it is told to, in the pieces that it is told, and reads strictly."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, cast

from tests.wire import strict

PATIENCE = 20.0  # seconds until a missing answer is a failure


class Client:
    """One connection to the gateway.

    :ivar data: bytes that came and were not yet taken as an answer.
    :ivar ended: whether the gateway closed in good order.
    :ivar cut: whether it reset the connection.
    """

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None, name: str = "") -> None:
        """With `tls` it begins with a handshake that asks for the server `name`, or for none."""
        self._port = port
        self._tls: dict[str, Any] = {} if tls is None else {"ssl": tls, "server_hostname": name}
        self.data = b""
        self.ended = False
        self.cut = False

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, **self._tls)
        self._writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._writer.transport.abort()

    @property
    def handshake(self) -> ssl.SSLObject:
        """What the handshake came to."""
        return cast("ssl.SSLObject", self._writer.get_extra_info("ssl_object"))

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        return self.ended or self.cut

    def stop_reading(self) -> None:
        """Take nothing more from the socket, nor let the system's buffer grow (to 32 MiB on a large machine)."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        cast("asyncio.Transport", self._writer.transport).pause_reading()

    def read_on(self) -> None:
        """Take what comes again."""
        cast("asyncio.Transport", self._writer.transport).resume_reading()

    async def send(self, pieces: Iterable[bytes]) -> None:
        """Write the pieces one by one; a gateway that has closed already is no error: it was refused."""
        try:
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()
                await asyncio.sleep(0)  # a turn of the loop: whoever shares it sees the pieces one by one
        except ConnectionError:
            return

    async def answer(self, method: str = "GET") -> strict.Message:
        """The next final answer.

        :raises strict.Malformed: when it is not well-formed.
        :raises strict.Unfinished: when the connection ended before it was whole.
        :raises TimeoutError: when it does not come.
        """
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    message, self.data = strict.answer(self.data, method, self.ended)
                    return message
                except strict.Unfinished:
                    if self.over:
                        raise
                    await self._more()

    async def head(self) -> None:
        """Wait until the head of an answer is here."""
        async with asyncio.timeout(PATIENCE):
            while b"\r\n\r\n" not in self.data and not self.over:
                await self._more()

    async def closed(self) -> bytes:
        """Wait until the gateway closes; gives what came before that and belongs to no answer."""
        async with asyncio.timeout(PATIENCE):
            while not self.over:
                await self._more()
        return self.data

    async def _more(self) -> None:
        try:
            data = await self._reader.read(65536)
        except ConnectionError:
            self.cut = True
            return
        self.data += data
        self.ended = not data
