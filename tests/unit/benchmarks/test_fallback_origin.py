"""The origin for machines without nginx, asked over loopback."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from benchmarks import fallback_origin
from benchmarks.fallback_origin import Origin, render
from benchmarks.origin import BODIES
from benchmarks.probe import wait_for
from benchmarks.process import Child, free_port

POST = b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET /json?page=1 HTTP/1.1\r\nHost: a\r\n\r\n"
LOST = b"GET /lost HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWERS = {b"/json": render(b"j"), b"/post": render(b"p")}


async def exchange(pieces: list[bytes], expected: bytes) -> bytes:
    server = await asyncio.get_running_loop().create_server(lambda: Origin(ANSWERS), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        got = await reader.readexactly(len(expected))
        writer.close()
        await writer.wait_closed()
    return got


@pytest.mark.parametrize("pieces", [[POST + GET + LOST], [POST[:10], POST[10:] + GET[:5], GET[5:] + LOST]])
async def test_requests_are_answered_in_order_however_they_arrive(pieces: list[bytes]) -> None:
    expected = render(b"p") + render(b"j") + render(b"{}", b"404 Not Found")
    assert await exchange(pieces, expected) == expected


def test_the_program_serves_every_body(tmp_path: Path) -> None:
    program, port = Path(fallback_origin.__file__), free_port()
    env = {"PYTHONPATH": str(program.parent.parent)}
    with Child([sys.executable, str(program), str(port)], core=0, log=tmp_path / "log", env=env) as child:
        for path, body in BODIES.items():
            wait_for(child, port, path, len(body))
