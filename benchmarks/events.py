"""What events cost: publishing one, having it on disk, delivering a backlog of webhooks.

`python -m benchmarks.events` needs nothing beside this machine. Latencies are told as median and 99th percentile, since
it is the slow ones that a request would notice. A backlog is delivered by a gateway on its own core to a receiver in
this process, with the pace lifted, and its cost is told in CPU time too: a busy machine changes it less than the rate.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import cast

from benchmarks.process import LOAD_CORE, PROXY_CORE, Child, can_pin, free_port
from plugins.webhook.config import EndpointConfig
from plugins.webhook.intake import Intake
from proxy.clock import Clock
from proxy.events import ApiError, Event, EventBus, QuotaLow, RequestCompleted
from proxy.store.sqlite import SqliteStore

PUBLISH_AT_MOST = 5.0  # microseconds at the 99th percentile
ON_DISK_AT_MOST = 20.0  # milliseconds
DRAIN_AT_LEAST = 1000  # deliveries in a second
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_PATIENCE = 600.0  # seconds for a backlog
_CONFIG = """\
listen: http://127.0.0.1:{port}
admin: false
state: {state}
plugins:
  - webhook:
      endpoints:
        - {{id: ops, url: "http://127.0.0.1:{receiver}/", secret: {secret}, allow_private: true,
           events: [request.completed], pace: {{in_flight: 100, per_second: 100000}}}}
