"""TLS towards upstreams: who is believed, what is shown, and what is said when it fails."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from proxy.corked import Corked
from proxy.exchange import Endpoint, Exchange
from proxy.upstream.tls import TlsFileError, make_context
from tests.unit.frontend.stage import fetch, get, staged
from tests.wire.origin import Origin


class Pki:
    """An authority, what it signed, and their files."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(self.ca)

    def server(self, *names: str, client_ca: trustme.CA | None = None, **more: Any) -> ssl.SSLContext:
        """What a server with a certificate for these names needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names, **more).configure_cert(context)
        if client_ca is not None:
            client_ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def files(self, name: str) -> tuple[Path, Path]:
        """A certificate and its key."""
        made = self.authority.issue_cert(name)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        made.cert_chain_pems[0].write_to_path(certificate)
        made.private_key_pem.write_to_path(key)
        return certificate, key


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


def server_names(context: ssl.SSLContext) -> list[str | None]:
    """The names that clients ask for, as they come."""
    asked: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    return asked


async def test_an_authority_of_one_s_own(pki: Pki) -> None:
    context = pki.server("localhost")
    asked = server_names(context)
    async with staged(upstream=f"tls: {{ca: {pki.ca}}}", origin=Origin("localhost", tls=context)) as stage:
        for _ in range(3):
            assert (await fetch(stage, get("/"))).body == b"ok"
        assert stage.pool.created == 1
        assert stage.origin.record.requests[0].values("host") == [f"localhost:{stage.origin.port}"]
    assert asked == ["localhost"]


@pytest.mark.parametrize("tls", [True, False])
async def test_under_tls_a_request_leaves_at_the_end_of_the_turn(
    tls: bool, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the socket before it may be a session ticket, and is no reason to give the connection up."""
    origin = Origin("localhost", tls=pki.server("localhost") if tls else None)
    async with staged(upstream=f"tls: {{ca: {pki.ca}}}" if tls else "", origin=origin) as stage:
        await fetch(stage, get("/"))
        (connection,) = stage.gateway.runtime.connector._opened
        transport, acquire = connection.transport, stage.pool.acquire
        assert isinstance(transport, Corked)
        at_once: list[bool] = []

        def watched(exchange: Exchange, endpoint: Endpoint) -> None:
            left = transport.left
            acquire(exchange, endpoint)
            at_once.append(transport.left > left)

        monkeypatch.setattr(stage.pool, "acquire", watched)
        assert (await fetch(stage, get("/"))).body == b"ok"
        assert (at_once, stage.pool.created) == ([not tls], 1)


async def test_an_unknown_authority_is_refused(pki: Pki) -> None:
    async with staged(origin=Origin("localhost", tls=pki.server("localhost"))) as stage:
        answer = await fetch(stage, get("/"))
        assert (answer.status, stage.origin.record.requests) == (502, [])
        assert "error=tls_certificate_error" in answer.values("proxy-status")[0]
        assert stage.figure("errors_total", kind="tls_certificate_error") == 1


async def test_a_certificate_for_another_name_is_refused(pki: Pki) -> None:
    origin = Origin("localhost", tls=pki.server("other.test"))
    async with staged(upstream=f"tls: {{ca: {pki.ca}}}", origin=origin) as stage:
        answer = await fetch(stage, get("/"))
    assert (answer.status, "tls_certificate_error" in answer.values("proxy-status")[0]) == (502, True)


async def test_a_certificate_out_of_its_time_is_refused(pki: Pki) -> None:
    import datetime

    past = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    origin = Origin("localhost", tls=pki.server("localhost", not_after=past))
    async with staged(upstream=f"tls: {{ca: {pki.ca}}}", origin=origin) as stage:
        answer = await fetch(stage, get("/"))
    assert (answer.status, "tls_certificate_error" in answer.values("proxy-status")[0]) == (502, True)


async def test_another_name_may_be_asked_for(pki: Pki) -> None:
    context = pki.server("shop.test")
    asked = server_names(context)
    upstream = f"tls: {{ca: {pki.ca}, server_name: shop.test}}"
    async with staged(upstream=upstream, origin=Origin(tls=context)) as stage:
        assert (await fetch(stage, get("/"))).status == 200
    assert asked == ["shop.test"]


