"""Clients that reset their connections right behind their requests, many in one turn: each request has its line."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.frontend.stage import Holding, get, staged, until

COUNT = 8


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (get("/fixed"), [["/fixed", 200]]),
        (get("/held"), [["/held", 499]]),
        (get("/held")[:-2], []),
        (get("/fixed") + get("/held") + b"GET", [["/fixed", 200], ["/held", 499]]),
        (b"GET / HTTP/1.1\r\nno field\r\n\r\n", [[None, 400]]),
    ],
    ids=["answered-at-once", "forwarded", "half-a-head", "two-and-a-half", "malformed"],
)
def test_what_came_before_a_reset_has_its_lines(
    run: Callable[..., None], tmp_path: Path, sent: bytes, told: list[list[object]]
) -> None:
    file = tmp_path / "access.log"

    async def work() -> None:
        async with staged(plugins=f"{{access_log: {{file: '{file}'}}}}") as stage:
            stage.script("/held", Holding())
            clients = [socket.create_connection(("127.0.0.1", stage.port)) for _ in range(COUNT)]
            await until(lambda: len(stage.ends) == COUNT)
            stage.gateway.runtime.flusher.crowd = True
            for client in clients:  # the loop sees nothing of it until all of them are gone
                client.send(sent)
                reset(client)
            await until(lambda: not stage.ends)

    run(work())
    lines = [json.loads(line) for line in file.read_text().splitlines()] if told else []
    assert sorted([line["target"], line["status"]] for line in lines) == sorted(told * COUNT, key=str)
