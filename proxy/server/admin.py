"""The listener for operators: probes, metrics, the API.

It answers on aiohttp's low-level server, apart from the traffic: a request here is one in seconds, so it is written for
plainness rather than speed.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, cast

from aiohttp.web_exceptions import HTTPRequestEntityTooLarge
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response as WebResponse
from aiohttp.web_response import StreamResponse
from aiohttp.web_server import Server

from proxy.message import Response
from proxy.plugin import AdminRequest
from proxy.server.admin_routes import PREFIX, AdminRoute, AdminRoutes
from proxy.server.guard import Guard, Refused
from proxy.server.sockets import bind, url_of
from proxy.settings import Admin
from proxy.settings.fields import port_of, split_url

__all__ = ["AdminRoute", "AdminRoutes", "AdminServer", "Gateway"]

log = logging.getLogger("passerelle.admin")

_PROBES = ("/healthz", "/readyz")
_KEEP_ALIVE = 75.0  # seconds
_GRACE = 2.0  # seconds that a request under way has at the end
R = TypeVar("R", bound=StreamResponse)
_ALWAYS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class AdminTable(Protocol):
    """Where the listener looks a request up."""

    def find(self, method: str, path: str) -> tuple[AdminRoute, dict[str, str]] | None: ...
    def methods(self, path: str) -> list[str]: ...


class Gateway(Protocol):
    """What the listener needs of the gateway that it tells about."""

    @property
    def ready(self) -> bool: ...
    @property
    def routes(self) -> AdminTable: ...

    async def exposition(self) -> tuple[bytes, str]: ...


class AdminServer:
    """One gateway's admin listener, and the one for probes where that is asked for.

    :ivar url: where it listens, with the port really bound; set by `bind`.
    :ivar probes_url: where only the probes are answered, or None.
    """

    def __init__(self, gateway: Gateway, admin: Admin) -> None:
        self._gateway = gateway
        self._admin = admin
        self._guard = Guard(admin)
        self._bound: list[tuple[Server, list[socket.socket]]] = []
        self._accepting: list[asyncio.Server] = []
        self.url = admin.listen
        self.probes_url: str | None = None

    def bind(self) -> None:
        """Take the addresses. :raises CannotBind: when one is taken or not ours."""
        admin = self._admin
        sockets = bind(admin.host, admin.port)
        self._bound.append((_server(self._handle), sockets))
        self.url = url_of(admin.host, sockets[0])
        if admin.probes is not None:
            host = split_url(admin.probes).hostname or ""
            sockets = bind(host, port_of(admin.probes))
            self._bound.append((_server(self._handle_probe), sockets))
            self.probes_url = url_of(host, sockets[0])

    def renew(self, admin: Admin) -> None:
        """Ask for another token from now on."""
        self._guard = Guard(admin)

    async def start(self) -> None:
        """Accept on what `bind` took."""
        loop = asyncio.get_running_loop()
        for server, sockets in self._bound:
            for sock in sockets:
                self._accepting.append(await loop.create_server(server, sock=sock))

    async def stop(self) -> None:
        """Close the listeners and their connections; what is being answered has a moment to end."""
        for accepting in self._accepting:
            accepting.close()
        self._accepting.clear()
        bound, self._bound = self._bound, []
        for server, sockets in bound:
            await server.shutdown(_GRACE)
            for sock in sockets:
                sock.close()

    # answers

    async def _handle(self, request: BaseRequest) -> StreamResponse:
        response = await self._safely(request)
        return await _write(request, response)

    async def _handle_probe(self, request: BaseRequest) -> StreamResponse:
        path = request.rel_url.raw_path
        if path in _PROBES:
            found = self._probe(path)
        else:
            found = Response.problem(404, "only /healthz and /readyz are answered here")
        return await _write(request, found)

    async def _safely(self, request: BaseRequest) -> Response:
        try:
            return await self._answer(request)
        except Refused as refused:
            return Response.problem(refused.status, refused.detail, refused.headers)
        except HTTPRequestEntityTooLarge:
            return Response.problem(413, "the request body is too large")
        except Exception:
            log.exception("%s %s failed", request.method, request.rel_url.raw_path)
            return Response.problem(500, "the handler failed; the log says why")

    async def _answer(self, request: BaseRequest) -> Response:
        method, path = request.method, request.rel_url.raw_path
        if path in _PROBES:
            return self._probe(path)
        fields = request.headers
        self._guard.check_host(fields.get("Host", ""))
        self._guard.check_origin(fields.get("Origin"), fields.get("Host", ""))
        self._guard.check_token(fields.get("Authorization"))
        if path == "/metrics":
            return await self._metrics()
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            return await self._api(request, "GET" if method == "HEAD" else method, path.rstrip("/"))
        raise Refused(404, f"nothing is answered here; the API begins at {PREFIX}")

    async def _api(self, request: BaseRequest, method: str, path: str) -> Response:
        routes = self._gateway.routes
        found = routes.find(method, path)
        if found is None:
            return missing(method, ", ".join(routes.methods(path)))
        self._guard.check_kind(method, request.headers.get("Content-Type"))
        route, params = found
        body = await request.read()
        return await route.handler(AdminRequest(method, path, dict(request.query), params, body))

    def _probe(self, path: str) -> Response:
        if path == "/readyz" and not self._gateway.ready:
            return Response.problem(503, "starting or draining")
        return Response.text(200, "ok\n")

    async def _metrics(self) -> Response:
        """Importing the client library blocks for some 80 ms, so the first scrape does that elsewhere."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, importlib.import_module, "prometheus_client.exposition")
        text, kind = await self._gateway.exposition()
        return Response(200, {"Content-Type": kind}, text)


def missing(method: str, allowed: str) -> Response:
    """The answer where there is no route. :param allowed: the methods that the path knows, with commas between."""
    if allowed:
        return Response.problem(405, f"{method} is not answered here", {"Allow": allowed})
    return Response.problem(404, f"there is no such thing; {PREFIX} lists what there is")


class _Connection(RequestHandler):
    """A connection whose malformed requests are refused in the form of all other errors."""

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> StreamResponse:
        """aiohttp's hook for what its parser refuses; what it says of the bytes is for the log."""
        log.info("a request to the admin listener is refused: %s", type(exc).__name__)
        detail = "the request is malformed (RFC 9112)" if status < 500 else "the request failed"
        response = Response.problem(status, detail)
        answer = _with_fields(WebResponse(status=response.status, body=response.body.data), response)
        answer.force_close()
        return answer


class _Server(Server):
    """aiohttp's low-level server, making our connections instead of its own."""

    def __call__(self) -> RequestHandler:
        quiet = cast("Any", None)  # as it may be, whatever its type says
        return _Connection(self, loop=self._loop, access_log=quiet, keepalive_timeout=_KEEP_ALIVE)


def _server(handler: Callable[[BaseRequest], Awaitable[StreamResponse]]) -> Server:
    return _Server(handler, handler_cancellation=True)


async def _write(request: BaseRequest, response: Response) -> StreamResponse:
    """Our answer as aiohttp's; a body that flows is written as it comes."""
    body = response.body
    if body.data is not None:
        return _with_fields(WebResponse(status=response.status, body=body.data), response)
    stream = _with_fields(StreamResponse(status=response.status), response)
    await stream.prepare(request)
    try:
        if request.method != "HEAD":
            async for part in body:
                await stream.write(part)
        await stream.write_eof()
    finally:
        response.close()
    return stream


def _with_fields(answer: R, response: Response) -> R:
    for name, value in _ALWAYS.items():
        answer.headers[name] = value
    for name, value in response.headers.items():
        answer.headers[name] = value
    return answer
