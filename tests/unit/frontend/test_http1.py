"""One client's connection: order, keep-alive, deadlines, and how it ends."""

from __future__ import annotations

import asyncio
from functools import partial
from socket import SO_SNDBUF, SOL_SOCKET

import pytest

from tests.unit.frontend.stage import LARGE, Holding, Stage, fetch, get, plays, staged, until
from tests.wire.client import Client
from tests.wire.origin import Wire
from tests.wire.strict import Unfinished

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

# pipelining and keep-alive


@pytest.mark.parametrize("count", [60, 200])
async def test_pipelined_requests_are_answered_in_order(count: int, stage: Stage) -> None:
    requests = []
    for number in range(count):
        target = "/fixed" if number % 3 == 0 else f"/{number}"
        stage.script(target, plays(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%04d" % number))
        requests.append(get(target))
    async with Client(stage.port) as client:
        await client.send([b"".join(requests)])
        bodies = [(await client.answer()).body for _ in range(count)]
    assert bodies == [b"fixed" if number % 3 == 0 else b"%04d" % number for number in range(count)]


async def test_bodies_are_pipelined_too(stage: Stage) -> None:
    post = get("/sink", "Content-Length: 5", method="POST") + b"hello"
    async with Client(stage.port) as client:
        await client.send([(post + get("/fixed")) * 20])
        bodies = [(await client.answer()).body for _ in range(40)]
    assert bodies == [b"ok", b"fixed"] * 20


async def test_a_body_that_fills_what_is_held_behind_a_pending_answer(stage: Stage) -> None:
    """Reading was paused for the head and a body just below the high-water mark: it must go on for the rest."""
    holding = Holding()
    stage.script("/held", holding)
    body = b"x" * 200000
    post = get("/sink", f"Content-Length: {len(body)}", f"X-Long: {'y' * 3000}", method="POST")
    async with Client(stage.port) as client:
        await client.send([get("/held")])
        await until(lambda: holding.asked)
        await client.send([post + body[: 65536 - len(post) // 2]])
        await until(lambda: stage.ends[0]._stopped)
        holding.let_go()
        assert (await client.answer()).body == b"held"
        await client.send([body[65536 - len(post) // 2 :]])
        assert (await client.answer()).body == b"ok"
    assert stage.origin.record.requests[-1].body == body


async def test_http_1_0_closes_unless_asked(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/fixed", version="1.0") + get("/fixed", version="1.0")])
        answer = await client.answer()
        assert answer.values("connection") == ["close"]
        assert await client.closed() == b""


async def test_http_1_0_with_keep_alive(stage: Stage) -> None:
    async with Client(stage.port) as client:
        for target in ("/fixed", "/other", "/fixed"):
            await client.send([get(target, "Connection: keep-alive", version="1.0")])
            answer = await client.answer()
            assert (answer.status, answer.values("connection")) == (200, ["keep-alive"])


async def test_http_1_0_with_a_body_of_unknown_length(stage: Stage) -> None:
    holding = Holding(b"1\r\nb\r\n0\r\n\r\n", first=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    stage.script("/unknown", holding)
    async with Client(stage.port) as client:
        await client.send([get("/unknown", "Connection: keep-alive", version="1.0")])
        await client.head()
        holding.let_go()
        await client.closed()
        answer = await client.answer()
    assert (answer.body, answer.values("transfer-encoding")) == (b"ab", [])


async def test_connection_close_is_honoured(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/fixed", "Connection: close")])
        assert (await client.answer()).values("connection") == ["close"]
        assert await client.closed() == b""


# deadlines


async def test_a_head_must_arrive_in_time(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([b"GET / HTTP/1.1\r\nHo"])
        await until(lambda: stage.ends[0]._heading)
        stage.pass_time(6)
        await client.send([b"st: a"])
        stage.pass_time(3.9)
        assert stage.ends[0].transport is not None
        stage.pass_time(0.2)
        assert (await client.answer()).status == 408
        await client.closed()


async def test_a_head_after_an_answer_must_arrive_in_time_too(stage: Stage) -> None:
    holding = Holding()
    stage.script("/held", holding)
    async with Client(stage.port) as client:
        await client.send([get("/held") + b"GET / HT"])
        await until(lambda: holding.asked)
        stage.pass_time(30)
        holding.let_go()
        assert (await client.answer()).body == b"held"
        stage.pass_time(10.2)
        assert (await client.answer()).status == 408


async def test_a_body_must_keep_coming(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/sink", "Content-Length: 10", method="POST") + b"he"])
        await until(lambda: stage.wires and stage.wires[0].unfinished)
        for _ in range(3):
            stage.pass_time(50)
            seen = len(stage.wires[0].unfinished)
            await client.send([b"l"])
            await until(partial(_more, stage, seen))
        stage.pass_time(59)
        assert stage.ends[0].transport is not None
        stage.pass_time(1.2)
        assert (await client.answer()).status == 408
        await client.closed()
    await stage.wires[0].gone.wait()
    assert stage.pool.open == 0


async def test_an_idle_connection_is_closed(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([get("/fixed")])
        await client.answer()
        stage.pass_time(74.8)
        assert stage.ends[0].transport is not None
        stage.pass_time(0.4)
        assert await client.closed() == b""


async def test_a_connection_that_never_asks_is_closed(stage: Stage) -> None:
    async with Client(stage.port) as client:
        await until(lambda: stage.ends)
        stage.pass_time(75.2)
        assert await client.closed() == b""


async def test_waiting_for_the_upstream_is_not_idleness(stage: Stage) -> None:
    holding = Holding()
    stage.script("/held", holding)
    async with staged(upstream="timeouts: {first_byte: 500s}") as patient:
        patient.script("/held", holding)
        async with Client(patient.port) as client:
            await client.send([get("/held")])
            await until(lambda: holding.asked)
            patient.pass_time(400)
            holding.let_go()
            assert (await client.answer()).body == b"held"


async def test_a_client_that_reads_nothing_is_cut(stage: Stage) -> None:
    stage.script("/endless", endless)
    async with Client(stage.port) as client:
        client.stop_reading()
        await client.send([get("/endless")])
        await until(lambda: stage.ends and stage.ends[0].outlet.full)
        stage.pass_time(59)
        assert stage.ends[0].transport is not None
        stage.pass_time(1.2)
        await until(lambda: not stage.ends)
        await asyncio.wait_for(stage.wires[0].gone.wait(), 5)
    assert stage.count(499) == 1


async def test_a_client_that_reads_slowly_is_not_cut(stage: Stage) -> None:
    stage.script("/endless", endless)
    async with Client(stage.port) as client:
        client.stop_reading()
        await client.send([get("/endless")])
        await until(lambda: stage.ends and stage.ends[0].outlet.full)
        transport = stage.ends[0].transport
        for _ in range(4):
            stage.pass_time(40)
            before = transport.get_write_buffer_size()
            while transport.get_write_buffer_size() == before:
                client.read_on()
                await client._reader.read(65536)
                client.stop_reading()
            assert stage.ends


async def endless(wire: Wire) -> bool:
    """Sends until the gateway has gone."""
    await wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    writer = wire._writer
    try:
        while not writer.transport.is_closing():
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
    except ConnectionError:
        pass
    return False


# what a client that does not read can make the gateway hold


async def test_pipelined_answers_wait_for_a_client_that_does_not_read(stage: Stage) -> None:
    async with Client(stage.port) as client:
        client.stop_reading()
        sending = asyncio.ensure_future(client.send([get("/large") * 100] * 40))
        await until(lambda: stage.ends and stage.ends[0].outlet.full)
        for _ in range(500):
            await asyncio.sleep(0)
        held = stage.ends[0].transport.get_write_buffer_size()
        assert held <= 65536 + 2 * LARGE
        stage.pass_time(60.2)
        await until(lambda: not stage.ends)
        await sending


async def test_an_answer_behind_interim_ones_that_are_not_read_is_not_fetched_ahead(stage: Stage) -> None:
    async def hints(wire: Wire) -> bool:
        await wire.send((b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 20000 + b"\r\n\r\n") * 60)
        return await endless(wire)

    stage.script("/hints", hints)
    async with Client(stage.port) as client:
        client.stop_reading()
        await client.send([get("/fixed")])
        await until(lambda: stage.count(200, "fixed"))
        stage.ends[0].transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)
        await client.send([get("/hints")])
        await until(lambda: stage.ends[0].outlet._source)
        (connection,) = stage.gateway.runtime.connector._opened
        for _ in range(400):
            await asyncio.sleep(0)
        assert (stage.ends[0].outlet.full, connection._stopped) == (True, True)
        assert stage.ends[0].transport.get_write_buffer_size() <= 60 * 20100 + 2 * 262144


async def test_pipelined_answers_go_on_once_they_are_read(stage: Stage) -> None:
    count = 600
    async with Client(stage.port) as client:
        client.stop_reading()
        sending = asyncio.ensure_future(client.send([(get("/large") + get("/small")) * (count // 2)]))
        await until(lambda: stage.ends and stage.ends[0].outlet.full)
        client.read_on()
        sizes = [len((await client.answer()).body) for _ in range(count)]
        await sending
    assert sizes == [LARGE, 2] * (count // 2)


async def test_a_last_answer_that_is_never_read_does_not_stay(stage: Stage) -> None:
    """Closing waits for what is written to be taken; that must end too."""
    async with Client(stage.port) as client:
        client.stop_reading()
        asked = 0
        while not stage.ends or not stage.ends[0].transport.get_write_buffer_size():
            asked += 1
            await client.send([get("/large")])
            await until(partial(_counted, stage, asked))
        assert not stage.ends[0].outlet.full
        stage.ends[0].close()
        stage.pass_time(59)
        assert stage.ends
        stage.pass_time(1.2)
        await until(lambda: not stage.ends)


# refusals


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (get("/" + "x" * 8192), 414),
        (get("/", "X-Long: " + "x" * 32768), 431),
        (get("/", *["X-One: 1"] * 101), 431),
        (b"GET /" + b"x" * 9000, 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 32768, 431),
    ],
    ids=["target", "bytes", "fields", "endless-target", "endless-head"],
)
async def test_what_is_too_large_is_refused(request_bytes: bytes, status: int, stage: Stage) -> None:
    async with Client(stage.port) as client:
        await client.send([request_bytes])
        answer = await client.answer()
        assert (answer.status, answer.values("connection")) == (status, ["close"])
        await client.closed()
    assert stage.origin.record.wires == []


async def test_limits_can_be_set() -> None:
    async with staged(top="limits: {head: 1KiB, fields: 3, target: 1KiB}") as stage:
        assert (await fetch(stage, get("/" + "x" * 980))).status == 200
        assert (await fetch(stage, get("/" + "x" * 1024))).status == 414
        assert (await fetch(stage, get("/" + "x" * 980, "A: " + "y" * 60))).status == 431
        assert (await fetch(stage, get("/", "A: 1", "B: 2"))).status == 200
        assert (await fetch(stage, get("/", "A: 1", "B: 2", "C: 3"))).status == 431


async def test_a_refused_client_can_read_why(stage: Stage) -> None:
    """It still sends while we close: a reset would take the answer from it."""
    async with Client(stage.port) as client:
        await client.send([b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"y" * 300000, b"y" * 300000])
        assert (await client.answer()).status == 400
        assert await client.closed() == b""
        assert client.ended
        stage.pass_time(2.2)
        await until(lambda: not stage.ends)


# drain


async def test_draining_ends_connections_after_their_exchange(stage: Stage) -> None:
    holding = Holding()
    stage.script("/held", holding)
    async with Client(stage.port) as idle, Client(stage.port) as busy:
        await idle.send([get("/fixed")])
        await idle.answer()
        await busy.send([get("/held") + get("/fixed")])
        await until(lambda: holding.asked)
        draining = asyncio.ensure_future(stage.gateway.drain())
        assert await idle.closed() == b""
        assert not draining.done()
        holding.let_go()
        answer = await busy.answer()
        assert (answer.body, answer.values("connection")) == (b"held", ["close"])
        assert await busy.closed() == b""
        busy._writer.close()
        stage.pass_time(2.2)
        await draining
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", stage.port)


async def test_what_does_not_end_is_cut() -> None:
    holding = Holding()
    async with staged(top="drain: {timeout: 100ms}") as stage:
        stage.script("/held", holding)
        async with Client(stage.port) as client:
            await client.send([get("/held")])
            await until(lambda: holding.asked)
            await stage.gateway.drain()
            with pytest.raises(Unfinished):
                await client.answer()
        holding.let_go()


# leaving


async def test_a_half_closed_client_has_left(stage: Stage) -> None:
    holding = Holding()
    stage.script("/held", holding)
    async with Client(stage.port) as client:
        await client.send([get("/held")])
        await until(lambda: holding.asked)
        client._writer.write_eof()
        assert await client.closed() == b""
        holding.let_go()
        await asyncio.wait_for(stage.wires[0].gone.wait(), 5)
    assert stage.count(499) == 1
    assert (stage.pool.open, stage.gateway.engine.active) == (0, 0)


def _more(stage: Stage, seen: int) -> bool:
    return len(stage.wires[0].unfinished) > seen


def _counted(stage: Stage, count: int) -> bool:
    return stage.count(200, "large") == count
