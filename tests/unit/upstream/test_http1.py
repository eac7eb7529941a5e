"""One connection to an upstream: deadlines, early ends, and what must never reach the next exchange."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from socket import SHUT_WR, SO_SNDBUF, SOL_SOCKET, socket
from typing import Any, cast

import pytest

from proxy.errors import GatewayError
from proxy.exchange import Endpoint, Exchange
from proxy.message import Request
from proxy.peer import Peer
from proxy.upstream.head import request_head
from tests.unit.frontend.stage import Holding, Stage, fetch, get, plays, staged, until
from tests.wire.client import Client
from tests.wire.origin import Wire
from tests.wire.strict import Unfinished

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# reuse


async def test_a_connection_is_reused(stage: Stage) -> None:
    for number in range(5):
        assert (await fetch(stage, get(f"/{number}"))).status == 200
    assert (stage.pool.created, stage.pool.reused, len(stage.wires)) == (1, 4, 1)


async def test_an_idle_connection_that_the_server_closed_is_not_used(stage: Stage) -> None:
    await fetch(stage, get("/"))
    stage.wires[0].close()
    await until(lambda: stage.pool.open == 0)
    assert (await fetch(stage, get("/", method="POST"))).status == 200
    assert (stage.pool.created, stage.pool.reused) == (2, 0)


async def test_unasked_bytes_end_an_idle_connection(stage: Stage) -> None:
    await fetch(stage, get("/"))
    await stage.wires[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    await until(lambda: stage.pool.open == 0)
    assert (await fetch(stage, get("/"))).body == b"ok"
    assert stage.pool.created == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_bytes_before_the_request_has_left_are_no_answer_to_it(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late answer may be read in the very turn in which the idle connection is taken."""
    async with staged(upstream="retry: {attempts: 1}") as stage:
        await fetch(stage, get("/"))
        (connection,) = stage.gateway.runtime.connector._opened
        late = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"]
        acquire = stage.pool.acquire
        stage.gateway.runtime.flusher.single = lambda: False  # a request among others leaves at the end of the turn

        def and_then_bytes(exchange: Exchange, endpoint: Endpoint) -> None:
            acquire(exchange, endpoint)
            while late:
                connection.data_received(late.pop())

        monkeypatch.setattr(stage.pool, "acquire", and_then_bytes)
        assert (await fetch(stage, get("/", method=method))).body == b"ok"
        assert late == []
        assert stage.pool.created == 2
        assert len(stage.wires[0].requests) == 1


