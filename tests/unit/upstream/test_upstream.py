"""When a failed try is repeated, where, and with which answer in the end."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.unit.frontend.stage import Holding, fetch, get, plays, staged, until
from tests.wire.client import Client
from tests.wire.origin import Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TWO = "http://127.0.0.1:{port}, http://localhost:{port}"
POST = get("/once", "Content-Length: 2", method="POST") + b"hi"


@pytest.fixture
def refusing() -> Iterator[str]:
    """The URL of a port that nobody listens on, and nobody else takes meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


class Fails:
    """Answers so many requests by a status, all further ones well."""

    def __init__(self, count: int, status: int = 503) -> None:
        self.left = count
        self.asked = 0
        self._bad = b"HTTP/1.1 %d Bad\r\nContent-Length: 3\r\n\r\nbad" % status

    async def __call__(self, wire: Wire) -> bool:
        self.asked += 1
        self.left -= 1
        await wire.send(self._bad if self.left >= 0 else OK)
        return True


@pytest.mark.parametrize("request_bytes", [get("/once"), POST], ids=["get", "post"])
async def test_a_refused_connection_is_tried_elsewhere(request_bytes: bytes, refusing: str) -> None:
    async with staged(upstream="retry: {attempts: 1}", targets=f"{refusing}, http://127.0.0.1:{{port}}") as stage:
        for _ in range(10):
            assert (await fetch(stage, request_bytes)).status == 200
        assert len(stage.origin.record.requests) == 10
        assert stage.pool.open == 1


async def test_an_upload_that_has_not_begun_is_tried_elsewhere(refusing: str) -> None:
    async with staged(upstream="retry: {attempts: 1}", targets=f"{refusing}, http://127.0.0.1:{{port}}") as stage:
        for _ in range(4):
            async with Client(stage.port) as client:
                await client.send([get("/sink", "Transfer-Encoding: chunked", method="POST")])
                await until(lambda: stage.gateway.engine.active)
                await client.send([b"2\r\nhi\r\n", b"0\r\n\r\n"])
                assert (await client.answer()).status == 200
        assert [message.body for message in stage.origin.record.requests] == [b"hi"] * 4


async def test_every_target_refusing_is_a_bad_gateway(refusing: str) -> None:
    async with staged(upstream="retry: {attempts: 3}", targets=refusing) as stage:
        answer = await fetch(stage, get("/"))
    assert (answer.status, "connection_refused" in answer.values("proxy-status")[0]) == (502, True)


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_bad_status_is_tried_again(status: int) -> None:
    async with staged(upstream="retry: {attempts: 1}", targets=TWO) as stage:
        stage.script("/once", fails := Fails(1, status))
        assert (await fetch(stage, get("/once"))).status == 200
        assert fails.asked == 2


async def test_the_last_answer_counts_when_all_are_bad() -> None:
    async with staged(upstream="retry: {attempts: 2}", targets=TWO) as stage:
        stage.script("/once", fails := Fails(99))
        answer = await fetch(stage, get("/once"))
        assert (answer.status, answer.body, fails.asked) == (503, b"bad", 3)


async def test_a_large_bad_answer_is_thrown_away() -> None:
    """It is not read to its end, and its connection is not used again."""
    bad = b"HTTP/1.1 503 Bad\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000

    class Once:
        asked = 0

        async def __call__(self, wire: Wire) -> bool:
            self.asked += 1
            await wire.send(bad if self.asked == 1 else OK)
            return True

    async with staged(upstream="retry: {attempts: 1}") as stage:
        stage.script("/once", Once())
        assert (await fetch(stage, get("/once"))).body == b"ok"
        assert stage.pool.open == 1


@pytest.mark.parametrize(
    ("retry", "request_bytes"),
    [
        ("retry: {attempts: 1}", POST),
        ("retry: {attempts: 1, on: [connect, reset]}", get("/once")),
        ("retry: {attempts: 0}", get("/once")),
        ("retry: false", get("/once")),
    ],
    ids=["post", "other-reasons", "no-attempts", "off"],
)
async def test_a_bad_status_that_is_passed_on(retry: str, request_bytes: bytes) -> None:
    async with staged(upstream=retry, targets=TWO) as stage:
        stage.script("/once", fails := Fails(1))
        assert (await fetch(stage, request_bytes)).status == 503
        assert fails.asked == 1


async def test_an_upload_that_flowed_on_cannot_be_repeated() -> None:
    async with staged(upstream="retry: {attempts: 1}", targets=TWO) as stage, Client(stage.port) as client:
        stage.script("/once", fails := Fails(1))
        await client.send([get("/once", "Transfer-Encoding: chunked", method="PUT")])
        await until(lambda: stage.wires and stage.wires[0].received)
        await client.send([b"2\r\nhi\r\n0\r\n\r\n"])
        assert ((await client.answer()).status, fails.asked) == (503, 1)


async def test_other_statuses_are_passed_on() -> None:
    async with staged(upstream="retry: {attempts: 1}") as stage:
        stage.script("/once", fails := Fails(1, 500))
        assert (await fetch(stage, get("/once"))).status == 500
        assert fails.asked == 1


@pytest.mark.parametrize(("method", "status", "asked"), [("GET", 200, 2), ("POST", 502, 1)])
async def test_a_reset_before_the_answer(method: str, status: int, asked: int) -> None:
    class Dies:
        asked = 0

        async def __call__(self, wire: Wire) -> bool:
            self.asked += 1
            if self.asked == 1:
                wire.abort()
                return False
            await wire.send(OK)
            return True

    async with staged(upstream="retry: {attempts: 1}") as stage:
        stage.script("/once", dies := Dies())
        assert (await fetch(stage, get("/once", method=method))).status == status
        assert dies.asked == asked


async def test_an_answer_that_has_begun_is_never_tried_again() -> None:
    async with staged(upstream="retry: {attempts: 1}", targets=TWO) as stage:
        stage.script("/once", plays(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", then="close"))
        async with Client(stage.port) as client:
            await client.send([get("/once")])
            await client.closed()
            assert client.data.endswith(b"\r\n\r\nhalf")
        assert len(stage.origin.record.requests) == 1


async def test_a_client_that_leaves_is_no_reason() -> None:
    async with staged(upstream="retry: {attempts: 3}", targets=TWO) as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as client:
            await client.send([get("/held")])
            await until(lambda: holding.asked)
        await until(lambda: stage.gateway.engine.active == 0)
        holding.let_go()
        assert (holding.asked, stage.count(499)) == (1, 1)


async def test_an_outage_is_not_multiplied() -> None:
    """All fail: of the tries beyond the floor, no more than the share."""
    async with staged(upstream="retry: {attempts: 3, budget: 20%}") as stage:
        stage.script("/once", fails := Fails(10**9))
        async with Client(stage.port) as client:
            for _ in range(30):
                await client.send([get("/once") * 50])
                for _ in range(50):
                    assert (await client.answer()).status == 503
        assert 1500 < fails.asked <= 1500 * 1.2
