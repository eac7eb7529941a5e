"""The shared ClientSession's connector: it resolves names, does TLS, and opens the connections that pools keep.

This is the one module that touches the connector's own ways. Connections for exchanges are opened by it but kept by the
pools; those of plugins that use the ClientSession stay with aiohttp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_reqrep import ClientRequest
from yarl import URL

from proxy.errors import ConnectTimeout, DnsTimeout, GatewayError
from proxy.exchange import Endpoint
from proxy.upstream.carrier import Carrier
from proxy.upstream.failures import connect_error
from proxy.upstream.http1 import Connection
from proxy.upstream.tls import ClientTls

if TYPE_CHECKING:
    from aiohttp.tracing import Trace

_PLUGINS = 100  # connections of plugins to other places than upstreams; further requests wait
_NEXT_ADDRESS = 0.25  # seconds until the next address of a name is tried as well (RFC 8305 section 5)


class Connector(TCPConnector):
    """A TCPConnector whose own limit is for plugins' requests alone: each upstream's pool has a limit of its own.

    :param resolver: knows the addresses of names, and for how long; aiohttp's own unless given.
    :ivar resolver: the one that was given.
    """

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            limit=_PLUGINS,
            resolver=resolver,
            use_dns_cache=resolver is None,
            happy_eyeballs_delay=_NEXT_ADDRESS,
            keepalive_timeout=30.0,
            loop=loop,
        )
        self.resolver = resolver
        self._factory = lambda: Connection(loop)  # type: ignore[assignment]  # aiohttp has a partial of its own class
        self._opened: set[Carrier] = set()
        self._resolving: dict[asyncio.Task[Any] | None, bool] = {}  # of the tasks in `open`: which have no address yet

    async def open(self, endpoint: Endpoint, seconds: float) -> Connection:
        """A new connection to an endpoint, TLS done.

        :param seconds: for everything.
        :raises ConnectFailed: or the one of its children that names the cause.
        :raises ConnectTimeout: when it took too long; DnsTimeout when its name did.
        """
        task = asyncio.current_task()
        self._resolving[task] = False
        try:
            async with asyncio.timeout(seconds):
                connection = await self._made(endpoint)
        except TimeoutError as error:
            raise _late(error, endpoint.scheme, seconds, resolving=self._resolving[task]) from error
        except (OSError, UnicodeError) as error:
            raise connect_error(error, endpoint.scheme) from error
        finally:
            del self._resolving[task]
        if not isinstance(connection, Connection):
            raise TypeError(f"aiohttp made a {type(connection).__name__} instead of our connection")
        self._opened.add(connection)
        return connection

    async def _made(self, endpoint: Endpoint) -> object:
        if endpoint.path:
            return (await self._loop.create_unix_connection(self._factory, endpoint.path))[1]
        return await self._create_connection(self._request(endpoint), [], _NO_TIMEOUT)

    def forget(self, connection: Carrier) -> None:
        """A connection of ours is gone."""
        self._opened.discard(connection)

    def _request(self, endpoint: Endpoint) -> ClientRequest:
        """aiohttp opens connections for a request; ours only says where to."""
        tls = endpoint.tls if isinstance(endpoint.tls, ClientTls) else _COMMON
        url = URL.build(scheme=endpoint.scheme, host=endpoint.address or endpoint.host, port=endpoint.port)
        name = tls.server_name or endpoint.host
        return ClientRequest("GET", url, loop=self._loop, ssl=tls.context, server_hostname=name)

    async def _resolve_host(self, host: str, port: int, traces: Sequence[Trace] | None = None) -> list[ResolveResult]:
        task = asyncio.current_task()
        if task not in self._resolving:  # a plugin's request, by the ClientSession
            return await super()._resolve_host(host, port, traces)
        self._resolving[task] = True
        found = await super()._resolve_host(host, port, traces)
        self._resolving[task] = False
        return found

    def _close(self, *, abort_ssl: bool = False) -> list[Awaitable[object]]:
        waiters = super()._close(abort_ssl=abort_ssl)
        for connection in list(self._opened):
            connection.abort()
            if (closed := connection.closed) is not None:
                waiters.append(closed)
        self._opened.clear()
        return waiters


_COMMON = ClientTls()
_NO_TIMEOUT = ClientTimeout(total=None)


def _late(error: TimeoutError, scheme: str, seconds: float, *, resolving: bool) -> GatewayError:
    """What took too long; the system's own ETIMEDOUT is a TimeoutError as well."""
    if error.errno is not None:
        return connect_error(error, scheme)
    if resolving:
        return DnsTimeout(f"the upstream's name was not resolved within {seconds:g} s")
    return ConnectTimeout(f"no connection within {seconds:g} s")
