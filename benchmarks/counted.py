"""What runs under callgrind: every path in turn, with marks around the requests that are counted.

A mark is a call of getsid(2), which nothing else here makes: callgrind is told to write its counts down whenever that
function is entered. So one process, started once, counts all paths, and nothing has to be compiled.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Sequence

from benchmarks.memory_gateway import MemoryGateway, Unanswered
from benchmarks.paths import PATHS, CountedPath
from proxy.registry import Registry

MARK = "getsid"
WARM_UP = 60  # requests, after which the interpreter has specialised what it runs
COUNTED = 256  # requests between two marks; ids are made 256 at a time, so one such making falls to every path


def mark() -> None:
    """Let callgrind write down what it counted since the last mark."""
    os.getsid(0)


def check(path: CountedPath, heard: bytes) -> None:
    """:raises Unanswered: when the client did not get the answer that it should."""
    head, _, body = heard.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 ") or body != path.expected:
        raise Unanswered(f"{path.name}: the client got {heard[:1000]!r}")


async def send(path: CountedPath, registry: Registry) -> None:
    """Send the requests of one path, marked before and after those that count.

    :raises Unanswered: when one of them is not answered as it should be.
    """
    gateway = await MemoryGateway.open(path.config(), registry)
    try:
        requests = [path.request(number) for number in range(1 + WARM_UP + COUNTED)]
        await gateway.first(requests[0], path.reply())
        reply = () if path.stored else path.reply()
        for request in requests[1 : 1 + WARM_UP]:
            check(path, gateway.heard(request, reply))
        mark()
        for request in requests[1 + WARM_UP :]:
            gateway.exchange(request, reply)
        mark()
    finally:
        await gateway.close()


async def send_all(names: Sequence[str]) -> None:
    """Send those of the named paths, in the order of `PATHS`."""
    registry = Registry.installed()
    gc.disable()  # when it looks depends on what was allocated long before
    for path in PATHS:
        if path.name in names:
            await send(path, registry)


if __name__ == "__main__":
    asyncio.run(send_all(sys.argv[1:]))
    print(COUNTED)
