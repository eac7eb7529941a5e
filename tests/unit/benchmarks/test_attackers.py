"""The attackers do what they say, to a server that keeps account of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from benchmarks.attackers import ATTACKS, Socket, attack


class Account(asyncio.Protocol):
    """Counts connections and keeps what they sent; answers nothing."""

    made = 0
    taken = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        type(self).made += 1

    def data_received(self, data: bytes) -> None:
        type(self).taken += data[:4096]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    Account.made, Account.taken = 0, b""
    server = await asyncio.get_running_loop().create_server(Account, "127.0.0.1", 0, backlog=1024)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("name", ATTACKS)
async def test_each_attack_reaches_the_port_at_its_rate(name: str, port: int) -> None:
    seconds = 0.1
    steps = await asyncio.to_thread(attack, name, port, seconds)
    while not Account.made:
        await asyncio.sleep(0)
    assert 0 < steps <= ATTACKS[name].rate * (seconds + 0.05)
    assert ATTACKS[name].about


async def test_a_loris_never_ends_its_heads(port: int) -> None:
    await asyncio.to_thread(attack, "slow heads", port, 0.1)
    while not Account.taken:
        await asyncio.sleep(0)
    assert b"\r\n\r\n" not in Account.taken


async def test_a_connection_is_made_anew_when_it_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = Socket(server.getsockname()[1])
        assert one.ended()
        for _ in range(2):
            one.send(b"b", b"a")
            sock, _ = server.accept()
            with sock:
                assert sock.recv(2) == b"ab"
                assert not one.ended()
            while not one.ended():
                await asyncio.sleep(0)
        one.close()
