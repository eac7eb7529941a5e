"""WebSockets through the real command: its signals, the death of either end, and what it holds of a flood."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from tests.e2e.conftest import Process, Run
from tests.e2e.peers import MIB, Gateway

PATIENCE = 40.0  # seconds
SERVER = """
import asyncio
from websockets.asyncio.server import serve

async def handler(ws):
    async for message in ws:
        if message == "flood":
            for _ in range(256):
                await ws.send(b"x" * (1 << 20))
        else:
            await ws.send(message)

async def main():
    async with serve(handler, "127.0.0.1", 0, compression=None, max_size=None, write_limit=1 << 16) as server:
        print(f"port {next(iter(server.sockets)).getsockname()[1]}", flush=True)
        await server.serve_forever()

asyncio.run(main())
"""


class House:
    """The gateway's process and the server's."""

    def __init__(self, gateway: Process, url: str, server: Process) -> None:
        self.gateway = gateway
        self.url = url
        self.server = server

    def connect(self) -> ClientConnection:
        return connect(
            self.url.replace("http:", "ws:"), proxy=None, compression=None, max_size=None, max_queue=1, close_timeout=5
        )


@contextmanager
def house(run: Run) -> Iterator[House]:
    server = Process(sys.executable, "-c", SERVER)
    try:
        port = server.line("port ").rpartition(" ")[2]
        gateway = run("serve", "--to", f"http://127.0.0.1:{port}", "--listen", "http://127.0.0.1:0")
        yield House(gateway, gateway.ready(), server)
    finally:
        server.kill()


def test_the_death_of_the_server_is_seen_at_once(run: Run) -> None:
    with house(run) as here, here.connect() as ws:
        ws.send("hello")
        assert ws.recv(PATIENCE) == "hello"
        here.server.kill()
        with pytest.raises(ConnectionClosedError) as told:
            ws.recv(PATIENCE)
        assert told.value.rcvd is None


def test_little_is_held_of_a_flood_and_term_closes_with_1001_and_exits_in_good_order(run: Run) -> None:
    with house(run) as here, here.connect() as ws:
        watch = Gateway(here.gateway.popen.pid, 0, 0)
        ws.send("hello")
        assert ws.recv(PATIENCE) == "hello"
        watch.forget_peak()
        before = watch.memory()
        ws.send("flood")  # 256 MiB, of which the client's library takes a message at a time
        for _ in range(256):
            message = ws.recv(PATIENCE)
            assert len(message) == MIB
        assert watch.peak() - before < 32 * MIB
        here.gateway.send(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as told:
            ws.recv(PATIENCE)
        assert told.value.rcvd is not None
        assert told.value.rcvd.code == 1001
        assert here.gateway.ended() == 0
