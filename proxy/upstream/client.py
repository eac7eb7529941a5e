"""The pooled client for plugins: the shared ClientSession behind a small face that knows our messages."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiohttp import ClientError, ClientResponse, ClientSession, ClientSSLError, ClientTimeout
from aiohttp.client_exceptions import ClientConnectorError, InvalidURL, ServerDisconnectedError
from yarl import URL

from proxy.errors import BadResponse, BodyTooLarge, GatewayError, UpstreamReset, UpstreamTimeout
from proxy.headers import Headers
from proxy.message import EMPTY, Body, Request, Response
from proxy.upstream.connector import Connector
from proxy.upstream.failures import connect_error
from proxy.upstream.guarded import Guarded

_UPSTREAM = "upstream://"
_ANY_HEADER = 47  # of zlib or gzip, whichever the bytes begin with
_WHOLE = ClientTimeout(total=None)
_PATIENT = ClientTimeout(total=None, sock_connect=5.0, sock_read=60.0)
_LIMIT = 10 * 1024 * 1024  # bytes of an answer that is read whole


Forward: TypeAlias = Callable[[str, Request], Awaitable[Response]]


class Client:
    """:see: `proxy.plugin.Http`.

    :ivar forward: sends a request to an upstream of the configuration, by its name; None before there is one.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self.forward: Forward | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109 (a total in seconds, also for what aiohttp does not send)
        limit: int = _LIMIT,
        redirects: int = 0,
        decode: bool = False,
    ) -> Response:
        """:see: `proxy.plugin.Http.request`."""
        try:
            async with asyncio.timeout(timeout):
                async with self._sent(method, url, headers, body, _WHOLE, redirects) as response:
                    data = await response.body.read(limit)
        except TimeoutError:
            raise UpstreamTimeout("no answer in time") from None
        response.body = Body(data)
        if decode:
            undo_coding(response, data, limit)
        return response

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109
    ) -> Response:
        """:see: `proxy.plugin.Http.get`."""
        return await self.request("GET", url, headers=headers, timeout=timeout)

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109
    ) -> Response:
        """:see: `proxy.plugin.Http.post`."""
        return await self.request("POST", url, headers=headers, body=body, timeout=timeout)

    def guarded(self, admits: Callable[[str], bool], *, connect: float = 5.0, connections: int = 10) -> Guarded:
        """:see: `proxy.plugin.Http.guarded`."""
        found = self._session.connector
        return Guarded(admits, found.resolver if isinstance(found, Connector) else None, connect, connections)

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> AsyncIterator[Response]:
        """:see: `proxy.plugin.Http.stream`."""
        async with self._sent(method, url, headers, body, _PATIENT, 0) as response:
            yield response

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        patience: ClientTimeout,
        redirects: int,
    ) -> AsyncIterator[Response]:
        """The answer to a request, its body still to flow."""
        if not url.startswith(_UPSTREAM):
            async with self._open(method, url, headers, body, patience, redirects) as answer:
                yield _response(answer, Body.of(answer.content.iter_any(), answer.content_length))
            return
        if redirects:
            raise GatewayError("redirects of an upstream are not followed")
        response = await self._forwarded(method, url, headers, body)
        try:
            yield response
        finally:
            response.close()

    def _forwarded(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None
    ) -> Awaitable[Response]:
        name, slash, rest = url.removeprefix(_UPSTREAM).partition("/")
        if self.forward is None:
            raise GatewayError("upstreams are not known before the first exchange")
        fields = Headers(list((headers or {}).items()))
        request = Request(method, slash + rest or "/", headers=fields, body=EMPTY if body is None else Body(body))
        return self.forward(name, request)

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        patience: ClientTimeout,
        redirects: int,
    ) -> AsyncIterator[ClientResponse]:
        """aiohttp's errors become ours, so that a plugin's failure is answered as what it is."""
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                timeout=patience,
                allow_redirects=redirects > 0,
                max_redirects=redirects + 1,
            ) as answer:
                yield answer
        except (ClientConnectorError, ClientSSLError) as error:
            raise connect_error(error, url.partition(":")[0]) from error
        except TimeoutError:
            raise UpstreamTimeout("no answer in time") from None
        except InvalidURL as error:
            raise GatewayError(f"not a URL: {url!r}") from error
        except ClientError as error:
            raise _broken(error) from error


def undo_coding(response: Response, data: bytes, limit: int) -> None:
    """Decode a body of one known coding (RFC 9110 section 8.4); of a bomb no more than the limit is ever made.

    :raises BodyTooLarge: when it would be longer than `limit`.
    :raises BadResponse: when it is not what its coding says.
    """
    if (response.headers.get("content-encoding") or "").strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return
    decoder = zlib.decompressobj(_ANY_HEADER)
    try:
        whole = decoder.decompress(data, limit + 1)
    except zlib.error:
        raise BadResponse("the answer is not what its coding says") from None
    if len(whole) > limit:
        raise BodyTooLarge(f"an answer is longer than {limit} bytes")
    if not decoder.eof:
        raise BadResponse("the answer is not what its coding says")
    response.headers.remove("content-encoding")
    response.headers.remove("content-length")
    response.body = Body(whole)


def _broken(error: ClientError) -> GatewayError:
    if isinstance(error, OSError | ServerDisconnectedError):
        return UpstreamReset("the connection died")
    return BadResponse("the answer is malformed or incomplete")


def _response(answer: ClientResponse, body: Body) -> Response:
    fields = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers)
    return Response(answer.status, fields, body, reason=answer.reason or "")
