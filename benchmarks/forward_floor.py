"""The least that a forward costs which parses both heads with aiohttp: parse, write, parse, write.

A request's head is parsed and written again with two fields of ours, the answer's is parsed and what came is passed on
as it is. It knows one origin and no routes; it limits, times, counts and logs nothing, keeps no rule of RFC 9112 about
fields that end here, and trusts the origin to answer in one piece or to say a length. So it is no proxy: it is the most
that any gateway could reach which is written in Python on these parsers and this loop, on this machine.
Run as `python forward_floor.py PORT ORIGIN_PORT`; nothing of the project is imported, so that it can run anywhere.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, cast

from aiohttp.http_parser import HttpRequestParser, HttpResponseParser

_LONGEST = 8190  # bytes of a line


class Upstream(asyncio.Protocol):
    """One kept connection to the origin."""

    client: Client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a parser."""
        self.transport = cast("asyncio.Transport", transport)
        self.parser = HttpResponseParser(
            cast("Any", None), None, 65536, max_line_size=_LONGEST, max_field_size=_LONGEST, response_with_body=False
        )
        self.left = -1  # bytes of the answer that are still to come; -1 before its head

    def data_received(self, data: bytes) -> None:
        """Pass on what came; after the last byte the connection is free again."""
        if self.left < 0:
            head, _, body = data.partition(b"\r\n\r\n")
            message = self.parser.feed_data(head + b"\r\n\r\n")[0][0][0]
            self.left = int(message.headers.get("Content-Length", "0")) - len(body)
        else:
            self.left -= len(data)
        self.client.transport.write(data)
        if self.left == 0:
            self.left = -1
            self.client.idle.append(self)


class Client(asyncio.Protocol):
    """One connection of the load, which sends heads whole and waits for each answer."""

    def __init__(self, origin: int, idle: list[Upstream]) -> None:
        self.origin = origin
        self.idle = idle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a parser."""
        self.transport = cast("asyncio.Transport", transport)
        self.parser = HttpRequestParser(
            cast("Any", None), asyncio.get_running_loop(), 65536, max_line_size=_LONGEST, max_field_size=_LONGEST
        )

    def data_received(self, data: bytes) -> None:
        """Write each request on to a connection that is free, or to a new one."""
        for message, _ in self.parser.feed_data(data)[0]:
            start = f"{message.method} {message.path} HTTP/1.1\r\n".encode()
            fields = b"\r\n".join(map(b": ".join, message.raw_headers))
            head = b"%b%b\r\nX-Forwarded-For: 127.0.0.1\r\nVia: 1.1 floor\r\n\r\n" % (start, fields)
            if self.idle:
                self.send(self.idle.pop(), head)
            else:
                self.connecting = asyncio.ensure_future(self.connect(head))

    async def connect(self, head: bytes) -> None:
        """Open a connection and write to it."""
        loop = asyncio.get_running_loop()
        _, upstream = await loop.create_connection(Upstream, "127.0.0.1", self.origin)
        self.send(upstream, head)

    def send(self, upstream: Upstream, head: bytes) -> None:
        """Write a head."""
        upstream.client = self
        upstream.transport.write(head)


async def serve(port: int, origin: int) -> None:
    """Serve until killed."""
    idle: list[Upstream] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(origin, idle), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def main(port: int, origin: int) -> None:
    """Run on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(port, origin))
    else:
        uvloop.run(serve(port, origin))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
