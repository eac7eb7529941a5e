"""A small upstream to try a gateway with: JSON, HTML, and paths that are slow, large, streaming or failing.

`python -m proxy.server.sample [--host ADDRESS] [--port N] [--while-stdin]` serves it, on loopback unless it is told an
address. All that a request can ask for is bounded, since people try things.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import signal
import sys
from collections.abc import Sequence
from typing import Any

from aiohttp import web

HOST = "127.0.0.1"

_MOST_MILLISECONDS = 30_000
_MOST_BYTES = 100_000_000
_MOST_EVENTS = 1_000
_PIECE = bytes(range(32, 127)).ljust(128, b".") * 512  # 64 KiB
_PER_PAGE = 5

_NAMES = ("Ada", "Barbara", "Donald", "Edsger", "Frances", "Grace", "Hedy", "Ken", "Leslie", "Margaret", "Niklaus")
USERS: list[dict[str, Any]] = [
    {"id": index, "name": name, "email": f"{name.lower()}@example.com"} for index, name in enumerate(_NAMES, 1)
]
_THINGS = (("Bridge", 4990), ("Footbridge", 1290), ("Handrail", 349), ("Plank", 89), ("Rope", 59), ("Toll booth", 2190))
PRODUCTS: list[dict[str, Any]] = [
    {"id": index, "name": name, "price": {"cents": cents, "currency": "EUR"}, "in_stock": index % 3 != 0}
    for index, (name, cents) in enumerate(_THINGS, 1)
]


def application() -> web.Application:
    """The whole upstream."""
    app = web.Application()
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/healthz", _health),
            web.get("/users", _list_of(USERS)),
            web.post("/users", _create),
            web.get("/users/{id:[0-9]+}", _one_of(USERS)),
            web.get("/products", _list_of(PRODUCTS)),
            web.get("/products/{id:[0-9]+}", _one_of(PRODUCTS)),
            web.get("/slow", _slow),
            web.get("/large", _large),
            web.get("/stream", _stream),
            web.get("/fail", _fail),
            web.route("*", "/echo", _echo),
        ]
    )
    return app


async def _health(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _page(_: web.Request) -> web.Response:
    rows = "".join(f"<li>{html.escape(user['name'])} &lt;{html.escape(user['email'])}&gt;</li>" for user in USERS)
    title = "<title>A sample upstream</title>"
    text = f'<!doctype html><html lang="en"><meta charset="utf-8">{title}<h1>Users</h1><ul>{rows}</ul></html>\n'
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "max-age=60"})


def _list_of(items: list[dict[str, Any]]) -> Any:
    """A handler that gives a page of them: `?page=N`, five a page."""

    async def handle(request: web.Request) -> web.Response:
        page = _number(request, "page", 1, most=1_000)
        start = max(page - 1, 0) * _PER_PAGE
        shown = items[start : start + _PER_PAGE]
        return web.json_response({"page": page, "total": len(items), "items": shown})

    return handle


def _one_of(items: list[dict[str, Any]]) -> Any:
    async def handle(request: web.Request) -> web.Response:
        wanted = int(request.match_info["id"][:9])
        found = next((item for item in items if item["id"] == wanted), None)
        if found is None:
            return web.json_response({"error": "there is no such thing"}, status=404)
        return web.json_response(found)

    return handle


async def _create(request: web.Request) -> web.Response:
    """Answer as if it were kept; nothing is."""
    try:
        given = await request.json()
    except json.JSONDecodeError:
        given = None
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        return web.json_response({"error": 'send JSON such as {"name": "Ada"}'}, status=422)
    created = {"id": len(USERS) + 1, "name": given["name"]}
    return web.json_response(created, status=201, headers={"Location": f"/users/{created['id']}"})


async def _slow(request: web.Request) -> web.Response:
    """`?ms=N`: answers after so many milliseconds."""
    milliseconds = _number(request, "ms", 1_000, most=_MOST_MILLISECONDS)
    await asyncio.sleep(milliseconds / 1_000)
    return web.json_response({"waited_ms": milliseconds})


async def _large(request: web.Request) -> web.StreamResponse:
    """`?bytes=N`: so many bytes."""
    left = _number(request, "bytes", 1_000_000, most=_MOST_BYTES)
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream", "Content-Length": str(left)})
    await response.prepare(request)
    while left:
        piece = _PIECE[:left]
        await response.write(piece)
        left -= len(piece)
    await response.write_eof()
    return response


async def _stream(request: web.Request) -> web.StreamResponse:
    """`?events=N&ms=M`: server-sent events, one every so many milliseconds."""
    count = _number(request, "events", 10, most=_MOST_EVENTS)
    pause = _number(request, "ms", 500, most=_MOST_MILLISECONDS) / 1_000
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    for number in range(1, count + 1):
        await response.write(f'id: {number}\ndata: {{"tick": {number}}}\n\n'.encode())
        if number < count:
            await asyncio.sleep(pause)
    await response.write_eof()
    return response


async def _fail(request: web.Request) -> web.Response:
    """`?status=N`: that error."""
    status = _number(request, "status", 500, most=599)
    return web.json_response({"error": "you asked for it"}, status=status if status >= 400 else 500)


async def _echo(request: web.Request) -> web.Response:
    """What arrived here."""
    body = await request.read()
    return web.json_response(
        {
            "method": request.method,
            "target": request.raw_path,
            "headers": [list(pair) for pair in request.headers.items()],
            "body": body.decode("utf-8", "replace"),
        }
    )


def _number(request: web.Request, name: str, default: int, *, most: int) -> int:
    """A number of the query, forced into its bounds; the default when it is none."""
    text = request.query.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 12 else default


async def serve(port: int, *, while_stdin: bool, host: str = HOST) -> None:
    """Serve until TERM or INT; with `while_stdin` also until the other end of stdin is closed.

    The URL is written to stdout as one line when it is ready.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if while_stdin:
        await loop.connect_read_pipe(lambda: _UntilEnd(stop), sys.stdin)
    runner = web.AppRunner(application(), access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    print(f"http://{host}:{runner.addresses[0][1]}", flush=True)
    await stop.wait()
    await runner.cleanup()


class _UntilEnd(asyncio.Protocol):
    """Sets an event when whoever holds the other end of a pipe has gone."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m proxy.server.sample", description=__doc__)
    parser.add_argument("--host", default=HOST, metavar="ADDRESS", help=f"default: {HOST}")
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    parser.add_argument("--while-stdin", action="store_true", help="end when stdin does")
    args = parser.parse_args(arguments)
    asyncio.run(serve(args.port, while_stdin=args.while_stdin, host=args.host))


if __name__ == "__main__":
    main()
