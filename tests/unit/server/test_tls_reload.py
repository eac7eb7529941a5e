"""A reload of a gateway whose listeners have certificates: read anew, coming and going, or broken."""

from __future__ import annotations

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
