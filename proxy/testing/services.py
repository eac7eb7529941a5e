"""What plugins are lent in memory: an HTTP client that answers by script, and a table of admin routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import BaseModel

from proxy.body import Body
from proxy.errors import ConnectFailed, GatewayError
from proxy.message import Response
from proxy.plugin import AdminHandler


@dataclass
class ScriptedHttp:
    """:see: `proxy.plugin.Http`: answers what the test has set, by URL; everything else cannot be reached.

    :ivar answers: a Response, or an error, for each URL.
    :ivar sent: (method, URL, body) of every request.
    """

    answers: dict[str, Response | GatewayError] = field(default_factory=dict)
    sent: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109 (the interface's; nothing here takes time)
        limit: int = 10 * 1024 * 1024,
        redirects: int = 0,
        decode: bool = False,
    ) -> Response:
        """:see: `proxy.plugin.Http.request`."""
        self.sent.append((method, url, body or b""))
        answer = self.answers.get(url, ConnectFailed("the connection was refused"))
        if isinstance(answer, GatewayError):
            raise answer
        return Response(answer.status, answer.headers.copy(), await answer.body.read(limit))

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:  # noqa: ASYNC109
        """:see: `proxy.plugin.Http.get`."""
        return await self.request("GET", url, headers=headers)

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109
    ) -> Response:
        """:see: `proxy.plugin.Http.post`."""
        return await self.request("POST", url, headers=headers, body=body)

    @asynccontextmanager
    async def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> AsyncIterator[Response]:
        """:see: `proxy.plugin.Http.stream`."""
        yield await self.request(method, url, headers=headers, body=body)

    def guarded(self, admits: Callable[[str], bool], *, connect: float = 5.0, connections: int = 10) -> ScriptedGuarded:
        """:see: `proxy.plugin.Http.guarded`: answers by the same script, whatever the addresses."""
        return ScriptedGuarded(self)


@dataclass
class ScriptedGuarded:
    """:see: `proxy.plugin.GuardedHttp`."""

    _http: ScriptedHttp

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,  # noqa: ASYNC109 (the interface's; nothing here takes time)
        keep: int,
    ) -> Response:
        """:see: `proxy.plugin.GuardedHttp.send`."""
        response = await self._http.request(method, url, headers=headers, body=body)
        response.body = Body((response.body.data or b"")[:keep])
        return response

    async def close(self) -> None:
        """:see: `proxy.plugin.GuardedHttp.close`."""


class AdminTable:
    """:see: `proxy.plugin.Admin`: keeps the routes that plugins add, for a test to call.

    :ivar routes: handlers by (method, path).
    :ivar takes: what is said of their bodies.
    """

    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], AdminHandler] = {}
        self.takes: dict[tuple[str, str], type[BaseModel]] = {}

    def route(
        self,
        method: str,
        path: str,
        handler: AdminHandler,
        summary: str = "",
        *,
        takes: type[BaseModel] | None = None,
    ) -> None:
        """:see: `proxy.plugin.Admin.route`."""
        if (method, path) in self.routes:
            raise ValueError(f"{method} {path} is taken")
        self.routes[method, path] = handler
        if takes is not None:
            self.takes[method, path] = takes
