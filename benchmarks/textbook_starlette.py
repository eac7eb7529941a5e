"""The proxy that a tutorial would write with Starlette in front and httpx behind.

Run as `python textbook_starlette.py PORT ORIGIN_PORT` in an environment of its own (see requirements/); uvicorn takes
uvloop and httptools because they are installed there.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Iterable

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

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
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def end_to_end(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return `headers` without the fields that belong to one connection."""
    return {name: value for name, value in headers if name.lower() not in HOP_BY_HOP}


async def forward(request: Request) -> Response:
    """Send the request on and answer with what came back."""
    headers = end_to_end(request.headers.items())
    headers["x-forwarded-for"] = request.client.host if request.client else "unknown"
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    answer = await request.app.state.client.request(
        request.method, target, headers=headers, content=await request.body()
    )
    return Response(answer.content, answer.status_code, end_to_end(answer.headers.items()))


def application(origin: str) -> Starlette:
    """Return the proxy for `origin`; its client may open as many connections as are wanted and keeps them all."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(base_url=origin, limits=limits) as client:
            app.state.client = client
            yield

    return Starlette(routes=[Route("/{path:path}", forward, methods=METHODS)], lifespan=lifespan)


def main(port: int, origin_port: int) -> None:
    app = application(f"http://127.0.0.1:{origin_port}")
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
