"""A client for URLs that somebody else has chosen: every connection is checked at the address that it goes to.

Checking a URL or a name before the request is not enough: a name can be looked up twice with two answers, and an
address can be written in many ways. So the check stands where a socket is made for an address that is known by then,
and nothing is connected that did not pass there. Connections are shared with nobody, since one that was opened without
the check could lead anywhere.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver
from aiohttp.client_exceptions import ClientConnectorError, InvalidURL, ServerDisconnectedError
from yarl import URL

from proxy.body import Body
from proxy.errors import BadResponse, ConnectFailed, GatewayError, UpstreamReset, UpstreamTimeout
from proxy.headers import Headers
from proxy.message import Response
from proxy.upstream.failures import connect_error

_NOT_ADMITTED = "this address is not admitted"


class Guarded:
    """:see: `proxy.plugin.GuardedHttp`.

    :param resolver: knows the addresses of names; aiohttp's own when None.
    """

    def __init__(
        self, admits: Callable[[str], bool], resolver: AbstractResolver | None, connect: float, connections: int
    ) -> None:
        self._admits = admits
        self._session = ClientSession(
            connector=_connector(self._socket, resolver, connections),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=ClientTimeout(total=None, sock_connect=connect),
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
        )

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,  # noqa: ASYNC109 (a total in seconds)
        keep: int,
    ) -> Response:
        """:see: `proxy.plugin.GuardedHttp.send`."""
        try:
            async with asyncio.timeout(timeout):
                async with self._session.request(
                    method, URL(url), headers=headers, data=body, allow_redirects=False
                ) as answer:
                    return _response(answer, await _beginning(answer, keep))
        except ClientConnectorError as error:
            raise _refused(error) or connect_error(error, url.partition(":")[0]) from error
        except TimeoutError:
            raise UpstreamTimeout("no answer in time") from None
        except (InvalidURL, ValueError) as error:
            raise GatewayError(f"not a URL: {url!r}") from error
        except ClientError as error:
            raise _broken(error) from error
        except OSError as error:
            raise UpstreamReset("the connection died") from error

    async def close(self) -> None:
        """:see: `proxy.plugin.GuardedHttp.close`."""
        await self._session.close()

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """What every connection begins with. :raises OSError: for an address that is not admitted."""
        family, kind, protocol, _, address = info
        if not self._admits(str(address[0])):
            raise OSError(errno.EACCES, f"{_NOT_ADMITTED}: {address[0]}")
        return socket.socket(family, kind, protocol)


def _connector(
    make: Callable[[tuple[Any, ...]], socket.socket], resolver: AbstractResolver | None, connections: int
) -> TCPConnector:
    return TCPConnector(
        limit=connections,
        resolver=None if resolver is None else _Lent(resolver),
        use_dns_cache=resolver is None,
        keepalive_timeout=15.0,
        socket_factory=make,
    )


class _Lent(AbstractResolver):
    """A resolver that is others' as well, and must not end with this connector."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[Any]:
        return list(await self._resolver.resolve(host, port, family))

    async def close(self) -> None:
        """It goes on."""


async def _beginning(answer: ClientResponse, keep: int) -> bytes:
    """The first bytes of a body; where there are more, the connection is not used again."""
    parts = bytearray()
    while len(parts) < keep:
        part = await answer.content.read(keep - len(parts))
        if not part:
            break
        parts += part
    return bytes(parts)


def _response(answer: ClientResponse, body: bytes) -> Response:
    fields = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers)
    return Response(answer.status, fields, Body(body), reason=answer.reason or "")


def _refused(error: ClientConnectorError) -> GatewayError | None:
    told = str(error.os_error)
    return ConnectFailed(told.partition("] ")[2] or told) if _NOT_ADMITTED in told else None


def _broken(error: ClientError) -> GatewayError:
    if isinstance(error, OSError | ServerDisconnectedError):
        return UpstreamReset("the connection died")
    return BadResponse("the answer is malformed or incomplete")
