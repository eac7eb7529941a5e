"""The paced load against a real origin on loopback, and its reading of answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from benchmarks.fallback_origin import Origin, render
from benchmarks.paced import PacedLoad, answer_length, quantile
from benchmarks.sample import MARK, RunFailed, parse_result


class Leaver(asyncio.Protocol):
    """A server that hangs up on whoever asks."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.close()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    answers = {b"/json": render(b"hello")}
    server = await asyncio.get_running_loop().create_server(lambda: Origin(answers), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def paced(port: int, path: str) -> dict[str, int]:
    return await asyncio.to_thread(lambda: PacedLoad(port, path, 200, 0.25, 4, "seed").run())


async def test_every_request_is_sent_and_counted(port: int) -> None:
    sample = parse_result(MARK + json.dumps(await paced(port, "/json")))
    assert sample.requests == 50
    assert sample.bytes == 50 * len(render(b"hello"))
    assert sample.rate == pytest.approx(200, rel=0.01)
    assert 0 < sample.p50_ms <= sample.p99_ms <= sample.max_ms


async def test_a_wrong_status_voids_the_run(port: int) -> None:
    with pytest.raises(RunFailed, match="50 status"):
        parse_result(MARK + json.dumps(await paced(port, "/nothing")))


async def test_lost_connections_and_what_they_left_unsent_are_errors() -> None:
    server = await asyncio.get_running_loop().create_server(Leaver, "127.0.0.1", 0)
    async with server:
        figures = await paced(server.sockets[0].getsockname()[1], "/json")
    assert (figures["requests"], figures["read"], figures["timeout"]) == (0, 4, 46)


def test_answer_length() -> None:
    answer = render(b"hello")
    assert answer_length(answer) == len(answer)
    assert answer_length(answer[:20]) is None
    with pytest.raises(ValueError, match="Content-Length"):
        answer_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def test_quantile_is_the_nearest_rank() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [quantile(values, share) for share in (0.5, 0.99, 1.0)] == [51.0, 100.0, 100.0]
    assert quantile([], 0.5) == 0.0
