"""Many connections at once: what idle ones cost, and what becomes of those for which there is no room.

A thousand idle connections in every run; `make soak` holds ten thousand.
"""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e import peers
from tests.e2e.peers import Gateway
from tests.unit.frontend.pki import Pki, listening

KIB = 1024
CONFIG = """
listen: [{listen}]
admin: {{listen: http://127.0.0.1:0}}
{limits}
plugins: []
routes: [{{name: fixed, plugins: {{respond: {{body: fixed}}}}}}]
"""
REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
COUNT = 10_000 if "SOAK_SECONDS" in os.environ else 1_000
PER_CONNECTION = 24 * KIB  # bytes that an idle connection may cost
PER_TLS_CONNECTION = 128 * KIB
AT_ONCE = 200  # connections that are begun together


@contextmanager
def serving(path: Path, *, limits: str = "", listen: str = "http://127.0.0.1:0") -> Iterator[Gateway]:
    """The real command, which answers by itself."""
    file = path / "passerelle.yaml"
    file.write_text(CONFIG.format(listen=listen, limits=limits))
    with peers.serving(file) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """The tests hold as many connections as the gateway."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(port: int, tls: ssl.SSLContext | None) -> Ends:
    name = None if tls is None else "a.example"
    return await asyncio.open_connection("127.0.0.1", port, limit=KIB, ssl=tls, server_hostname=name)


async def answered(ends: Ends) -> bool:
    """Ask on a connection; whether the answer is whole."""
    reader, writer = ends
    writer.write(REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    return head.startswith(b"HTTP/1.1 200") and await reader.readexactly(5) == b"fixed"


async def held(gateway: Gateway, count: int, tls: ssl.SSLContext | None = None) -> float:
    """Hold so many keep-alive connections; gives what each costs, in bytes, when all have been used."""
    async with AsyncExitStack() as stack:
        ends: list[Ends] = []
        first = [await _entered(stack, gateway, tls) for _ in range(3)]
        assert all(await asyncio.gather(*map(answered, first)))  # what is made once has been made
        before = gateway.memory()
        while len(ends) < count:
            batch = [_entered(stack, gateway, tls) for _ in range(min(AT_ONCE, count - len(ends)))]
            ends += await asyncio.gather(*batch)
        assert all(await asyncio.gather(*map(answered, ends)))
        each = (gateway.memory() - before) / count
        assert await asyncio.to_thread(gateway.metric, "passerelle_connections_open") == count + len(first)
        assert all(await asyncio.gather(*map(answered, ends[:: max(1, count // 100)])))  # they still live
        return each


async def _entered(stack: AsyncExitStack, gateway: Gateway, tls: ssl.SSLContext | None) -> Ends:
    ends = await connected(gateway.port, tls)
    stack.callback(ends[1].transport.abort)
    return ends


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_idle_connections(tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard == resource.RLIM_INFINITY or hard > COUNT + 500, "ulimit -n is too low for this"
    with serving(tmp_path, limits=f"limits: {{connections: {COUNT + 100}}}") as gateway:
        each = asyncio.run(held(gateway, COUNT))
    print(f"{COUNT} idle connections: {each / KIB:.1f} KiB each")
    assert each < PER_CONNECTION


@pytest.mark.timeout(120)
def test_idle_connections_with_tls(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    with serving(tmp_path, listen=listening(pki.write("a", "a.example"))) as gateway:
        each = asyncio.run(held(gateway, 300, pki.client()))
    print(f"300 idle connections with TLS: {each / KIB:.1f} KiB each")
    assert each < PER_TLS_CONNECTION


async def flood(gateway: Gateway, limit: int, count: int) -> int:
    """Many more connections than there is room for, each of which asks and leaves; gives how many were answered."""
    inside = [await connected(gateway.port, None) for _ in range(limit)]
    assert all([await answered(ends) for ends in inside])
    outside = [await connected(gateway.port, None) for _ in range(count)]  # the kernel has connected them
    waiting = [asyncio.create_task(answered(ends)) for ends in outside]
    assert await asyncio.to_thread(gateway.metric, "passerelle_connections_at_limit") == 1
    assert await asyncio.to_thread(gateway.metric, "passerelle_connections_open") == limit
    assert not any(task.done() for task in waiting)
    assert all([await answered(ends) for ends in inside])  # those inside are served on
    for _, writer in inside:
        writer.transport.abort()
    leaving = [left(task, end) for task, end in zip(waiting, outside, strict=True)]
    return sum(await asyncio.wait_for(asyncio.gather(*leaving), 60))


async def left(waiting: asyncio.Task[bool], ends: Ends) -> bool:
    """Leave once the answer is here."""
    done = await waiting
    ends[1].transport.abort()
    return done


@pytest.mark.timeout(120)
def test_a_flood_waits_and_is_served_when_others_leave(tmp_path: Path) -> None:
    limit, count = 20, 500
    with serving(tmp_path, limits=f"limits: {{connections: {limit}}}") as gateway:
        assert asyncio.run(flood(gateway, limit, count)) == count
        assert gateway.metric("passerelle_connections_accepted_total") == limit + count