routes: [{{name: hello, plugins: {{respond: {{body: hello}}}}}}]
"""


@dataclass(frozen=True)
class Row:
    """One figure. :ivar held: whether it is what is claimed; None where nothing is."""

    what: str
    value: float
    unit: str
    held: bool | None = None

    def __str__(self) -> str:
        verdict = {None: "", True: "  as claimed", False: "  MISSED"}[self.held]
        return f"{self.what:<62} {self.value:>10,.2f} {self.unit}{verdict}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def completed(number: int) -> RequestCompleted:
    """An event as the busiest of all."""
    return RequestCompleted(f"{number:032x}", "shop", "GET", 200, "shop", 1.25, 0.75, 0, 722)


def endpoint() -> EndpointConfig:
    """Somebody who wants everything."""
    return EndpointConfig(
        id="ops", url="https://hooks.example.com/", secret=_SECRET, events=("request.completed", "api.*", "quota.*")
    )


# publishing


def unwanted_rows(count: int) -> list[Row]:
    """What a publisher does for an event that nobody wants: it asks, and makes none."""
    bus = EventBus(Clock())
    bus.wants(RequestCompleted)

    def ask() -> None:
        for _ in repeat(None, count):
            if bus.wants(RequestCompleted):
                bus.publish(completed(0))

    began = time.perf_counter()
    ask()
    seconds = time.perf_counter() - began
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    ask()
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return [
        Row("an event that nobody wants", seconds / count * 1e9, "ns"),
        Row(f"an event that nobody wants: memory of {count:,}", float(peak), "B", peak < count),
    ]


def publish_rows(count: int) -> list[Row]:
    """`publish` itself, the event having been made: to a handler, folded, and into a ring for the disk."""
    plain, folding, kept = EventBus(Clock()), EventBus(Clock()), EventBus(Clock())
    heard: list[Event] = []
    plain.subscribe("*", heard.append)
    folding.subscribe("*", heard.append)
    folding.merge(10.0)
    intake = Intake([endpoint()], "/benchmark", time.time, logging.getLogger("benchmark"), lambda: None, kept.brake)
    kept.subscribe(intake.wants, intake.put)
    cases: list[tuple[str, EventBus, Callable[[int], Event]]] = [
        ("to one handler", plain, completed),
        ("folded", folding, lambda number: ApiError("shop", "shop", 502, "reset", str(number), str(number))),
        ("towards the disk", kept, lambda number: QuotaLow("gold", "requests", 1e6, number, 80, "2026-11")),
    ]
    return [row for what, bus, make in cases for row in _publishing(what, bus, make, count)]


def _publishing(what: str, bus: EventBus, make: Callable[[int], Event], count: int) -> list[Row]:
    took = []
    for number in range(count):
        event = make(number)
        began = time.perf_counter_ns()
        bus.publish(event)
        took.append((time.perf_counter_ns() - began) / 1000)
    worst = percentile(took, 0.99)
    return [
        Row(f"publish {what}: median", percentile(took, 0.5), "us"),
        Row(f"publish {what}: p99", worst, "us", worst <= PUBLISH_AT_MOST),
    ]


# on disk


async def disk_rows(place: Path, count: int, per_second: float) -> list[Row]:
    """From `publish` until the transaction is on disk, by what the store itself tells."""
    bus, store = EventBus(Clock()), SqliteStore(place)
    written: list[float] = []
    published: list[float] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def kept() -> None:
        now = time.perf_counter()
        written.extend([now] * (len(published) - intake.waiting(QuotaLow.klass) - len(written)))
        if len(written) >= count:
            loop.call_soon_threadsafe(done.set)

    intake = Intake([endpoint()], "/benchmark", time.time, logging.getLogger("benchmark"), kept, bus.brake)
    intake.wake = store.events.feed(intake)
    bus.subscribe(intake.wants, intake.put)
    for number in range(count):
        published.append(time.perf_counter())
        bus.publish(QuotaLow("gold", "requests", 1e6, number, 80, "2026-11"))
        await asyncio.sleep(1 / per_second)
    await done.wait()
    await store.close()
    took = [(at - began) * 1000 for began, at in zip(published, written, strict=False)]
    worst = percentile(took, 0.99)
    return [
        Row(f"on disk, {per_second:,.0f} a second: median", percentile(took, 0.5), "ms"),
        Row(f"on disk, {per_second:,.0f} a second: p99", worst, "ms", worst <= ON_DISK_AT_MOST),
    ]


# a backlog


@dataclass
class Receiver:
    """Counts deliveries, and answers them."""

    count: int = 0
    wanted: int = 0
    all_there: asyncio.Event = field(default_factory=asyncio.Event)
    transports: list[asyncio.Transport] = field(default_factory=list)

    def took(self) -> None:
        """One more."""
        self.count += 1
        if self.count >= self.wanted:
            self.all_there.set()


class _Peer(asyncio.Protocol):
    """One connection to a receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._receiver.transports.append(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if end and len(body) >= int(length):
            self._buffer = b""
            self._receiver.took()
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def owe(place: Path, count: int) -> None:
    """Leave an outbox with so many deliveries."""
    store = SqliteStore(place)
    intake = Intake(
        [endpoint()], "/benchmark", time.time, logging.getLogger("benchmark"), lambda: None, EventBus(Clock()).brake
    )
    wake = store.events.feed(intake)
    for number in range(count):
        event = completed(number)
        event.time = time.time()
        while intake.waiting(event.klass) > 2000:
            wake()
            await asyncio.sleep(0.005)
        intake.put(event)
    await store.close()


async def backlog_rows(folder: Path, count: int) -> list[Row]:
    """A gateway is started on a backlog, and delivers it."""
    state = folder / "state"
    await owe(state / "webhooks.sqlite3", count)
    receiver = Receiver(wanted=count)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Peer(receiver), "127.0.0.1", 0, backlog=512)
    file, port = folder / "gateway.yaml", free_port()
    there = server.sockets[0].getsockname()[1]
    file.write_text(_CONFIG.format(port=port, state=state, receiver=there, secret=_SECRET), encoding="utf-8")
    began = time.perf_counter()
    command = [str(Path(sys.executable).with_name("passerelle")), "serve", "-c", str(file)]
    try:
        with Child(command, core=PROXY_CORE, log=folder / "log") as gateway:
            ready, started = await _ready(port, began), gateway.cpu_seconds() or 0.0
            begins = time.perf_counter(), receiver.count
            async with asyncio.timeout(_PATIENCE):
                await receiver.all_there.wait()
            rate = (count - begins[1]) / (time.perf_counter() - begins[0])
            used = ((gateway.cpu_seconds() or 0.0) - started) / max(1, count - begins[1])
            peak = _peak(gateway.pid)
    finally:
        server.close()
        for transport in receiver.transports:
            transport.abort()
        await asyncio.sleep(0)
    return [
        Row(f"a backlog of {count:,}: ready after", ready, "s", ready <= 2.0),
        Row(f"a backlog of {count:,}: CPU until ready", started, "s"),
        Row(f"a backlog of {count:,}: delivered", rate, "/s", rate >= DRAIN_AT_LEAST),
        Row(f"a backlog of {count:,}: CPU for a delivery", used * 1e6, "us"),
        Row(f"a backlog of {count:,}: most memory", peak, "MiB"),
    ]


async def _ready(port: int, began: float) -> float:
    """Seconds until a gateway takes connections."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return time.perf_counter() - began


def _peak(pid: int) -> float:
    """The most memory that a process has had, in MiB; 0.0 where the system does not tell."""
    place = Path(f"/proc/{pid}/status")
    lines = place.read_text(encoding="utf-8").splitlines() if place.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print; what is missed is for people to judge."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=50_000, help="events to publish (default 50,000)")
    parser.add_argument("--backlog", type=int, default=100_000, help="deliveries that wait (default 100,000)")
    chosen = parser.parse_args(argv)
    if can_pin():
        os.sched_setaffinity(0, {LOAD_CORE})
    for row in (*unwanted_rows(chosen.count), *publish_rows(min(chosen.count, 7000))):
        print(row, flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for row in asyncio.run(disk_rows(folder / "some.sqlite3", min(chosen.count, 2000), 500)):
            print(row, flush=True)
        for row in asyncio.run(backlog_rows(folder, chosen.backlog)):
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
