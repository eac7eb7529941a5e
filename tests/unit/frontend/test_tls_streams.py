"""Bodies over TLS, and how its connections end: with close_notify where all is whole, without where it is not."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Callable

import pytest

from proxy.frontend.pace import waiting
from tests.unit.frontend.pki import Pki, listening
from tests.unit.frontend.stage import Holding, get, plays, staged, until
from tests.wire.client import Client
from tests.wire.origin import Wire

Run = Callable[..., None]
SIZE = 6_000_000
BODY = hashlib.shake_128(b"body").digest(SIZE)


def request(target: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    return get(target, *fields, method=method, version=version).replace(b"example.test", b"a.example")


def spoken(port: int, tls: ssl.SSLContext, data: bytes) -> tuple[bytes, str]:
    """What a plain blocking client reads to the end, and how that came: `notified`, `cut` or `reset`."""
    tls.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    received = b""
    with (
        socket.create_connection(("127.0.0.1", port), 10) as raw,
        tls.wrap_socket(raw, server_hostname="a.example", suppress_ragged_eofs=False) as sock,
    ):
        sock.sendall(data)
        try:
            while piece := sock.recv(65536):
                received += piece
        except ssl.SSLEOFError:
            return received, "cut"
        except ConnectionError:
            return received, "reset"
    return received, "notified"


def test_large_bodies_go_both_ways(run: Run, pki: Pki) -> None:
    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            stage.script("/whole", plays(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + BODY))
            async with Client(stage.port, tls=pki.client(), name="a.example") as client:
                for _ in range(2):
                    up = request("/sink", f"Content-Length: {SIZE}", method="POST")
                    await client.send([up, *(BODY[at : at + 100_000] for at in range(0, SIZE, 100_000))])
                    assert (await client.answer()).body == b"ok"
                    assert stage.origin.record.requests[-1].body == BODY
                    await client.send([request("/whole")])
                    assert (await client.answer()).body == BODY

    run(work())


def test_a_client_that_does_not_read_holds_up_the_origin(run: Run, pki: Pki) -> None:
    sent: list[int] = []

    async def endless(wire: Wire) -> bool:
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (50 * SIZE))
        for _ in range(50 * 60):
            await wire.send(BODY[: SIZE // 60])
            sent.append(SIZE // 60)
        return True

    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            stage.script("/endless", endless)
            async with Client(stage.port, tls=pki.client(), name="a.example") as client:
                await client.send([request("/endless")])
                await client.head()
                client.stop_reading()
                await until(lambda: stage.ends[0].outlet.full)
                last = -1
                while last != len(sent):
                    last = len(sent)
                    for _ in range(300):
                        await asyncio.sleep(0)
                assert sum(sent) < 25 * SIZE
                stage.pass_time(60)
                await until(lambda: not stage.ends)
        sent.clear()

    run(work())


def test_a_whole_answer_ends_with_close_notify(run: Run, pki: Pki) -> None:
    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            data = request("/fixed", "Connection: close")
            answer, end = await asyncio.to_thread(spoken, stage.port, pki.client(), data)
            assert (answer[-5:], end) == (b"fixed", "notified")
            await until(lambda: not stage.ends)

    run(work())


def test_a_body_that_ends_with_the_connection_is_seen_to_be_cut(run: Run, pki: Pki) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"

    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            for ending, seen in ((b"0\r\n\r\n", "notified"), (b"", "reset")):
                holding = Holding(ending or b"no chunk\r\n", first=head)
                stage.script("/unknown", holding)
                data = request("/unknown", version="1.0")
                client = asyncio.create_task(asyncio.to_thread(spoken, stage.port, pki.client(), data))
                await until(lambda: stage.ends and stage.ends[0].outlet.exchange and stage.ends[0].outlet._sent)
                holding.let_go()
                _, end = await client
                assert end == seen or (seen, end) == ("reset", "cut")

    run(work())


def test_who_is_refused_in_the_middle_of_an_upload_reads_the_answer(run: Run, pki: Pki) -> None:
    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            async with Client(stage.port, tls=pki.client(), name="a.example") as client:
                await client.send([request("/sink", "Transfer-Encoding: chunked", method="POST"), b"nonsense\r\n"])
                await client.send([BODY[:100_000]] * 5)
                answer = await client.answer()
                assert (answer.status, answer.values("connection")) == (400, ["close"])
                assert stage.ends[0]._lingers
                stage.pass_time(2)
                assert (await client.closed(), client.cut) == (b"", False)
            await until(lambda: not stage.ends)

    run(work())


def test_idle_connections_end_with_the_gateway_even_if_nobody_answers(run: Run, pki: Pki) -> None:
    async def work() -> None:
        async with (
            staged(listen=listening(pki.write("a", "a.example")), top="drain: {timeout: 20s}") as stage,
            Client(stage.port, tls=pki.client(), name="a.example") as client,
        ):
            await client.send([request("/fixed")])
            assert (await client.answer()).status == 200
            client.stop_reading()
            drain = asyncio.create_task(stage.gateway.drain())
            await until(lambda: stage.listener.draining)
            end = stage.ends[0]
            await until(lambda: not waiting(end.transport))
            stage.pass_time(2)
            await asyncio.wait_for(drain, 5)
            assert stage.gateway._room.taken == 0

    run(work())


def test_an_idle_connection_is_told_of_its_end(run: Run, pki: Pki) -> None:
    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            client = asyncio.create_task(asyncio.to_thread(spoken, stage.port, pki.client(), request("/fixed")))
            await until(lambda: stage.count(200, "fixed"))
            stage.pass_time(75)
            assert (await client)[1] == "notified"

    run(work())


@pytest.mark.parametrize("pieces", [1, 7])
async def test_pipelined_requests_over_tls(pki: Pki, pieces: int) -> None:
    async with (
        staged(listen=listening(pki.write("a", "a.example"))) as stage,
        Client(stage.port, tls=pki.client(), name="a.example") as client,
    ):
        data = b"".join(request("/fixed") for _ in range(60))
        await client.send(
            [data[at : at + len(data) // pieces + 1] for at in range(0, len(data), len(data) // pieces + 1)]
        )
        assert [(await client.answer()).body for _ in range(60)] == [b"fixed"] * 60
