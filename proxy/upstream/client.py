"""The pooled client for plugins: the shared ClientSession behind a small face that knows our messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import ClientError, ClientResponse, ClientSession, ClientSSLError, ClientTimeout
from aiohttp.client_exceptions import ClientConnectorError, InvalidURL, ServerDisconnectedError
from yarl import URL

from proxy.errors import BadResponse, GatewayError, UpstreamReset, UpstreamTimeout
from proxy.headers import Headers
from proxy.message import Body, Response
from proxy.upstream.failures import connect_error

_LIMIT = 10 * 1024 * 1024  # bytes of an answer that is read whole


class Client:
    """:see: `proxy.plugin.Http`."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109 (a total in seconds, kept by aiohttp itself)
        limit: int = _LIMIT,
    ) -> Response:
        """:see: `proxy.plugin.Http.request`."""
        async with self._open(method, url, headers, body, ClientTimeout(total=timeout)) as answer:
            response = _response(answer, Body.of(answer.content.iter_any(), answer.content_length))
            data = await response.body.read(limit)
            response.body = Body(data)
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

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> AsyncIterator[Response]:
        """:see: `proxy.plugin.Http.stream`."""
        timeout = ClientTimeout(total=None, sock_connect=5.0, sock_read=60.0)
        async with self._open(method, url, headers, body, timeout) as answer:
            yield _response(answer, Body.of(answer.content.iter_any(), answer.content_length))

    @asynccontextmanager
    async def _open(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None, patience: ClientTimeout
    ) -> AsyncIterator[ClientResponse]:
        """aiohttp's errors become ours, so that a plugin's failure is answered as what it is."""
        try:
            async with self._session.request(
                method, URL(url, encoded=True), headers=headers, data=body, timeout=patience, allow_redirects=False
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


def _broken(error: ClientError) -> GatewayError:
    if isinstance(error, OSError | ServerDisconnectedError):
        return UpstreamReset("the connection died")
    return BadResponse("the answer is malformed or incomplete")


def _response(answer: ClientResponse, body: Body) -> Response:
    fields = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers)
    return Response(answer.status, fields, body, reason=answer.reason or "")
