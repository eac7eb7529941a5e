"""The proxy that a tutorial would write with aiohttp: an Application in front, a ClientSession behind.

It is the measure of what using the library well, rather than by the book, is worth. Run as
`python textbook_aiohttp.py PORT ORIGIN_PORT`; nothing of the project is imported, so that it can run anywhere.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict

HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
SESSION = web.AppKey("session", ClientSession)
ORIGIN = web.AppKey("origin", str)


def end_to_end(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """Return `headers` without the fields that belong to one connection."""
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP)


async def forward(request: web.Request) -> web.Response:
    """Send the request on and answer with what came back."""
    headers = end_to_end(CIMultiDict(request.headers))
    headers["X-Forwarded-For"] = request.remote or "unknown"
    async with request.app[SESSION].request(
        request.method,
        request.app[ORIGIN] + request.raw_path,
        headers=headers,
        data=await request.read() if request.can_read_body else None,
        allow_redirects=False,
    ) as answer:
        return web.Response(
            status=answer.status, headers=end_to_end(CIMultiDict(answer.headers)), body=await answer.read()
        )


async def client(app: web.Application) -> AsyncIterator[None]:
    """Keep one session, with as many connections as are wanted, for as long as the application lives."""
    connector = TCPConnector(limit=0)
    async with ClientSession(connector=connector, auto_decompress=False, cookie_jar=DummyCookieJar()) as session:
        app[SESSION] = session
        yield


def application(origin: str) -> web.Application:
    """Return the proxy for `origin`, a URL without a trailing slash."""
    app = web.Application(client_max_size=64 << 20)
    app[ORIGIN] = origin
    app.cleanup_ctx.append(client)
    app.router.add_route("*", "/{path:.*}", forward)
    return app


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a uvloop where it is installed, as most guides advise, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main(port: int, origin_port: int) -> None:
    web.run_app(
        application(f"http://127.0.0.1:{origin_port}"),
        host="127.0.0.1",
        port=port,
        access_log=None,
        print=None,
        loop=new_loop(),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