@pytest.mark.parametrize("single", [True, False], ids=["alone", "among-others"])
@pytest.mark.parametrize("body", [None, b"", b"x" * 20_000], ids=["get", "post", "large-post"])
@pytest.mark.parametrize("last", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b""], ids=["bytes", "end"])
async def test_what_is_in_the_socket_before_the_request_is_no_answer_to_it(
    body: bytes | None, last: bytes, single: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is alone or large leaves before the loop has read what came in the same turn; none is lost."""
    request = get("/") if body is None else get("/", f"Content-Length: {len(body)}", method="POST") + body
    async with staged(upstream="retry: false") as stage:
        stage.gateway.runtime.flusher.single = lambda: single
        await fetch(stage, get("/"))
        origin = socket(fileno=os.dup(stage.wires[0]._writer.get_extra_info("socket").fileno()))
        acquire = stage.pool.acquire
        says = [last]

        def just_after(exchange: Exchange, endpoint: Endpoint) -> None:
            while says:
                said = says.pop()
                if said:
                    origin.sendall(said)
                else:
                    origin.shutdown(SHUT_WR)
                origin.close()
            acquire(exchange, endpoint)

        monkeypatch.setattr(stage.pool, "acquire", just_after)
        assert (await fetch(stage, request)).body == b"ok"
        assert stage.pool.created == 2
        assert len(stage.wires[0].requests) == 1
        reason = "unasked" if last else "upstream"
        assert stage.figure("connections_closed_total", reason=reason) == 1


async def test_an_answer_in_the_turn_of_a_later_piece_of_the_upload_is_one(stage: Stage) -> None:
    """That a piece is still held back does not mean that the upstream has not been asked."""
    async with Client(stage.port) as client:
        await client.send([get("/upload", "Content-Length: 1000", method="POST") + b"x" * 500])
        await until(lambda: stage.wires and b"\r\n\r\n" in stage.wires[0].received)
        (connection,) = stage.gateway.runtime.connector._opened
        stage.ends[0].data_received(b"x" * 10)
        connection.data_received(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
        answer = await client.answer()
        assert (answer.status, answer.body) == (413, b"big")


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        OK + b"\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\nevil",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nevil",
    ],
    ids=["answer", "newline", "no-content", "not-modified", "chunked"],
)
async def test_bytes_after_an_answer_end_the_connection(answer: bytes, stage: Stage) -> None:
    stage.script("/more", plays(answer))
    assert (await fetch(stage, get("/more"))).status in (200, 204, 304)
    assert (await fetch(stage, get("/"))).body == b"ok"
    assert (stage.pool.created, stage.pool.reused) == (2, 0)


async def test_connection_close_is_honoured(stage: Stage) -> None:
    stage.script("/last", plays(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"))
    assert (await fetch(stage, get("/last"))).body == b"ok"
    await until(lambda: stage.pool.open == 0)
    await asyncio.wait_for(stage.wires[0].gone.wait(), 5)


# a server that closes as we send


async def closes_in_our_face(wire: Wire) -> bool:
    """Closes a reused connection when its next request is there; answers on a fresh one."""
    if len(wire.requests) > 1:
        wire.abort()
        return False
    await wire.send(OK)
    return True


async def test_a_get_on_a_dying_connection_is_repeated_once_on_a_fresh_one(stage: Stage) -> None:
    stage.script("/race", closes_in_our_face)
    assert (await fetch(stage, get("/race"))).body == b"ok"
    assert (await fetch(stage, get("/race"))).body == b"ok"
    assert [len(wire.requests) for wire in stage.wires] == [2, 1]
    assert (stage.pool.created, stage.pool.reused) == (2, 1)


async def test_a_post_on_a_dying_connection_is_not_repeated(stage: Stage) -> None:
    stage.script("/race", closes_in_our_face)
    await fetch(stage, get("/race"))
    post = get("/race", "Content-Length: 2", method="POST") + b"hi"
    answer = await fetch(stage, post)
    assert (answer.status, b"upstream_reset" in answer.body) == (502, True)
    assert [len(wire.requests) for wire in stage.wires] == [2]


async def test_a_fresh_connection_that_dies_is_not_repeated_for_nothing(stage: Stage) -> None:
    stage.script("/dies", plays(b"", then="close"))
    assert (await fetch(stage, get("/dies"))).status == 502
    assert len(stage.wires) == 1


async def test_the_repeat_is_not_one_of_the_retries() -> None:
    """The process was ended: its connection dies, a fresh one gets nowhere either, and the other target answers."""
    async with staged(
        upstream="retry: {attempts: 1}", targets="http://127.0.0.1:{port}, http://localhost:{port}"
    ) as stage:
        tries = Tries()
        stage.script("/first", plays(OK))
        stage.script("/tries", tries)
        for _ in range(4):
            await fetch(stage, get("/first"))
        answer = await fetch(stage, get("/tries"))
    assert (answer.status, tries.count) == (200, 3)


class Tries:
    """The reused connection dies, so does the fresh one after it; the third try is answered."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, wire: Wire) -> bool:
        self.count += 1
        if self.count < 3:
            wire.abort()
            return False
        await wire.send(OK)
        return True


# deadlines


async def test_the_first_byte_has_a_deadline(stage: Stage) -> None:
    stage.script("/held", holding := Holding())
    async with Client(stage.port) as client:
        await client.send([get("/held")])
        await until(lambda: holding.asked)
        stage.pass_time(59.8)
        assert stage.pool.open == 1
        stage.pass_time(0.3)
        assert (await client.answer()).status == 504
    holding.let_go()
    assert stage.pool.open == 0


async def test_an_upload_on_a_reused_connection_outlives_its_idleness(stage: Stage) -> None:
    async with staged(upstream="pool: {idle_timeout: 5s}") as stage, Client(stage.port) as client:
        await client.send([get("/")])
        await client.answer()
        await client.send([get("/sink", "Content-Length: 6", method="POST")])
        for number in range(6):
            await client.send([b"x"])
            await until(partial(_got, stage, number))
            if number < 5:
                stage.pass_time(4)
        assert (await client.answer()).body == b"ok"
    assert stage.pool.reused == 1


async def narrowed(stage: Stage) -> None:
    """One idle connection, whose sockets hold so little that a larger request has to wait in the gateway."""
    await fetch(stage, get("/"))
    connection_of(stage).transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)
    stage.wires[0]._writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a socket's


BODY = b"x" * 250_000
LARGE = get("/sink", f"Content-Length: {len(BODY)}", method="POST") + BODY


async def test_after_an_upload_the_first_byte_has_its_own_deadline() -> None:
    """It runs from when the upstream has taken the last bytes, and not while they wait in our buffer."""
    async with staged(upstream="timeouts: {first_byte: 100s, between_bytes: 2s}") as stage:
        await narrowed(stage)
        stage.script("/sink", holding := Holding())
        async with Client(stage.port) as client:
            await client.send([LARGE])
            await until(lambda: connection_of(stage)._sender.full and connection_of(stage)._sender.sent)
            stage.pass_time(60)
            stage.wires[0]._writer.transport.resume_reading()  # type: ignore[attr-defined]  # it is a socket's
            await until(lambda: holding.asked)
            stage.pass_time(60)
            holding.let_go()
            assert (await client.answer()).body == b"held"


