"""Why a connection could not be made: by table, and by upstreams that really fail."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from proxy.errors import (
    CertificateRefused,
    ConnectFailed,
    ConnectRefused,
    ConnectTimeout,
    DnsFailed,
    DnsTimeout,
    GatewayError,
    TlsAlerted,
    TlsFailed,
    Unroutable,
)
from proxy.exchange import Endpoint
from proxy.upstream.connector import Connector
from proxy.upstream.failures import connect_error

HANDSHAKE_FAILURE = b"\x15\x03\x03\x00\x02\x02\x28"  # a TLS alert record: fatal, handshake_failure


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), ConnectRefused),
        (OSError(errno.ENETUNREACH, "x"), Unroutable),
        (OSError(errno.EHOSTUNREACH, "x"), Unroutable),
        (OSError(errno.EADDRNOTAVAIL, "x"), Unroutable),
        (TimeoutError(errno.ETIMEDOUT, "x"), ConnectTimeout),
        (ConnectionResetError(errno.ECONNRESET, "x"), ConnectFailed),
        (FileNotFoundError(errno.ENOENT, "x"), ConnectRefused),
        (OSError("several addresses, several reasons"), ConnectFailed),
        (socket.gaierror(socket.EAI_NONAME, "x"), DnsFailed),
        (socket.gaierror(socket.EAI_AGAIN, "x"), DnsTimeout),
        (UnicodeError("label too long"), DnsFailed),
        (tls("WRONG_VERSION_NUMBER"), TlsFailed),
        (tls("SSLV3_ALERT_HANDSHAKE_FAILURE"), TlsAlerted),
        (ssl.SSLCertVerificationError(1, "self-signed"), CertificateRefused),
    ],
)
def test_each_cause_has_its_error(cause: OSError | UnicodeError, kind: type[GatewayError]) -> None:
    assert type(connect_error(cause, "http")) is kind


def test_what_is_cut_short_in_the_handshake_is_a_matter_of_tls() -> None:
    assert type(connect_error(ConnectionResetError(errno.ECONNRESET, "x"), "https")) is TlsFailed
    assert type(connect_error(ConnectionRefusedError(errno.ECONNREFUSED, "x"), "https")) is ConnectRefused


class Resolver(AbstractResolver):
    """One that fails in a certain way, or never answers."""

    def __init__(self, error: OSError | None = None) -> None:
        self._error = error

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self._error is not None:
            raise self._error
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody ends this wait")

    async def close(self) -> None:
        """Nothing is open."""


async def failure(url: str, seconds: float = 5.0, resolver: Resolver | None = None) -> type[BaseException]:
    """What comes of connecting."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    connector = Connector()
    if resolver is not None:
        connector._resolver = resolver
    try:
        with pytest.raises(GatewayError) as raised:
            await connector.open(Endpoint(url, scheme, host, int(port)), seconds)
        assert not connector._resolving
    finally:
        await connector.close()
    return type(raised.value)


@asynccontextmanager
async def answering(said: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that says something as soon as it hears something."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert await failure(f"http://127.0.0.1:{taken.getsockname()[1]}") is ConnectRefused


async def test_the_connection_is_not_accepted_in_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        try:
            for _ in range(4):  # until the backlog drops what comes
                waiting.append(one := socket.socket())
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            assert await failure(f"http://127.0.0.1:{full.getsockname()[1]}", 0.1) is ConnectTimeout
        finally:
            for one in waiting:
                one.close()


async def test_a_name_is_not_resolved_in_time() -> None:
    assert await failure("http://slow.invalid:80", 0.05, Resolver()) is DnsTimeout


@pytest.mark.parametrize(("number", "kind"), [(socket.EAI_NONAME, DnsFailed), (socket.EAI_AGAIN, DnsTimeout)])
async def test_a_name_is_not_resolved(number: int, kind: type[GatewayError]) -> None:
    assert await failure("http://none.invalid:80", 5.0, Resolver(socket.gaierror(number, "x"))) is kind


async def test_what_answers_speaks_no_tls() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert await failure(f"https://127.0.0.1:{port}") is TlsFailed


async def test_the_upstream_breaks_off_the_handshake() -> None:
    async with answering(HANDSHAKE_FAILURE) as port:
        assert await failure(f"https://127.0.0.1:{port}") is TlsAlerted


async def test_the_certificate_is_nobodys() -> None:
    context: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with answering(b"", context) as port:
        assert await failure(f"https://127.0.0.1:{port}") is CertificateRefused


async def test_the_handshake_is_not_done_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert await failure(f"https://127.0.0.1:{silent.getsockname()[1]}", 0.1) is ConnectTimeout
