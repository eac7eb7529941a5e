"""A tunnel for tests: the upstream's end of it, and how a client asks for one."""

from __future__ import annotations

import asyncio
import socket

from tests.unit.frontend.stage import Stage, get, until
from tests.wire.client import Client
from tests.wire.origin import Wire

ASK = ("Connection: Upgrade", "Upgrade: chat")
SOCKET = ("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==")
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\nX-Own: 1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LARGE = 12 << 20  # bytes: more than narrow sockets between two ends take
_NARROW = 65536


class Peer:
    """The upstream's end: switches, says something with it, keeps what comes; speaks and leaves when told to."""

    def __init__(self, protocol: bytes = b"chat", first: bytes = b"", *, reads: bool = True) -> None:
        self._answer = SWITCHED % protocol + first
        self._reads = reads
        self.go_on = asyncio.Event()
        self.wire: Wire | None = None

    async def __call__(self, wire: Wire) -> bool:
        self.wire = wire
        await wire.send(self._answer)
        if not self._reads:
            await self.go_on.wait()
        while await wire.more():
            pass
        return False

    @property
    def got(self) -> bytes:
        """What came through the tunnel."""
        return b"" if self.wire is None else self.wire.unfinished

    async def say(self, data: bytes) -> None:
        assert self.wire is not None
        await self.wire.send(data)


async def switched(stage: Stage, client: Client, peer: Peer, *fields: str, behind: bytes = b"") -> bytes:
    """Ask for a tunnel and get it; gives the head of the answer."""
    stage.script("/t", peer)
    await client.send([get("/t", *(fields or ASK)) + behind])
    await client.head()
    head, _, client.data = client.data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    return head


def narrow(stage: Stage, peer: Peer) -> None:
    """Keep the system's buffers from growing (to 36 MiB) in front of those who do not read."""
    assert peer.wire is not None
    tunnel = stage.ends[0]._tunnel
    for end in (peer.wire._writer, tunnel._client._transport, tunnel._upstream._transport):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, _NARROW)


async def arrives(client: Client, data: bytes) -> None:
    """What comes next is this."""
    async with asyncio.timeout(5):
        while len(client.data) < len(data):
            await client._more()
    assert client.data[: len(data)] == data
    client.data = client.data[len(data) :]


async def gone(stage: Stage, peer: Peer) -> None:
    """Nothing is left of the tunnel on either side."""
    assert peer.wire is not None
    await asyncio.wait_for(peer.wire.gone.wait(), 5)
    await until(lambda: not stage.pool.open and not stage.gateway.engine.active)
