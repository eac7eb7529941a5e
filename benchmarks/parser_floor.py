"""The least that a server can do which parses its heads with aiohttp: parse, and write fixed bytes.

It routes nothing, limits nothing, times nothing and counts nothing, so it is no proxy. It is what a fixed answer costs
before the first line of a gateway has run, and so the most that any gateway on that parser could reach on this machine.
Run as `python parser_floor.py PORT ORIGIN_PORT`; the origin is not asked.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, cast

from aiohttp.http_parser import HttpRequestParser

BODY = b"A fixed answer: nobody behind was asked."
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Floor(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a parser."""
        self.transport = cast("asyncio.Transport", transport)
        self.parser = HttpRequestParser(
            cast("Any", None), asyncio.get_running_loop(), 65536, max_line_size=8190, max_field_size=8190
        )

    def data_received(self, data: bytes) -> None:
        """Answer every head; the load sends them whole."""
        for _ in self.parser.feed_data(data)[0]:
            self.transport.write(ANSWER)


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def main(port: int) -> None:
    """Run on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(port))
    else:
        uvloop.run(serve(port))


if __name__ == "__main__":
    main(int(sys.argv[1]))
