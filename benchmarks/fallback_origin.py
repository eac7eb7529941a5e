"""An origin for machines without nginx: fixed answers from a bare asyncio protocol.

It is slower than nginx and takes more of the load's core, so a report made with it says so. Run as
`python -m benchmarks.fallback_origin PORT`.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

from benchmarks.origin import BODIES

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


def render(body: bytes, status: bytes = b"200 OK") -> bytes:
    """Return a whole answer, head and body."""
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


class Origin(asyncio.Protocol):
    """One connection: requests with a Content-Length or none, answered in order."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has the methods but not the base class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (length := self._request_length()) is not None:
            target = bytes(self._buffer[:length].split(b" ", 2)[1])
            del self._buffer[:length]
            self._transport.write(self._answers.get(target.partition(b"?")[0]) or render(b"{}", b"404 Not Found"))

    def _request_length(self) -> int | None:
        head = self._buffer.find(_HEAD_END)
        if head < 0:
            return None
        declared = _LENGTH.search(self._buffer, 0, head)
        length = head + len(_HEAD_END) + (int(declared[1]) if declared else 0)
        return length if len(self._buffer) >= length else None


async def serve(port: int) -> None:
    """Listen on loopback until cancelled."""
    answers = {path.encode(): render(body) for path, body in BODIES.items()}
    server = await asyncio.get_running_loop().create_server(lambda: Origin(answers), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


def main(port: int) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(port))
    else:
        uvloop.run(serve(port))


if __name__ == "__main__":
    main(int(sys.argv[1]))
