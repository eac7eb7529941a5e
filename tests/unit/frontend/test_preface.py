"""PROXY headers before HTTP and before TLS, over sockets, in both loops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.unit.frontend.headers_of_proxies import EACH, TLVS, V1, ends, v2
from tests.unit.frontend.pki import Pki, listening
from tests.unit.frontend.stage import Stage, get, staged, until
from tests.wire.client import Client

Run = Callable[..., None]
HERE = "{url: http://127.0.0.1:0, proxy_protocol: {from: 127.0.0.0/8}}"


def refused(stage: Stage, reason: str) -> float:
    counter = stage.gateway.metrics.counter("passerelle_proxy_protocol_refused_total", "", ("reason",))
    return counter.child(reason).value


async def told(stage: Stage, header: bytes, *fields: str) -> dict[str, list[str]]:
    """What the origin is told of a client that a header speaks for."""
    async with Client(stage.port) as client:
        await client.send([header + get("/", *fields)])
        assert (await client.answer()).status == 200
    message = stage.origin.record.requests[-1]
    return {name: message.values(f"x-{name}") for name in ("forwarded-for", "real-ip", "forwarded-port")}


@pytest.mark.parametrize("header", EACH)
def test_the_address_counts_as_the_client_s(run: Run, header: bytes) -> None:
    host = "2001:db8::1" if TLVS in header else "192.0.2.1"

    async def work() -> None:
        async with staged(listen=HERE) as stage:
            found = await told(stage, header, "X-Forwarded-For: 203.0.113.9")
            assert found == {"forwarded-for": [host], "real-ip": [host], "forwarded-port": ["443"]}

    run(work())


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(0, b"", first=0x20), v2(0, b"")])
async def test_a_sender_that_speaks_for_itself_is_the_client(header: bytes) -> None:
    async with staged(listen=HERE) as stage:
        found = await told(stage, header)
        port = str(stage.port)
        assert found == {"forwarded-for": ["127.0.0.1"], "real-ip": ["127.0.0.1"], "forwarded-port": [port]}


async def test_a_trusted_client_is_believed_and_not_the_sender() -> None:
    async with staged(listen=HERE, top='trusted_proxies: ["10.0.0.0/8", "127.0.0.0/8"]') as stage:
        field = "X-Forwarded-For: 203.0.113.9"
        assert (await told(stage, v2(0x11, ends("10.0.0.5")), field))["real-ip"] == ["203.0.113.9"]
        assert (await told(stage, V1, field))["real-ip"] == ["192.0.2.1"]


@pytest.mark.parametrize("header", EACH)
def test_split_at_every_byte(run: Run, header: bytes) -> None:
    async def work() -> None:
        async with staged(listen=HERE) as stage, Client(stage.port) as client:
            await client.send([bytes([byte]) for byte in header + get("/")])
            assert (await client.answer()).status == 200
            await client.send([get("/fixed")])  # one header for the connection, not for each request
            assert (await client.answer()).body == b"fixed"

    run(work())


@pytest.mark.parametrize("header", EACH)
def test_before_tls(run: Run, pki: Pki, header: bytes) -> None:
    host = "2001:db8::1" if TLVS in header else "192.0.2.1"

    async def work() -> None:
        listen = listening(pki.write("a", "a.example"), ", proxy_protocol: {from: 127.0.0.1/32}")
        async with staged(listen=listen) as stage:
            for pieces in ([header], [header[:5], header[5:]]):
                reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                await writer.start_tls(pki.client(), server_hostname="a.example")
                writer.write(get("/", "Connection: close").replace(b"example.test", b"a.example"))
                assert (await reader.read()).startswith(b"HTTP/1.1 200")
                writer.close()
                told = stage.origin.record.requests[-1]
                assert (told.values("x-real-ip"), told.values("x-forwarded-proto")) == ([host], ["https"])

    run(work())


@pytest.mark.parametrize(
    "data", [get("/fixed"), b"\x16\x03\x01\x00\x05hello", b"PROXY TCP4 nonsense\r\n" + get("/fixed")]
)
def test_without_a_header_nobody_comes_in(run: Run, data: bytes) -> None:
    async def work() -> None:
        async with staged(listen=HERE) as stage:
            async with Client(stage.port) as client:
                await client.send([data])
                assert await client.closed() == b""
            assert refused(stage, "malformed") == 1
            assert (stage.gateway._room.taken, len(stage.listener)) == (0, 0)

    run(work())


def test_others_may_not_connect(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with staged(listen="{url: http://127.0.0.1:0, proxy_protocol: {from: [10.0.0.0/8, '::1/128']}}") as stage:
            for _ in range(3):
                async with Client(stage.port) as client:
                    await client.send([V1 + get("/fixed")])
                    assert await client.closed() == b""
            assert refused(stage, "address") == 3
            assert stage.gateway._room.taken == 0
        told = [record.getMessage() for record in caplog.records if "PROXY header" in record.getMessage()]
        assert told == ["refused a connection of 127.0.0.1 without a PROXY header to go by (address)"]

    run(work())


@pytest.mark.parametrize("begun", [b"", V1[:-1], EACH[2][:-1]])
def test_a_header_has_its_time(run: Run, begun: bytes) -> None:
    async def work() -> None:
        async with staged(listen=HERE) as stage, Client(stage.port) as client:
            await client.send([begun])
            await until(lambda: len(stage.listener) == 1)
            stage.pass_time(9)
            await asyncio.sleep(0)
            assert len(stage.listener) == 1
            stage.pass_time(1.1)
            assert await client.closed() == b""
            assert (refused(stage, "timeout"), stage.gateway._room.taken) == (1, 0)

    run(work())


def test_who_leaves_in_the_middle_leaves_nothing(run: Run) -> None:
    async def work() -> None:
        async with staged(listen=HERE) as stage:
            async with Client(stage.port) as client:
                await client.send([V1[:10]])
                await until(lambda: len(stage.listener) == 1)
            await until(lambda: len(stage.listener) == 0)
            assert (refused(stage, "left"), stage.gateway._room.taken) == (1, 0)

    run(work())


def test_headers_under_way_do_not_hold_up_the_end(run: Run) -> None:
    async def work() -> None:
        async with staged(listen=HERE) as stage, Client(stage.port) as client:
            await client.send([V1[:10]])
            await until(lambda: len(stage.listener) == 1)
            await stage.gateway.drain()
            assert stage.gateway._room.taken == 0
            await client.closed()

    run(work())


async def test_a_reload_does_not_forget_who_the_client_is() -> None:
    async with staged(listen=HERE) as stage, Client(stage.port) as client:
        await client.send([V1 + get("/")])
        assert (await client.answer()).status == 200
        stage.listener.renew(stage.listener._trust, stage.listener.limits)
        await client.send([get("/")])
        assert (await client.answer()).status == 200
        assert stage.origin.record.requests[-1].values("x-real-ip") == ["192.0.2.1"]
