"""A reload of a gateway whose listeners have certificates: read anew, coming and going, or broken."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.server.source import Source
from proxy.settings import load
from tests.unit.frontend.pki import Pki
from tests.wire.client import Client

TEXT = """
listen: [{listen}]
admin: false
routes: [{{name: fixed, plugins: {{respond: {{body: fixed}}}}}}]
"""
PLAIN = "http://127.0.0.1:0"
TLS = "{url: https://127.0.0.1:0, tls: {certificate: a.pem, key: a.key}}"

Write = Callable[..., None]


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    made = Pki(tmp_path)
    made.write("a", "127.0.0.1")
    return made


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writes(*listen: str) -> None:
        (tmp_path / "p.yaml").write_text(TEXT.format(listen=", ".join(listen)))

    return writes


@pytest.fixture
async def gateway(pki: Pki, write: Write, tmp_path: Path) -> AsyncIterator[Gateway]:
    write(PLAIN, TLS)
    source = Source(lambda trace: load(tmp_path / "p.yaml", {}, trace))
    made = Gateway(source.load(), Registry.installed(), source=source)
    await made.start()
    yield made
    await made.stop()


async def serial(pki: Pki, url: str) -> str:
    """The serial number of the certificate that is shown at a URL."""
    async with Client(int(url.rpartition(":")[2]), tls=pki.client(), name="localhost") as client:
        said = cast("dict[str, Any]", client.handshake.getpeercert())
        return str(said["serialNumber"])


async def test_renewed_files_count_at_once(gateway: Gateway, pki: Pki) -> None:
    url = gateway.urls[1]
    before = await serial(pki, url)
    pki.write("a", "127.0.0.1")
    assert await serial(pki, url) == before
    assert (await gateway.reload()).ok
    assert gateway.urls[1] == url
    after = await serial(pki, url)
    assert after != before
    pki.write("a", "127.0.0.1")
    await gateway.doors.listeners[1]._tls.look()  # type: ignore[union-attr]  # it has certificates
    assert await serial(pki, url) not in (before, after)


async def test_broken_files_refuse_the_reload_and_what_was_there_serves_on(gateway: Gateway, pki: Pki) -> None:
    before = await serial(pki, gateway.urls[1])
    (pki.folder / "a.key").write_text("nonsense")
    refused = await gateway.reload()
    assert not refused.ok
    assert "listen[1].tls.key: there is no private key in" in refused.problems[0].render()
    assert await serial(pki, gateway.urls[1]) == before


async def test_listeners_with_certificates_come_and_go(gateway: Gateway, pki: Pki, write: Write) -> None:
    url = gateway.urls[1]
    write(PLAIN)
    assert (await gateway.reload()).ok
    with pytest.raises(ConnectionError):
        await serial(pki, url)
    write(TLS, PLAIN)
    assert (await gateway.reload()).ok
    assert await serial(pki, gateway.urls[0])


async def connects(port: int, over: asyncio.Event) -> int:
    """Connect again and again; tells how often. :raises ConnectionRefusedError: when nobody listens for an instant."""
    count = 0
    while not over.is_set():
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        count += 1
    return count


async def test_a_listener_goes_over_to_tls_and_back_on_its_port_and_refuses_nobody(
    gateway: Gateway, pki: Pki, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    plain, secure = PLAIN.replace(":0", f":{port}"), TLS.replace(":0", f":{port}")
    write(plain)
    assert (await gateway.reload()).ok
    over = asyncio.Event()
    connecting = asyncio.ensure_future(connects(port, over))
    for _ in range(3):
        write(secure)
        assert (await gateway.reload()).ok
        assert await serial(pki, gateway.urls[0])
        write(plain)
        assert (await gateway.reload()).ok
        async with Client(port) as client:
            await client.send([b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
            assert (await client.answer()).status == 200
    over.set()
    assert await connecting > 6
    gc.collect()
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_another_address_on_the_same_port_is_refused_with_a_remedy(gateway: Gateway, write: Write) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    write(f"http://127.0.0.1:{port}")
    assert (await gateway.reload()).ok
    write(f"http://0.0.0.0:{port}")
    (problem,) = (await gateway.reload()).problems
    assert problem.message == f"cannot listen on 0.0.0.0:{port}: Address already in use"
    assert problem.remedy == f"restart the server, which listens on http://127.0.0.1:{port} until then"
