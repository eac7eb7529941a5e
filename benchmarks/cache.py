"""`python -m benchmarks.cache`: what the cache is worth.

Two questions. How many hits a second does a core give, beside nginx with proxy_cache in the same run? What share of
the calls to an upstream does the cache spare, when requests are drawn over many keys as people draw them (Zipf's law),
with requests for the same key at the same time sharing one call and without?
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
)
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


@contextmanager
def gateways(directory: Path) -> Iterator[dict[str, tuple[Child, int]]]:
    """nginx and the project, each with its cache in front of one origin."""
    with ExitStack() as stack:
        origin = stack.enter_context(running_origin(directory))
        found = {}
        for name in ("nginx", "passerelle"):
            place, port = directory / name, free_port()
            place.mkdir()
            config = place / ("nginx-cache.conf" if name == "nginx" else "passerelle-cache.yaml")
            config.write_text(fill(config.name, PORT=port, ORIGIN=origin, DIR=place), encoding="utf-8")
            ours = [str(Path(sys.executable).parent / "passerelle"), "serve", "-c", str(config)]
            argv = ["nginx", "-p", str(place), "-c", str(config)] if name == "nginx" else ours
            env = {"PYTHONPATH": str(_HERE.parent)}
            child = stack.enter_context(Child(argv, core=PROXY_CORE, log=place / "log", env=env))
            wait_for(child, port, "/json", len(SMALL_BODY))
            found[name] = child, port
        yield found


def hits(runs: int, seconds: int) -> list[list[str]]:
    """Hits a second of both, by turns; rows of a table."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="passerelle-cache-") as name, gateways(Path(name)) as both:
        for path, size, heads in CASES:
            scenario = Scenario("cache", "hits", path, size, (), heads=heads)
            found: dict[str, list[Sample]] = {peer: [] for peer in both}
            for turn in range(runs + 1):
                for peer in sorted(both, reverse=bool(turn % 2)):
                    child, port = both[peer]
                    sample = run_load(scenario, port, seconds if turn else 1, child.cpu_seconds)
                    if turn:  # the first one warms up
                        found[peer].append(sample)
            rows.append(_row(f"{path}, {heads} heads", found))
    return rows


def _row(name: str, found: dict[str, list[Sample]]) -> list[str]:
    rates = {peer: spread([sample.rate for sample in samples]) for peer, samples in found.items()}
    ours, theirs = rates["passerelle"], rates["nginx"]
    if ours is None or theirs is None:
        return [name, "-", "-", "-"]
    return [name, f"{ours.median:,.0f}", f"{theirs.median:,.0f}", f"{ours.median / theirs.median:.2f}"]


def savings(count: int, clients: int) -> list[list[str]]:
    """What the cache spares; rows of a table."""
    rows = []
    for coalescing in (True, False):
        found = asyncio.run(spared(count, clients, coalescing=coalescing))
        verdict = "met" if found.share >= CLAIM else "MISSED"
        words = "shared" if coalescing else "each for itself"
        rows.append([words, f"{found.requests:,}", f"{found.calls:,}", f"{found.share:.1%}", verdict])
    return rows


def report(rows: Sequence[Sequence[str]], spares: Sequence[Sequence[str]]) -> str:
    """The page with the figures."""
    machine = f"{processor()}; {placement()}; origin: {origin_kind()}"
    rates = markdown_table(["hits of", "Passerelle", "nginx", "ratio"], rows) if rows else "Not measured."
    calls = markdown_table(["fetches", "requests", "calls", "spared", f"{CLAIM:.0%} claimed"], spares)
    about = f"{KEYS:,} keys drawn by Zipf's law (exponent {EXPONENT:g}), an upstream that takes 20 ms for each call."
    return f"# What the cache is worth\n\n{machine}\n\n{rates}\n\n## Calls spared\n\n{about}\n\n{calls}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write if asked to; the exit code is 1 only when something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="length of a run (default 3)")
    parser.add_argument("--requests", type=int, default=60_000, help="of the Zipf workload (default 60000)")
    parser.add_argument("--clients", type=int, default=100, help="of the Zipf workload (default 100)")
    parser.add_argument("--write", action="store_true", help="write benchmarks/cache.md")
    chosen = parser.parse_args(argv)
    if (missing := missing_tool()) is not None or origin_kind() != "nginx":
        print(missing or "nginx is not installed: there is nobody to compare with")
        return EXIT_USAGE
    try:
        rows = hits(chosen.runs, chosen.seconds)
    except (NotReady, RunFailed) as error:
        print(f"not measured: {error}")
        return EXIT_FAILED
    page = report(rows, savings(chosen.requests, chosen.clients))
    print(page)
    if chosen.write:
        _PAGE.write_text(page, encoding="utf-8")
    return EXIT_FINE


if __name__ == "__main__":
    sys.exit(main())