async def test_verification_can_be_switched_off(pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    origin = Origin("localhost", tls=pki.server("other.test"))
    async with staged(upstream="tls: {verify: false}", origin=origin) as stage:
        assert (await fetch(stage, get("/"))).status == 200
    assert "anybody on the way may answer in its place" in caplog.text


async def test_a_certificate_is_shown(pki: Pki) -> None:
    certificate, key = pki.files("gateway.test")
    context = pki.server("localhost", client_ca=pki.authority)
    upstream = f"tls: {{ca: {pki.ca}, certificate: {certificate}, key: {key}}}"
    async with staged(upstream=upstream, origin=Origin("localhost", tls=context)) as stage:
        assert (await fetch(stage, get("/"))).status == 200
    async with staged(upstream=f"tls: {{ca: {pki.ca}}}", origin=Origin("localhost", tls=context)) as stage:
        assert (await fetch(stage, get("/"))).status == 502
        assert stage.origin.record.requests == []


async def test_the_oldest_version(pki: Pki) -> None:
    old = pki.server("localhost")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    for version, status in (("1.2", 200), ("1.3", 502)):
        upstream = f'tls: {{ca: {pki.ca}, minimum_version: "{version}"}}'
        async with staged(upstream=upstream, origin=Origin("localhost", tls=old)) as stage:
            answer = await fetch(stage, get("/"))
            assert answer.status == status
    assert "error=tls_protocol_error" in answer.values("proxy-status")[0]


async def test_an_upstream_without_tls_is_told_apart(pki: Pki) -> None:
    async with staged(targets="https://localhost:{port}") as stage:
        answer = await fetch(stage, get("/"))
    assert (answer.status, "error=tls_protocol_error" in answer.values("proxy-status")[0]) == (502, True)


async def test_a_handshake_that_never_ends_is_a_timeout() -> None:
    """The one test that waits for real: half a second, for the connector's own clock is the loop's."""
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    target = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with staged(targets=target, upstream="timeouts: {connect: 500ms}") as stage:
        answer = await fetch(stage, get("/"))
        assert (answer.status, "error=connection_timeout" in answer.values("proxy-status")[0]) == (504, True)
        await gone.wait()
    server.close()


class TestFiles:
    """Each is told with its key, its name and a remedy."""

    def refused(self, **said: Path) -> tuple[str, str]:
        with pytest.raises(TlsFileError) as raised:
            make_context(**said)  # type: ignore[arg-type]  # all of these are paths
        assert raised.value.remedy
        return raised.value.key, str(raised.value)

    def test_missing(self, tmp_path: Path, pki: Pki) -> None:
        none = tmp_path / "none.pem"
        assert self.refused(ca=none) == ("ca", f"{none} cannot be read: No such file or directory")
        assert self.refused(certificate=none)[0] == "certificate"
        assert self.refused(certificate=pki.files("a.test")[0], key=none)[0] == "key"

    def test_not_what_they_should_be(self, tmp_path: Path, pki: Pki) -> None:
        text = tmp_path / "text.pem"
        text.write_text("no certificate, but a word: é")
        certificate, key = pki.files("a.test")
        assert self.refused(ca=text) == ("ca", f"{text} holds no certificate")
        assert self.refused(certificate=key, key=key) == ("certificate", f"{key} holds no certificate")
        assert self.refused(certificate=certificate, key=text) == ("key", f"{text} holds no private key")
        assert self.refused(certificate=certificate) == ("certificate", f"{certificate} holds no private key")

    def test_broken(self, tmp_path: Path, pki: Pki) -> None:
        _, key = pki.files("a.test")
        broken = tmp_path / "broken.pem"
        broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        assert self.refused(ca=broken)[0] == "ca"
        where, message = self.refused(certificate=broken, key=key)
        assert (where, f"{broken} cannot be used" in message) == ("certificate", True)

    def test_not_belonging_together(self, pki: Pki) -> None:
        certificate, _ = pki.files("a.test")
        _, key = pki.files("b.test")
        where, message = self.refused(certificate=certificate, key=key)
        assert (where, message) == ("key", f"{key} is not the key of the certificate in {certificate}")

    def test_encrypted(self, tmp_path: Path, pki: Pki) -> None:
        from cryptography.hazmat.primitives import serialization

        certificate, key = pki.files("a.test")
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        secret = serialization.BestAvailableEncryption(b"word")
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        key.write_bytes(loaded.private_bytes(pem, form, secret))
        where, message = self.refused(certificate=certificate, key=key)
        assert (where, "is encrypted" in message) == ("key", True)

    def test_one_file_for_both(self, tmp_path: Path, pki: Pki) -> None:
        certificate, key = pki.files("a.test")
        both = tmp_path / "both.pem"
        both.write_bytes(key.read_bytes() + certificate.read_bytes())
        assert make_context(ca=pki.ca, certificate=both).verify_mode is ssl.CERT_REQUIRED
