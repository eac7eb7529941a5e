"""Whether a client reads, seen from what still waits for it: on real sockets."""

from __future__ import annotations

import asyncio
import socket
import sys

from proxy.build.wire import Wire
from proxy.frontend.pace import Pace, waiting

SIZE = 4 << 20


async def connected() -> tuple[asyncio.Transport, socket.socket]:
    """Our end as a transport, and the client's as a blocking socket that has read nothing."""
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    return transport, theirs


async def take(sock: socket.socket, size: int) -> None:
    """Read on the client's side, and let our side see it."""
    while size > 0:
        size -= len(await asyncio.to_thread(sock.recv, size))
    await asyncio.sleep(0)


async def test_a_client_that_takes_something_goes_on() -> None:
    transport, client = await connected()
    with client:
        transport.write(b"x" * SIZE)
        pace = Pace()
        pace.mark(transport)
        assert not pace.goes_on(transport)
        before = waiting(transport)
        await take(client, 1 << 20)
        while waiting(transport) == before:
            await asyncio.sleep(0)
        assert pace.goes_on(transport)
        assert not pace.goes_on(transport)
        transport.abort()


async def test_a_client_that_has_taken_everything_is_waited_for_no_more() -> None:
    transport, client = await connected()
    with client:
        transport.write(b"x")
        pace = Pace()
        pace.mark(transport)
        await take(client, 1)
        assert waiting(transport) == 0
        assert not pace.goes_on(transport)
        transport.abort()


async def test_what_the_system_holds_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        ours, _ = server.accept()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        transport.write(b"x" * (1 << 20))
        told = waiting(transport) > transport.get_write_buffer_size()
        assert told or sys.platform != "linux"  # elsewhere the system need not tell
        transport.abort()


def test_where_there_is_no_socket_only_our_own_buffer_counts() -> None:
    assert waiting(Wire()) == 0


async def test_a_connection_that_is_gone_waits_for_nothing() -> None:
    transport, client = await connected()
    client.close()
    transport.abort()
    await asyncio.sleep(0)
    assert not Pace().goes_on(transport)
