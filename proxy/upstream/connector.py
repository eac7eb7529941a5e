"""The shared ClientSession's connector: it resolves names, does TLS, and opens the connections that pools keep.

This is the one module that touches the connector's own ways. Connections for exchanges are opened by it but kept by the
pools; those of plugins that use the ClientSession stay with aiohttp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from aiohttp import ClientTimeout, TCPConnector
from aiohttp.client_exceptions import ClientConnectorDNSError, ClientSSLError
from aiohttp.client_reqrep import ClientRequest
from yarl import URL

from proxy.errors import ConnectFailed, ConnectTimeout, DnsFailed, TlsFailed
from proxy.exchange import Endpoint
from proxy.upstream.http1 import Connection

_DNS_TTL = 10  # seconds


class Connector(TCPConnector):
    """A TCPConnector without a limit over everything: each upstream's pool has its own."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(limit=0, ttl_dns_cache=_DNS_TTL, keepalive_timeout=30.0, loop=loop)
        self._factory = lambda: Connection(loop)  # type: ignore[assignment]  # aiohttp has a partial of its own class
        self._requests: dict[Endpoint, ClientRequest] = {}
        self._opened: set[Connection] = set()

    async def open(self, endpoint: Endpoint, seconds: float) -> Connection:
        """A new connection to an endpoint, TLS done.

        :param seconds: for everything.
        :raises ConnectFailed: or its children for names and TLS.
        :raises ConnectTimeout: when it took too long.
        """
        try:
            async with asyncio.timeout(seconds):
                connection = await self._create_connection(self._request(endpoint), [], _NO_TIMEOUT)
        except TimeoutError:
            raise ConnectTimeout(f"no connection within {seconds:g} s") from None
        except ClientConnectorDNSError as error:
            raise DnsFailed("the upstream's name has no address") from error
        except ClientSSLError as error:
            raise TlsFailed("the TLS handshake with the upstream failed") from error
        except UnicodeError as error:
            raise DnsFailed("the upstream's name is no name of a host") from error
        except OSError as error:
            raise ConnectFailed("the upstream refused the connection or is unreachable") from error
        if not isinstance(connection, Connection):
            raise TypeError(f"aiohttp made a {type(connection).__name__} instead of our connection")
        self._opened.add(connection)
        return connection

    def forget(self, connection: Connection) -> None:
        """A connection of ours is gone."""
        self._opened.discard(connection)

    def _request(self, endpoint: Endpoint) -> ClientRequest:
        """aiohttp opens connections for a request; ours only says where to."""
        request = self._requests.get(endpoint)
        if request is None:
            request = self._requests[endpoint] = ClientRequest("GET", URL(endpoint.url), loop=self._loop, ssl=True)
        return request

    def _close(self, *, abort_ssl: bool = False) -> list[Awaitable[object]]:
        waiters = super()._close(abort_ssl=abort_ssl)
        for connection in list(self._opened):
            connection.abort()
            if (closed := connection.closed) is not None:
                waiters.append(closed)
        self._opened.clear()
        return waiters


_NO_TIMEOUT = ClientTimeout(total=None)