async def test_an_answer_to_what_is_not_written_yet_ends_the_connection(stage: Stage) -> None:
    await narrowed(stage)
    async with Client(stage.port) as client:
        await client.send([LARGE])
        await until(lambda: connection_of(stage)._sender.full and connection_of(stage)._sender.sent)
        await stage.wires[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
        assert (await client.answer()).body == b"early"
        assert (stage.pool.idle, stage.pool.open) == (0, 0)


def connection_of(stage: Stage) -> Any:
    """The only connection to the upstream."""
    (connection,) = stage.gateway.runtime.connector._opened
    return connection


async def test_a_body_that_stops_is_cut(stage: Stage) -> None:
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    stage.script("/stops", holding := Holding(b"whole", first=first))
    async with Client(stage.port) as client:
        await client.send([get("/stops")])
        await client.head()
        stage.pass_time(60.2)
        with pytest.raises(Unfinished):
            await client.answer()
    holding.let_go()
    await until(lambda: stage.pool.open == 0)


async def test_events_may_be_hours_apart(stage: Stage) -> None:
    first = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n:\n\r\n"
    stage.script("/events", holding := Holding(b"0\r\n\r\n", first=first))
    async with Client(stage.port) as client:
        await client.send([get("/events")])
        await client.head()
        stage.pass_time(7200)
        holding.let_go()
        assert (await client.answer()).body == b":\n"


# the connection's beginning


async def test_a_server_that_speaks_first_is_a_bad_gateway() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.test ESMTP\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    await expect_bad_gateway(greet)


async def test_a_server_that_closes_at_once_is_a_bad_gateway() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    await expect_bad_gateway(close)


async def expect_bad_gateway(connected: object) -> None:
    server = await asyncio.start_server(connected, "127.0.0.1", 0)  # type: ignore[arg-type]  # one of the two above
    port = server.sockets[0].getsockname()[1]
    async with staged(targets=f"http://127.0.0.1:{port}") as stage:
        for _ in range(5):
            assert (await fetch(stage, get("/"))).status == 502
        await until(lambda: stage.pool.open == 0)
    server.close()


async def test_a_name_that_is_no_name_is_a_dns_error() -> None:
    async with staged(targets=f"http://{'x' * 64}.test") as stage:
        answer = await fetch(stage, get("/"))
    assert (answer.status, b"dns_error" in answer.body) == (502, True)


# interim answers and early ends


async def test_expect_continue_is_passed_on_and_answered_by_the_upstream(stage: Stage) -> None:
    seen = asyncio.Event()

    class Continues:
        async def __call__(self, wire: Wire) -> bool:
            raise AssertionError("the body was there before it was asked for")

    head = get("/upload", "Content-Length: 5", "Expect: 100-continue", method="POST")
    async with Client(stage.port) as client:
        await client.send([head])
        await until(lambda: stage.wires and b"\r\n\r\n" in stage.wires[0].received)
        assert b"\r\nExpect: 100-continue\r\n" in stage.wires[0].received
        await stage.wires[0].send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await client.head()
        assert client.data == b"HTTP/1.1 100 Continue\r\n\r\n"
        seen.set()
        await client.send([b"hello"])
        answer = await client.answer()
    assert (answer.status, answer.interim) == (200, [100])
    assert stage.origin.record.requests[0].body == b"hello"


async def test_an_upload_that_is_not_wanted_is_not_sent(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/upload", "Content-Length: 5", "Expect: 100-continue", method="POST")])
        await until(lambda: stage.wires and b"\r\n\r\n" in stage.wires[0].received)
        await stage.wires[0].send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.values("connection")) == (417, ["close"])
        await client.closed()
    await asyncio.wait_for(stage.wires[0].gone.wait(), 5)


async def test_an_early_answer_keeps_the_client_when_little_is_left(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/upload", "Content-Length: 1000", method="POST") + b"x" * 500])
        await until(lambda: stage.wires and b"\r\n\r\n" in stage.wires[0].received)
        await stage.wires[0].send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        assert (await client.answer()).status == 403
        await client.send([b"x" * 500 + get("/fixed")])
        assert (await client.answer()).body == b"fixed"
    assert stage.pool.open == 0


def _got(stage: Stage, number: int) -> bool:
    return number == 5 or stage.wires[0].unfinished.endswith(b"x" * (number + 1))


@pytest.mark.parametrize("target", ["", "a", "?b", "*a", "/a b", "/a\r\nX: y", "/a#b", "/\u2603", "/\x7f"])
def test_a_target_that_cannot_stand_on_a_request_line_is_refused(target: str) -> None:
    endpoint = Endpoint("http://127.0.0.1:9001", "http", "127.0.0.1", 9001)
    exchange = Exchange("id", Request("GET", target), Peer("127.0.0.1"), cast("Any", None), 0.0)
    with pytest.raises(GatewayError, match="target that cannot be sent"):
        request_head(exchange, endpoint, None, "1.1 passerelle (x)")
