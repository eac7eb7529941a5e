"""What idle health checks cost: a gateway with 50 upstreams of 20 targets each, against the same one without probes.

`python -m benchmarks.health_checks` prints memory and CPU. Everything is on the loopback; the targets are one origin
under many names of it.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from pathlib import Path

from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.settings import load_text

UPSTREAMS, TARGETS = 50, 20
_PAGE = resource.getpagesize()
_OK = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def _config(port: int, upstreams: int, targets: int, probed: bool, every: str) -> str:
    lines = ["listen: [http://127.0.0.1:0]", "admin: false", "upstreams:"]
    health = f"{{every: {every}}}" if probed else "false"
    for number in range(upstreams):
        urls = ", ".join(f"http://127.{number + 1}.0.{target + 1}:{port}" for target in range(targets))
        lines.append(f"  u{number}: {{health: {health}, targets: [{urls}]}}")
    lines.append("routes:")
    lines += [
        f"  - {{name: r{number}, match: {{path: /{number}/*}}, upstream: u{number}}}" for number in range(upstreams)
    ]
    return "\n".join([*lines, ""])


def _resident() -> float:
    """MiB that the process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 2**20


async def measure(upstreams: int, targets: int, probed: bool, seconds: float, every: str) -> tuple[float, float, int]:
    """MiB more than before the gateway was made, share of one core, and probes that ended.

    The origin answers in the same process: what it costs is part of the figure, which is therefore an upper bound.
    """
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.write(_OK)
        await writer.drain()
        writer.close()

    origin = await asyncio.start_server(answer, "0.0.0.0", 0, backlog=1024)
    port = origin.sockets[0].getsockname()[1]
    before = _resident()
    gateway = Gateway(load_text(_config(port, upstreams, targets, probed, every), {}), Registry.installed())
    await gateway.start()
    began, used = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    share = (time.process_time() - used) / (time.monotonic() - began)
    held = _resident() - before
    await gateway.stop()
    origin.close()
    await origin.wait_closed()
    return held, share, asked


def main(arguments: list[str]) -> int:
    """Print the figures; 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstreams", type=int, default=UPSTREAMS)
    parser.add_argument("--targets", type=int, default=TARGETS)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--every", default="10s")
    said = parser.parse_args(arguments)
    print(f"{said.upstreams} upstreams of {said.targets} targets, for {said.seconds:g} s")
    for probed in (False, True):
        found = asyncio.run(measure(said.upstreams, said.targets, probed, said.seconds, said.every))
        held, share, asked = found
        name = f"probed every {said.every}" if probed else "not probed"
        print(f"  {name}: {held:.1f} MiB, {share:.1%} of a core, {asked} probes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
