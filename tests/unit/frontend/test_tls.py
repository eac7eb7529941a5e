"""TLS towards clients, in both loops: which certificate, for which hosts, and who the client is."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from proxy.frontend.tls import Certificates, Hosts, _escaped
from tests.unit.frontend.pki import Pki, listening
from tests.unit.frontend.stage import Stage, get, staged, until
from tests.wire.client import Client
from tests.wire.strict import Message, Unfinished

Run = Callable[..., None]


async def ask(
    stage: Stage, tls: ssl.SSLContext, name: str = "", host: str = "a.example", *fields: str, version: str = "1.1"
) -> Message:
    """The answer to one request on a connection of its own."""
    request = "\r\n".join([f"GET / HTTP/{version}", *([f"Host: {host}"] if host else []), *fields, "", ""])
    async with Client(stage.port, tls=tls, name=name) as client:
        await client.send([request.encode()])
        return await client.answer()


async def shown(stage: Stage, tls: ssl.SSLContext, name: str = "") -> list[str]:
    """The names of the certificate that a client is shown."""
    async with Client(stage.port, tls=tls, name=name) as client:
        said = cast("dict[str, Any]", client.handshake.getpeercert())
        return [value for _, value in said["subjectAltName"]]


def certificates(stage: Stage) -> Certificates:
    (found,) = stage.gateway.built.certificates.values()
    assert found is stage.listener._tls
    return found


def figure(stage: Stage, name: str) -> float:
    lines = stage.gateway.metrics.exposition()[0].decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"passerelle_{name} ")), 0.0)


async def failed(stage: Stage, reason: str) -> None:
    """Wait until a handshake has failed for a reason, and nothing is left of it."""
    await until(lambda: figure(stage, f'tls_handshake_failures_total{{reason="{reason}"}}') == 1)
    await until(lambda: stage.gateway._room.taken == 0)
    assert len(stage.listener) == 0


def test_requests_come_in_and_the_upstream_is_told_that_it_was_https(run: Run, pki: Pki) -> None:
    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            assert stage.gateway.urls[0].startswith("https://127.0.0.1:")
            async with Client(stage.port, tls=alpn(pki.client()), name="a.example") as client:
                assert client.handshake.selected_alpn_protocol() == "http/1.1"
                await client.send([get("/").replace(b"example.test", b"a.example")])
                assert (await client.answer()).status == 200
            told = stage.origin.record.requests[-1]
            assert told.values("x-forwarded-proto") == ["https"]
            assert told.values("x-forwarded-port") == [str(stage.port)]
            assert len(told.values("via")) == 1

    run(work())


def alpn(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def test_the_server_name_chooses_the_certificate(run: Run, pki: Pki) -> None:
    more = f"{{{pki.write('b', 'b.example', '*.c.example')}}}, {{{pki.write('c', 'x.c.example')}}}"

    async def work() -> None:
        async with staged(listen=listening(f"{pki.write('a', 'a.example')}, certificates: [{more}]")) as stage:
            tls = pki.client()
            assert await shown(stage, tls, "a.example") == ["a.example"]
            assert await shown(stage, tls, "B.example") == ["b.example", "*.c.example"]
            assert await shown(stage, tls, "y.c.example") == ["b.example", "*.c.example"]
            assert await shown(stage, tls, "x.c.example") == ["x.c.example"]  # exactly, rather than by the wildcard
            assert await shown(stage, tls, "z.y.c.example") == ["a.example"]
            assert await shown(stage, tls, "c.example") == ["a.example"]
            assert await shown(stage, tls, "other.example") == ["a.example"]
            assert await shown(stage, tls) == ["a.example"]

    run(work())


@pytest.mark.parametrize(
    ("name", "host", "status"),
    [
        ("a.example", "a.example", 200),
        ("a.example", "A.Example.", 200),
        ("a.example", "a.example:8443", 200),
        ("a.example", "a2.example", 200),
        ("a.example", "b.example", 421),
        ("a.example", "127.0.0.1", 421),
        ("b.example", "a.example", 421),
        ("b.example", "x.c.example", 200),
        ("y.c.example", "x.c.example", 200),
        ("y.c.example", "z.x.c.example", 421),
        ("y.c.example", ".c.example", 421),
        ("b.example", "[::1]", 200),
        ("b.example", "[0:0::1]:443", 200),
        ("b.example", "[::2]", 421),
        ("", "b.example", 200),  # no name has chosen: the default certificate says nothing about the host
        ("unknown.example", "b.example", 200),
    ],
)
async def test_a_host_that_the_chosen_certificate_is_not_for(pki: Pki, name: str, host: str, status: int) -> None:
    more = pki.write("b", "b.example", "*.c.example", "::1")
    async with staged(
        listen=listening(f"{pki.write('a', 'a.example', 'a2.example')}, certificates: [{{{more}}}]")
    ) as stage:
        answer = await ask(stage, pki.client(), name, host)
        assert answer.status == status
        assert len(stage.origin.record.requests) == (status == 200)
        if status == 421:
            assert b"misdirected_request" in answer.body


async def test_a_misdirected_request_ends_the_connection(pki: Pki) -> None:
    async with (
        staged(listen=listening(pki.write("a", "a.example"))) as stage,
        Client(stage.port, tls=pki.client(), name="a.example") as client,
    ):
        good, bad = (get("/fixed").replace(b"example.test", host) for host in (b"a.example", b"b.example"))
        await client.send([good + bad + good])
        assert [(await client.answer()).status for _ in range(2)] == [200, 421]
        stage.pass_time(2)
        assert await client.closed() == b""


async def test_an_old_client_without_a_host_names_none(pki: Pki) -> None:
    async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
        assert (await ask(stage, pki.client(), "a.example", "", version="1.0")).status == 200


def test_versions_below_the_minimum_are_refused(run: Run, pki: Pki) -> None:
    async def work() -> None:
        listen = listening(f"{pki.write('a', 'a.example')}, minimum_version: 1.3")
        async with staged(listen=listen) as stage:
            old = pki.client()
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await ask(stage, old)
            await failed(stage, "protocol")
            assert (await ask(stage, pki.client(), "a.example")).status == 200

    run(work())


# clients' certificates

PLUGIN = (
    "{headers: {request: {set: {X-Subject: '${exchange.peer.certificate.subject}', "
    "X-Names: '${exchange.peer.certificate.names}', X-Serial: '${exchange.peer.certificate.serial}', "
    "X-Issuer: '${exchange.peer.certificate.issuer}', X-Print: '${exchange.peer.certificate.fingerprint}'}}}}"
)
SPOOFED = ("X-Subject: CN=admin", "x-names: DNS:admin", "X-SERIAL: 1", "X_Subject: CN=admin", "X-Print: 0")


def test_who_shows_a_certificate_is_known_by_it(run: Run, pki: Pki) -> None:
    robot = pki.authority.issue_cert(
        "robot.example", "robot@example.org", common_name="R2, D2 é+", organization_name=" O "
    )
    known = x509.load_pem_x509_certificate(robot.cert_chain_pems[0].bytes())

    async def work() -> None:
        listen = listening(f"{pki.write('a', 'a.example')}, client_ca: {pki.ca}")
        async with staged(listen=listen, plugins=PLUGIN) as stage:
            tls = pki.client(robot)
            for _ in range(2):
                assert (await ask(stage, tls, "a.example", "a.example", *SPOOFED)).status == 200
                told = stage.origin.record.requests[-1]
                subject = known.subject.rfc4514_string().replace("é", r"\C3\A9").replace(r"\ ", r"\20")
                assert told.values("x-subject") == [subject]
                assert told.values("x-issuer") == [known.issuer.rfc4514_string()]
                assert told.values("x-names") == ["DNS:robot.example, email:robot@example.org"]
                assert [int(value, 16) for value in told.values("x-serial")] == [known.serial_number]
                assert told.values("x-print") == [known.fingerprint(hashes.SHA256()).hex()]
                assert told.values("x_subject") == []

    run(work())


def test_who_shows_none_or_a_stranger_s_is_refused(run: Run, pki: Pki) -> None:
    async def work() -> None:
        listen = listening(f"{pki.write('a', 'a.example')}, client_ca: {pki.ca}")
        for certificate, reason in ((None, "protocol"), (trustme.CA().issue_cert("robot.example"), "certificate")):
            async with staged(listen=listen) as stage:
                with pytest.raises((ssl.SSLError, ConnectionError, Unfinished)):
                    await ask(stage, pki.client(certificate), "a.example")
                await failed(stage, reason)
                assert stage.origin.record.requests == []

    run(work())


def test_a_certificate_may_be_optional_but_not_wrong(run: Run, pki: Pki) -> None:
    async def work() -> None:
        listen = listening(f"{pki.write('a', 'a.example')}, client_ca: {pki.ca}, client_auth: optional")
        async with staged(listen=listen, plugins=PLUGIN) as stage:
            assert (await ask(stage, pki.client(), "a.example", "a.example", *SPOOFED)).status == 200
            told = stage.origin.record.requests[-1]
            assert [told.values(name) for name in ("x-subject", "x-names", "x-serial", "x_subject")] == [[]] * 4
            with pytest.raises((ssl.SSLError, ConnectionError, Unfinished)):
                await ask(stage, pki.client(trustme.CA().issue_cert("robot.example")), "a.example")
            await failed(stage, "certificate")

    run(work())


async def test_a_trusted_proxy_s_certificate_stays_that_of_the_connection(pki: Pki) -> None:
    listen = listening(f"{pki.write('a', 'a.example')}, client_ca: {pki.ca}")
    tls = pki.client(pki.authority.issue_cert("proxy.example"))
    async with staged(listen=listen, plugins=PLUGIN, top="trusted_proxies: 127.0.0.1/32") as stage:
        await ask(stage, tls, "a.example", "a.example", "X-Forwarded-For: 192.0.2.1")
        told = stage.origin.record.requests[-1]
        assert (told.values("x-real-ip"), told.values("x-names")) == (["192.0.2.1"], ["DNS:proxy.example"])


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain text", "plain text"),
        (" a  ", "\\20a\\20\\20"),
        (" ", "\\20"),
        ("#1", "\\#1"),
        ('a,b+c=d;e<f>g"h\\i', "\\,".join(["a", 'b\\+c\\=d\\;e\\<f\\>g\\"h\\\\i'])),
        ("é\r\n\0", "\\C3\\A9\\0D\\0A\\00"),
        ("", ""),
    ],
)
def test_nothing_of_a_name_is_lost_and_nothing_can_be_added(value: str, written: str) -> None:
    assert _escaped(value) == written


# renewed files


def test_renewed_files_count_for_new_connections(run: Run, pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            tls = pki.client()
            async with Client(stage.port, tls=tls, name="a.example") as old:
                await certificates(stage).look()
                assert figure(stage, 'tls_certificate_reloads_total{outcome="done"}') == 0
                pki.write("a", "a.example", "new.example")
                assert await shown(stage, tls, "a.example") == ["a.example"]
                await certificates(stage).look()
                assert await shown(stage, tls, "new.example") == ["a.example", "new.example"]
                await old.send([get("/fixed").replace(b"example.test", b"a.example")])
                assert (await old.answer()).status == 200
            assert figure(stage, 'tls_certificate_reloads_total{outcome="done"}') == 1
            assert "read changed certificates" in caplog.text

    run(work())


async def test_broken_files_leave_what_was_there(pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
        tls, key = pki.client(), pki.folder / "a.key"
        kept = key.read_text()
        key.write_text("nonsense")
        for _ in range(3):
            await certificates(stage).look()
            assert await shown(stage, tls, "a.example") == ["a.example"]
        assert figure(stage, 'tls_certificate_reloads_total{outcome="failed"}') == 1  # told once, not at each look
        assert caplog.text.count("there is no private key in") == 1
        key.unlink()
        await certificates(stage).look()
        assert "there is no file" in caplog.text
        key.write_text(kept)
        await certificates(stage).look()
        assert figure(stage, 'tls_certificate_reloads_total{outcome="done"}') == 1
        pki.write("a", "a.example", not_after=datetime.fromtimestamp(stage.clock.time() - 1, UTC))
        await certificates(stage).look()
        assert "has expired on" in caplog.text


async def test_an_authority_that_is_replaced_counts_too(pki: Pki) -> None:
    listen = listening(f"{pki.write('a', 'a.example')}, client_ca: {pki.ca}")
    async with staged(listen=listen) as stage:
        other = trustme.CA()
        tls = pki.client(other.issue_cert("robot.example"))
        other.cert_pem.write_to_path(pki.ca)
        await certificates(stage).look()
        assert (await ask(stage, tls, "a.example")).status == 200


async def test_files_are_looked_at_by_themselves(pki: Pki) -> None:
    async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
        watching = asyncio.create_task(certificates(stage).watch(0.01))
        pki.write("a", "new.example")
        os.utime(pki.folder / "a.pem", (1, 1))  # both may be written within one tick of the file system's clock
        await until(lambda: figure(stage, 'tls_certificate_reloads_total{outcome="done"}') == 1)
        watching.cancel()
        assert stage.listener._watching is not None
        assert not stage.listener._watching.done()
        stage.listener.stop_accepting()
        await until(stage.listener._watching.done)


# handshakes that fail


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0" * 600, b"\x16\x03\x01\x01\x00\x01"])
def test_what_is_no_handshake_leaves_nothing(
    run: Run, pki: Pki, first: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage:
            async with Client(stage.port) as client:
                await client.send([first])
                if first[0] == 0x16:  # a record that never comes to its end
                    await client.__aexit__(None, None, None)
                    await failed(stage, "left")
                else:
                    await failed(stage, "protocol")
                    assert b"HTTP/1" not in await client.closed()
            assert [record for record in caplog.records if record.levelno > logging.INFO] == []

    run(work())


def test_a_client_that_never_speaks_is_given_up(run: Run, pki: Pki) -> None:
    async def work() -> None:
        listen = listening(pki.write("a", "a.example"))
        async with staged(listen=listen, top="timeouts: {head: 50ms}") as stage, Client(stage.port) as client:
            assert await client.closed() == b""
            await failed(stage, "timeout")

    run(work())


def test_handshakes_under_way_do_not_hold_up_the_end(run: Run, pki: Pki) -> None:
    async def work() -> None:
        async with staged(listen=listening(pki.write("a", "a.example"))) as stage, Client(stage.port) as client:
            await until(lambda: len(stage.listener) == 1)
            await stage.gateway.drain()
            assert stage.gateway._room.taken == 0
            assert await client.closed() == b""

    run(work())


def test_hosts() -> None:
    hosts = Hosts(["a.example", "*.b.example"], ["127.0.0.1", "::1"])
    assert all(map(hosts.covers, ("a.example", "A.EXAMPLE:1", "x.b.example", "127.0.0.1:80", "[::1]", "[::1]:443")))
    assert not any(
        map(hosts.covers, ("b.example", ".b.example", "x.y.b.example", "a.example.x", "[::2]", "127.0.0.2", ""))
    )
