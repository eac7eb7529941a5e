"""The shared ClientSession's connector: it resolves names, does TLS, and opens the connections that pools keep.

This is the one module that touches the connector's own ways. Connections for exchanges are opened by it but kept by the
pools; those of plugins that use the ClientSession stay with aiohttp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from aiohttp import ClientTimeout, TCPConnector
from aiohttp.client_exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientSSLError,
)
from aiohttp.client_reqrep import ClientRequest
from yarl import URL

from proxy.errors import CertificateRefused, ConnectFailed, ConnectTimeout, DnsFailed, TlsFailed
from proxy.exchange import Endpoint
from proxy.upstream.http1 import Connection
from proxy.upstream.tls import ClientTls

_DNS_TTL = 10  # seconds


class Connector(TCPConnector):
    """A TCPConnector without a limit over everything: each upstream's pool has its own."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(limit=0, ttl_dns_cache=_DNS_TTL, keepalive_timeout=30.0, loop=loop)
        self._factory = lambda: Connection(loop)  # type: ignore[assignment]  # aiohttp has a partial of its own class
        self._opened: set[Connection] = set()

    async def open(self, endpoint: Endpoint, seconds: float) -> Connection:
        """A new connection to an endpoint, TLS done.

        :param seconds: for everything.
        :raises ConnectFailed: or its children for names and TLS.
        :raises ConnectTimeout: when it took too long.
        """
        try:
            async with asyncio.timeout(seconds):
                connection = await self._made(endpoint)
        except TimeoutError:
            raise ConnectTimeout(f"no connection within {seconds:g} s") from None
        except (OSError, UnicodeError) as error:
            raise connect_error(error, endpoint.scheme) from error
        if not isinstance(connection, Connection):
            raise TypeError(f"aiohttp made a {type(connection).__name__} instead of our connection")
        self._opened.add(connection)
        return connection

    async def _made(self, endpoint: Endpoint) -> object:
        if endpoint.path:
            return (await self._loop.create_unix_connection(self._factory, endpoint.path))[1]
        return await self._create_connection(self._request(endpoint), [], _NO_TIMEOUT)

    def forget(self, connection: Connection) -> None:
        """A connection of ours is gone."""
        self._opened.discard(connection)

    def _request(self, endpoint: Endpoint) -> ClientRequest:
        """aiohttp opens connections for a request; ours only says where to."""
        tls = endpoint.tls if isinstance(endpoint.tls, ClientTls) else _COMMON
        url = URL.build(scheme=endpoint.scheme, host=endpoint.address or endpoint.host, port=endpoint.port)
        name = tls.server_name or endpoint.host
        return ClientRequest("GET", url, loop=self._loop, ssl=tls.context, server_hostname=name)

    def _close(self, *, abort_ssl: bool = False) -> list[Awaitable[object]]:
        waiters = super()._close(abort_ssl=abort_ssl)
        for connection in list(self._opened):
            connection.abort()
            if (closed := connection.closed) is not None:
                waiters.append(closed)
        self._opened.clear()
        return waiters


def connect_error(error: OSError | UnicodeError, scheme: str) -> ConnectFailed:
    """What befell an attempt to connect, as an error of ours."""
    if isinstance(error, ClientConnectorDNSError):
        return DnsFailed("the upstream's name has no address")
    if isinstance(error, UnicodeError):
        return DnsFailed("the upstream's name is no name of a host")
    if isinstance(error, ClientConnectorCertificateError):
        return CertificateRefused("the upstream's certificate is not to be trusted")
    if isinstance(error, ClientSSLError) or (scheme == "https" and _cut_short(error)):
        return TlsFailed("the TLS handshake with the upstream failed")
    return ConnectFailed("the upstream refused the connection or is unreachable")


def _cut_short(error: OSError) -> bool:
    """Whether the handshake ended with the connection; one that is refused is not even accepted."""
    cause = error.os_error if isinstance(error, ClientConnectorError) else error
    return isinstance(cause, ConnectionResetError | ConnectionAbortedError)


_COMMON = ClientTls()
_NO_TIMEOUT = ClientTimeout(total=None)
