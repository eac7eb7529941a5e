"""When a failed try is repeated, where, and with which answer in the end."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from proxy.upstream.held import Held
from tests.unit.frontend.stage import Holding, Stage, fetch, get, plays, staged, until
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


def retries(stage: Stage, cause: str, outcome: str) -> float:
    """How often it came to that."""
    counter = stage.gateway.metrics.counter("passerelle_retries_total", "", ("upstream", "cause", "outcome"))
    return {labels: child.value for labels, child in counter.children()}.get(("origin", cause, outcome), 0.0)


def holds_back(stage: Stage) -> bool:
    """Whether an answer under way is held until it is whole."""
    return any(isinstance(made._stream, Held) for made in stage.gateway.runtime.connector._opened)


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


@pytest.mark.parametrize(
    ("method", "buffer", "status"), [("PUT", "64KiB", 200), ("PUT", "0", 503), ("POST", "64KiB", 503)]
)
async def test_an_upload_that_flowed_on_is_repeated_from_what_was_kept(method: str, buffer: str, status: int) -> None:
    policy = f"retry: {{attempts: 1, buffer: {buffer}}}"
    async with staged(upstream=policy, targets=TWO) as stage, Client(stage.port) as client:
        stage.script("/once", fails := Fails(1))
        await client.send([get("/once", "Transfer-Encoding: chunked", method=method)])
        await until(lambda: stage.wires and stage.wires[0].received)
        await client.send([b"2\r\nhi\r\n0\r\n\r\n"])
        assert ((await client.answer()).status, fails.asked) == (status, 1 + (status == 200))
        assert {message.body for message in stage.origin.record.requests} == {b"hi"}
        assert stage.upstream.retry.room.used == 0


async def test_an_upload_goes_on_at_another_target_after_the_first_died_in_the_middle_of_it() -> None:
    """The second gets what the first had got, and what the client sent since."""
    pieces = [b"%d" % number * 1000 for number in range(10)]

    class Dies:
        asked = 0

        async def __call__(self, wire: Wire) -> bool:
            self.asked += 1
            await wire.send(OK)
            return True

    async with staged(upstream="retry: {attempts: 1}", targets=TWO) as stage:
        stage.script("/once", Dies())
        async with Client(stage.port) as client:
            await client.send([get("/once", "Content-Length: 10000", method="PUT"), *pieces[:5]])
            await until(lambda: stage.wires and len(stage.wires[0].received) > 5000)
            assert stage.upstream.retry.room.used == 5000
            stage.wires[0].abort()
            await until(lambda: len(stage.wires) == 2)
            await client.send(pieces[5:])
            assert (await client.answer()).status == 200
        assert [message.body for message in stage.origin.record.requests] == [b"".join(pieces)]
        assert stage.upstream.retry.room.used == 0


async def test_an_upload_over_the_buffer_is_not_repeated() -> None:
    async with staged(upstream="retry: {attempts: 1, buffer: 4KiB}", targets=TWO) as stage:
        async with Client(stage.port) as client:
            await client.send([get("/once", "Content-Length: 10000", method="PUT"), b"x" * 5000])
            await until(lambda: stage.wires and len(stage.wires[0].received) > 5000)
            assert stage.upstream.retry.room.used == 0
            stage.wires[0].abort()
            await client.send([b"x" * 5000])
            assert (await client.answer()).status == 502
        assert len(stage.wires) == 1
        assert retries(stage, "reset", "not_repeatable") == 1


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


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"


class Halves:
    """Dies in the middle of its first answers."""

    def __init__(self, count: int, half: bytes = HALF) -> None:
        self.asked = 0
        self._count = count
        self._half = half

    async def __call__(self, wire: Wire) -> bool:
        self.asked += 1
        if self.asked > self._count:
            await wire.send(OK)
            return True
        await wire.send(self._half)
        wire.close()
        return False


async def test_a_small_answer_that_dies_half_way_is_asked_for_again() -> None:
    async with staged(upstream="retry: {attempts: 1}", targets=TWO) as stage:
        stage.script("/once", halves := Halves(1))
        answer = await fetch(stage, get("/once"))
        assert (answer.status, answer.body, halves.asked) == (200, b"ok", 2)
        assert retries(stage, "reset", "retried") == 1


async def test_a_small_answer_that_always_dies_is_a_bad_gateway() -> None:
    async with staged(upstream="retry: {attempts: 1, hold: 64KiB}", targets=TWO) as stage:
        stage.script("/once", halves := Halves(9))
        async with Client(stage.port) as client:
            await client.send([get("/once")])
            await client.closed()
            assert client.data.endswith(b"\r\n\r\nhalf")  # the last try is not held: there is nothing to wait for
        assert halves.asked == 2


@pytest.mark.parametrize(
    ("policy", "method", "half"),
    [
        ("{attempts: 1}", "POST", HALF),
        ("{attempts: 1, backoff: false, hold: 0}", "GET", HALF),
        ("{attempts: 1, backoff: false, hold: 8B}", "GET", HALF),
        ("{attempts: 0}", "GET", HALF),
        ("false", "GET", HALF),
        ("{attempts: 1}", "GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
    ],
    ids=["method", "off", "too-large", "no-attempts", "no-retries", "chunked"],
)
async def test_an_answer_that_passes_at_once_is_cut(policy: str, method: str, half: bytes) -> None:
    async with staged(upstream=f"retry: {policy}", targets=TWO) as stage:
        stage.script("/once", halves := Halves(1, half))
        async with Client(stage.port) as client:
            await client.send([get("/once", method=method)])
            await client.closed()
            assert b"half" in client.data
        assert halves.asked == 1


async def test_what_is_held_arrives_whole_once() -> None:
    """In pieces; the head waits for the last of them, and no longer."""
    async with staged(upstream="retry: {attempts: 1}") as stage:
        stage.script("/once", plays(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
        async with Client(stage.port) as client:
            await client.send([get("/once")])
            await until(lambda: holds_back(stage))
            assert not stage.ends[0].outlet._sent
            await stage.wires[0].send(b"-half")
            assert (await client.answer()).body == b"half-half"
        assert (len(stage.wires), stage.pool.idle) == (1, 1)


async def test_three_targets_are_all_tried(refusing: str) -> None:
    """Two refuse; whichever is asked first, the third answers."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        dead = f"{refusing}, http://127.0.0.1:{sock.getsockname()[1]}"
        targets = f"{dead}, http://127.0.0.1:{{port}}"
        async with staged(upstream="retry: {attempts: 2}", targets=targets) as stage:
            for _ in range(12):
                assert (await fetch(stage, get("/once"))).status == 200


@pytest.mark.parametrize(("on", "status"), [("timeout", 200), ("connect", 504)])
async def test_a_try_that_takes_too_long_is_left_for_another(on: str, status: int) -> None:
    policy = f"retry: {{attempts: 1, on: [{on}], per_try_timeout: 2s}}"
    async with staged(upstream=policy, targets=TWO) as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as client:
            await client.send([get("/held")])
            await until(lambda: holding.asked)
            stage.pass_time(2.1)
            if status == 200:
                await until(lambda: holding.asked == 2)
            else:
                await until(lambda: stage.count(504))
            holding.let_go(2)
            assert (await client.answer()).status == status
        assert retries(stage, "timeout", "retried") == (status == 200)


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
