"""A whole gateway in the test's own loop, on a clock that moves when told to, before an origin that plays scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from proxy.clock import ManualClock
from proxy.frontend.listener import Listener
from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.settings import load_text
from proxy.upstream.pool import Pool
from proxy.upstream.resolve import Lookup
from proxy.upstream.upstream import Upstream
from tests.wire.client import PATIENCE, Client
from tests.wire.origin import Origin, Script, Wire

CONFIG = """
listen: [{listen}]
admin: false
{top}
upstreams: {{origin: {{targets: [{targets}], {upstream}}}}}
plugins: [{plugins}]
routes:
  - {{name: fixed, match: {{path: /fixed}}, plugins: {{respond: {{body: fixed}}}}}}
  - {{name: large, match: {{path: /large}}, plugins: {{respond: {{body: {large}}}}}}}
  - {{name: all, upstream: origin}}
"""
LARGE = 30000  # bytes of the answer of `/large`


class Stage:
    """The gateway, the origin behind it, and time."""

    def __init__(self, clock: ManualClock, origin: Origin, gateway: Gateway) -> None:
        self.clock = clock
        self.origin = origin
        self.gateway = gateway
        self.port = int(gateway.urls[0].rpartition(":")[2])

    @property
    def upstream(self) -> Upstream:
        """The only upstream."""
        found = self.gateway.built.snapshot.upstreams["origin"]
        assert isinstance(found, Upstream)
        return found

    @property
    def pool(self) -> Pool:
        """Its connections."""
        return self.upstream.pool

    @property
    def listener(self) -> Listener:
        """The only listener."""
        return self.gateway.doors.listeners[0]

    @property
    def ends(self) -> list[Any]:
        """The gateway's ends of its clients' connections."""
        return list(self.listener._connections)

    @property
    def wires(self) -> list[Wire]:
        """Connections from the gateway to the origin since the last fresh record."""
        return self.origin.record.wires

    def script(self, target: str, script: Script) -> None:
        """What the origin does when asked for a target."""
        self.origin.scripts[target] = script

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and what was due in it happen."""
        self.clock.advance(seconds)
        self.gateway.runtime.wheel.advance()

    def figure(self, name: str, **labels: str) -> float:
        """A figure of the upstream's as it is exposed; `upstream_` and the like are left out of its name."""
        shown = ",".join(f'{key}="{value}"' for key, value in sorted({"upstream": "origin", **labels}.items()))
        line = f"passerelle_upstream_{name}{{{shown}}} "
        lines = self.gateway.metrics.exposition()[0].decode().splitlines()
        return next((float(one.removeprefix(line)) for one in lines if one.startswith(line)), 0.0)

    def figure_of(self, name: str) -> float:
        """The sum of a figure's time series."""
        lines = self.gateway.metrics.exposition()[0].decode().splitlines()
        return sum(float(one.rpartition(" ")[2]) for one in lines if one.startswith((f"{name} ", f"{name}{{")))

    def count(self, status: int, route: str = "all") -> float:
        """Exchanges that ended so."""
        line = f'passerelle_requests_total{{route="{route}",status="{status}"}} '
        lines = self.gateway.metrics.exposition()[0].decode().splitlines()
        return next((float(one.removeprefix(line)) for one in lines if one.startswith(line)), 0.0)


@asynccontextmanager
async def staged(
    *,
    top: str = "",
    upstream: str = "",
    targets: str = "",
    listen: str = "http://127.0.0.1:0",
    origin: Origin | None = None,
    lookup: Lookup | None = None,
    plugins: str = "",
) -> AsyncIterator[Stage]:
    """A stage.

    :param top: more of the configuration.
    :param upstream: more of the upstream's, in flow style; without `retry` nothing is tried again, and unless it says
        `backoff` the next try comes at once, for the clock stands still.
    :param targets: in the place of the origin's own; `{port}` stands for its port.
    :param listen: the listeners, in flow style.
    :param lookup: what the gateway asks for the addresses of names.
    :param plugins: the chain, in flow style.
    :param origin: one that is not started yet, in the place of a plain one.
    """
    clock, origin = ManualClock(), origin or Origin()
    await origin.start()
    said = upstream if "retry" in upstream else f"retry: false, {upstream}"
    if "backoff" not in said:
        said = said.replace("retry: {", "retry: {backoff: false, ")
    sent_to = targets.format(port=origin.port) or origin.url
    text = CONFIG.format(listen=listen, plugins=plugins, top=top, targets=sent_to, upstream=said, large="x" * LARGE)
    try:
        gateway = Gateway(load_text(text, {}), Registry.installed(), clock=clock, lookup=lookup)
        await gateway.start()
        try:
            yield Stage(clock, origin, gateway)
        finally:
            await gateway.stop()
    finally:
        await origin.stop()


async def until(happened: Callable[[], object]) -> None:
    """Turn the loop until something is so.

    :raises TimeoutError: when it does not become so.
    """
    async with asyncio.timeout(PATIENCE):
        while not happened():
            await asyncio.sleep(0)


def get(target: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    """A request without a body."""
    return "\r\n".join([f"{method} {target} HTTP/{version}", "Host: example.test", *fields, "", ""]).encode()


async def fetch(stage: Stage, request: bytes) -> Any:
    """The answer to one request on a connection of its own."""
    async with Client(stage.port) as client:
        await client.send([request])
        return await client.answer(request.partition(b" ")[0].decode())


def plays(answer: bytes, *, then: str = "keep") -> Script:
    """A script that sends these bytes; afterwards it keeps, closes or resets the connection."""

    async def script(wire: Wire) -> bool:
        await wire.send(answer)
        if then == "reset":
            wire.abort()
        elif then == "close":
            wire.close()
        return then == "keep"

    return script


class Holding:
    """A script that answers when it is let go.

    :ivar asked: how many requests have come.
    """

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld", first: bytes = b"") -> None:
        self._answer = answer
        self._first = first  # what is sent before that
        self._go = asyncio.Semaphore(0)
        self.asked = 0
        self.lines: list[str] = []

    async def __call__(self, wire: Wire) -> bool:
        self.asked += 1
        self.lines.append(wire.requests[-1].line)
        await wire.send(self._first)
        await self._go.acquire()
        await wire.send(self._answer)
        return True

    def let_go(self, count: int = 1) -> None:
        """Answer so many, those first that came first."""
        for _ in range(count):
            self._go.release()
