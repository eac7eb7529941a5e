"""Bodies over TLS, and how its connections end: with close_notify where all is whole, without where it is not."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import ssl
import struct
from collections.abc import Callable

import pytest

from proxy.frontend.pace import waiting
from tests.unit.frontend.pki import Pki, listening
from tests.unit.frontend.stage import get, plays, staged, until
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
    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            sent: list[int] = []

            async def endless(wire: Wire) -> bool:
                await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (50 * SIZE))
                while stage.ends and sum(sent) < 50 * SIZE:
                    await wire.send(BODY[: SIZE // 60])
                    sent.append(SIZE // 60)
                return False

            stage.script("/endless", endless)
            async with Client(stage.port, tls=pki.client(), name="a.example") as client:
                await client.send([request("/endless")])
                await client.head()
                client.stop_reading()
                await until(lambda: stage.ends[0].outlet.full)
                looks = 0
                while stage.ends and looks < 50:  # its system may take some yet, and then it has another 60 s
                    stage.pass_time(60)
                    looks += 1
                    for _ in range(300):
                        await asyncio.sleep(0)
                assert not stage.ends
                assert sum(sent) < 25 * SIZE

    run(work())


def spoils(port: int, tls: ssl.SSLContext, how: str) -> None:
    """Ask for an answer without end, and break the connection in the middle of it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    spoken = tls.wrap_bio(incoming, outgoing, server_hostname="a.example")
    with socket.create_connection(("127.0.0.1", port), 10) as raw:
        while True:
            try:
                spoken.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        spoken.write(request("/endless"))
        raw.sendall(outgoing.read())
        raw.recv(1000)
        if how == "garbage":
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        if how != "end":
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_broken_connections_fill_no_log(run: Run, pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    async def endless(wire: Wire) -> bool:
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE + BODY)
        return False

    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            stage.script("/endless", endless)
            for how in ("reset", "end", "garbage") * 5:
                await asyncio.to_thread(spoils, stage.port, pki.client(), how)
            await until(lambda: not stage.ends)
            assert stage.count(499) >= 5  # the first bytes of some may have been of the handshake

    caplog.set_level(logging.INFO)
    run(work())
    assert [record.getMessage() for record in caplog.records if "/endless" not in record.getMessage()] == []


def test_a_whole_answer_ends_with_close_notify(run: Run, pki: Pki) -> None:
    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            data = request("/fixed", "Connection: close")
            answer, end = await asyncio.to_thread(spoken, stage.port, pki.client(), data)
            assert (answer[-5:], end) == (b"fixed", "notified")
            await until(lambda: not stage.ends)

    run(work())


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npart"
CLOSING = b"HTTP/1.1 200 OK\r\n\r\npart"


@pytest.mark.parametrize(
    ("version", "first", "fails"),
    [
        ("1.0", CHUNKED, "reset"),
        ("1.0", CHUNKED, "end"),
        ("1.0", CHUNKED, "nonsense"),
        ("1.0", CLOSING, "reset"),
        ("1.1", CHUNKED, "reset"),
        ("1.1", CHUNKED, "nonsense"),
        ("1.1", CLOSING, "reset"),
        ("1.1", SIZED, "reset"),
        ("1.1", SIZED, "end"),
    ],
)
def test_an_answer_that_is_cut_is_seen_to_be_cut(run: Run, pki: Pki, version: str, first: bytes, fails: str) -> None:
    """Without close_notify where only that tells (RFC 9112 section 9.8), else by the framing."""

    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            go = asyncio.Event()

            async def dies(wire: Wire) -> bool:
                await wire.send(first)
                await go.wait()
                if fails == "reset":
                    wire.abort()
                elif fails == "nonsense":
                    await wire.send(b"no chunk\r\n")
                return False

            stage.script("/dies", dies)
            data = request("/dies", version=version)
            client = asyncio.create_task(asyncio.to_thread(spoken, stage.port, pki.client(), data))
            await until(lambda: stage.ends and stage.ends[0].outlet.exchange and stage.ends[0].outlet._sent)
            go.set()
            received, end = await client
            head, _, body = received.partition(b"\r\n\r\n")
            if b"Content-Length: 8" in head:
                assert body == b"part"
            elif b"Transfer-Encoding: chunked" in head:
                assert body == b"4\r\npart\r\n"
            else:
                assert (version, end in ("cut", "reset")) == ("1.0", True)

    run(work())


def test_a_body_that_ends_with_the_connection_and_is_whole_ends_with_close_notify(run: Run, pki: Pki) -> None:
    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            stage.script("/unknown", plays(CHUNKED + b"0\r\n\r\n"))
            data = request("/unknown", version="1.0")
            received, end = await asyncio.to_thread(spoken, stage.port, pki.client(), data)
            assert (received[-4:], end) == (b"part", "notified")

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
