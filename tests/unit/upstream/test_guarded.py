"""Nothing is connected that was not admitted, however it is written and whatever a name leads to."""

from __future__ import annotations

import asyncio
import gzip
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

import pytest

from plugins.webhook.guard import admits
from proxy.build import Runtime
from proxy.errors import BadResponse, ConnectFailed, ConnectRefused, GatewayError, UpstreamReset, UpstreamTimeout
from proxy.server.admin_routes import AdminRoutes

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """A server on the loopback that counts who connects."""

    def __init__(self, play: Play | bytes) -> None:
        self._play = play
        self.connects = 0
        self.port = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                if isinstance(self._play, bytes):
                    writer.write(self._play)
                else:
                    await self._play(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Peer]:
        """Serve."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        yield self
        server.close()


@asynccontextmanager
async def runtime(lookup: Callable[[str], Awaitable[Sequence[str]]] | None = None) -> AsyncIterator[Runtime]:
    made = Runtime(AdminRoutes(), lookup=lookup)
    yield made
    await made.close()


class Connects:
    """Where sockets of this process are connected to, seen at the system call.

    A hook for that cannot be taken away again, so there is one, which notes nothing unless a test looks.
    """

    hosts: ClassVar[list[str] | None] = None

    @classmethod
    def hook(cls, event: str, arguments: tuple[Any, ...]) -> None:
        """Note a connect."""
        if event == "socket.connect" and cls.hosts is not None and isinstance(arguments[1], tuple):
            cls.hosts.append(str(arguments[1][0]))


@pytest.fixture(scope="module", autouse=True)
def _hooked() -> None:
    sys.addaudithook(Connects.hook)


@pytest.fixture
def connects() -> Iterator[list[str]]:
    """What is connected to."""
    Connects.hosts = []
    yield Connects.hosts
    Connects.hosts = None


async def sent(made: Runtime, url: str, *, private: bool = False, seconds: float = 2.0, keep: int = 2048) -> bytes:
    client = made.http.guarded(lambda address: admits(address, private=private), connect=1.0)
    try:
        response = await client.send("POST", url, headers={"X-A": "1"}, body=b"{}", timeout=seconds, keep=keep)
        return b"%d %s" % (response.status, response.body.data or b"")
    finally:
        await client.close()


WRITTEN = [
    "127.0.0.1",
    "127.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "localhost",
    "LOCALHOST.",
    "0",
    "0.0.0.0",
    "[::]",
    "[::1]",
]


@pytest.mark.parametrize("host", WRITTEN)
async def test_this_machine_however_it_is_written(host: str, connects: list[str]) -> None:
    async with Peer(OK).running() as peer, runtime() as made:
        with pytest.raises(GatewayError):
            await sent(made, f"http://{host}:{peer.port}/")
        assert (peer.connects, connects) == (0, [])


NEVER = [
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "169.254.43518",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "192.88.99.1",
    "[fec0::1]",
    "224.0.0.1",
    "0.0.0.0",
]


@pytest.mark.parametrize("host", NEVER)
async def test_metadata_and_the_like_even_where_private_networks_are_allowed(host: str, connects: list[str]) -> None:
    async with runtime() as made:
        with pytest.raises(GatewayError):
            await sent(made, f"http://{host}/latest/meta-data/", private=True)
        assert connects == []


@pytest.mark.parametrize(
    "answers", [["127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254", "127.0.0.1"], ["10.0.0.1"], ["::1", "0.0.0.0"]]
)
async def test_a_name_that_leads_inside(answers: list[str], connects: list[str]) -> None:
    async def lookup(_: str) -> Sequence[str]:
        return answers

    async with Peer(OK).running() as peer, runtime(lookup) as made:
        with pytest.raises(ConnectFailed, match="not admitted"):
            await sent(made, f"http://hooks.example.com:{peer.port}/")
        assert (peer.connects, connects) == (0, [])


async def test_a_name_that_leads_elsewhere_each_time(connects: list[str]) -> None:
    """Rebinding: what was looked up to be checked and what is connected to are the same answer."""
    asked = 0

    async def lookup(_: str) -> Sequence[str]:
        nonlocal asked
        asked += 1
        return ["192.0.2.1"] if asked % 2 else ["127.0.0.1"]

    async with Peer(OK).running() as peer, runtime(lookup) as made:
        made.resolver.ttl = 0.0
        for _ in range(6):
            with pytest.raises(GatewayError):
                await sent(made, f"http://hooks.example.com:{peer.port}/", seconds=0.5)
        assert (peer.connects, connects) == (0, [])
        assert asked >= 6


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:%d/", "//[::1]:%d/"])
async def test_redirects_are_answers(status: int, place: str, connects: list[str]) -> None:
    async with Peer(OK).running() as inner:
        there = place % inner.port if "%d" in place else place
        away = f"HTTP/1.1 {status} Moved\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode()
        async with Peer(away).running() as peer, runtime() as made:
            assert await sent(made, f"http://127.0.0.1:{peer.port}/", private=True) == b"%d " % status
            assert (peer.connects, inner.connects, connects) == (1, 0, ["127.0.0.1"])


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Peer(OK).running() as peer, runtime() as made:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{peer.port}")
        with pytest.raises(GatewayError):
            await sent(made, "http://192.168.255.254:9/", seconds=0.5)
        assert peer.connects == 0


async def test_what_is_admitted_is_sent() -> None:
    async with Peer(OK).running() as peer, runtime() as made:
        assert await sent(made, f"http://127.0.0.1:{peer.port}/x", private=True) == b"200 ok"
        assert await sent(made, f"http://localhost:{peer.port}/x", private=True) == b"200 ok"


async def test_nobody_there() -> None:
    async with Peer(OK).running() as peer:
        port = peer.port
    async with runtime() as made:
        with pytest.raises(ConnectRefused):
            await sent(made, f"http://127.0.0.1:{port}/", private=True)


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def interim(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.001)


async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def bombs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = gzip.compress(bytes(50_000_000))
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


@pytest.mark.parametrize(
    ("play", "error"),
    [
        (hangs, UpstreamTimeout),
        (drips, UpstreamTimeout),
        (interim, UpstreamTimeout),
        (resets, UpstreamReset),
        (babbles, BadResponse),
    ],
)
async def test_receivers_that_mean_ill(play: Play, error: type[GatewayError]) -> None:
    async with Peer(play).running() as peer, runtime() as made:
        with pytest.raises(error):
            await sent(made, f"http://127.0.0.1:{peer.port}/", private=True, seconds=0.2)


@pytest.mark.parametrize("play", [floods, bombs])
async def test_of_a_long_answer_only_the_beginning_is_read(play: Play) -> None:
    async with Peer(play).running() as peer, runtime() as made:
        answer = await sent(made, f"http://127.0.0.1:{peer.port}/", private=True)
        assert answer.startswith(b"200 ")
        assert len(answer) == 4 + 2048


@pytest.mark.parametrize("play", [floods, drips, interim, hangs])
async def test_a_connection_with_more_to_come_is_closed(play: Play) -> None:
    """Nobody reads the rest, and no later delivery waits behind it."""
    over = asyncio.Event()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await play(reader, writer)
        finally:
            over.set()

    async with Peer(watched).running() as peer, runtime() as made:
        client = made.http.guarded(lambda address: admits(address, private=True), connect=1.0)
        for _ in range(2):
            with suppress(GatewayError):
                await client.send(
                    "POST", f"http://127.0.0.1:{peer.port}/", headers={}, body=b"{}", timeout=0.2, keep=100
                )
            async with asyncio.timeout(20):
                await over.wait()
            over.clear()
        assert peer.connects == 2
        await client.close()
