"""A Redis that is dead, hung, full, emptied or mad costs misses, and nothing else."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from proxy.cache import Cache, Purge
from proxy.cache.link import TIMEOUT
from proxy.cache.removal import ROOT
from proxy.clock import ManualClock
from tests.unit.cache.nodes import PATIENCE, Node, Server, become, mad_server, nodes

SLACK = 0.5  # seconds that a busy machine may add


@pytest.fixture
async def hasty(empty: Server) -> AsyncIterator[Node]:
    """A gateway with the patience that it has in earnest."""
    async with nodes(empty.url, timeout=TIMEOUT) as (made,):
        yield made


@pytest.fixture
def frail(tmp_path: Path) -> Server:
    """A server of the test's own, to be killed."""
    return Server(tmp_path)


def _redis(node: Node) -> str:
    return node.caches.redis


async def longest(calls: int, call: Callable[[int], Awaitable[object]]) -> float:
    """Seconds that the slowest of so many calls took, one after the other."""
    slowest = 0.0
    for number in range(calls):
        began = time.monotonic()
        await call(number)
        slowest = max(slowest, time.monotonic() - began)
    return slowest


async def test_killed_and_restarted_under_load(frail: Server) -> None:
    frail.start()
    async with nodes(frail.url, 2, timeout=TIMEOUT) as (one, two):
        over = asyncio.Event()
        done = 0

        async def load(cache: Cache[str], offset: int) -> float:
            nonlocal done
            slowest = 0.0
            while not over.is_set():
                key = f"{(done + offset) % 50}"
                began = time.monotonic()
                await cache.get(f"other {key}")
                cache.put(key, "v", ttl=60)
                await cache.get(key)
                slowest = max(slowest, time.monotonic() - began)
                done += 1
                await asyncio.sleep(0)
            return slowest

        clients = [asyncio.ensure_future(load(node.cache, offset)) for node in (one, two) for offset in range(5)]
        await become(lambda: done > 100)
        frail.kill()
        await one.listening(listening=False)
        at = done
        await become(lambda: done > at + 500)
        frail.start()
        await one.listening()
        await two.listening()
        over.set()
        assert max(await asyncio.gather(*clients)) < 3 * TIMEOUT + SLACK
        await become(lambda: {node.caches.redis for node in (one, two)} == {"up"})
        async with asyncio.timeout(PATIENCE):
            while await two.cache.get("after") != "v":  # a busy machine may take longer than is waited for
                await one.cache.set("after", "v", ttl=60)
    frail.kill()


async def test_hung_it_costs_a_few_timeouts_and_then_nothing(empty: Server, hasty: Node) -> None:
    cache = hasty.cache
    await cache.set("k", "v", ttl=60)
    empty.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert await longest(200, lambda number: cache.get(f"{number}")) < TIMEOUT + SLACK
        assert await cache.get("k") == "v"
        await longest(200, lambda number: cache.set(f"{number}", "v", ttl=60))
        assert time.monotonic() - began < 10 * TIMEOUT + 3 * SLACK
        assert cache.peek("199") == "v"
        assert _redis(hasty) == "down"
    finally:
        empty.signal(signal.SIGCONT)
    await become(lambda: _redis(hasty) == "up")


async def test_what_waits_for_a_hung_server_is_bounded(empty: Server, hasty: Node) -> None:
    assert hasty.caches.link is not None
    empty.signal(signal.SIGSTOP)
    try:
        for number in range(2500):
            hasty.cache.put(f"{number}", "v" * 20_000, ttl=60)
        assert hasty.caches.link._writer.waiting_bytes < 33 * 1024 * 1024
        await hasty.written()
    finally:
        empty.signal(signal.SIGCONT)
    assert hasty.cache.stats.l2 is not None
    assert hasty.cache.stats.l2.dropped > 500


async def test_full_it_is_still_read(frail: Server) -> None:
    frail.start(**{"maxmemory-policy": "noeviction"})
    async with nodes(frail.url, 2) as (one, two), frail.client() as client:
        await one.cache.set("before", "v", ttl=60)
        await client.config_set("maxmemory", "1")
        await one.cache.set("k", "v", ttl=60)
        assert one.cache.stats.l2 is not None
        assert one.cache.stats.l2.failures == 1
        assert (one.cache.peek("k"), await two.cache.get("k")) == ("v", None)
        assert await two.cache.get("before") == "v"
        assert one.caches.redis == "up"
    frail.kill()


async def test_emptied_it_is_filled_again(empty: Server, pair: list[Node]) -> None:
    one, two = (node.cache for node in pair)
    await one.set("k", "v", ttl=60, tags=["t"])
    async with empty.client() as client:
        await client.flushall()
    assert (await one.get("k"), await two.get("k"), await two.purge_tag("t")) == ("v", None, 0)
    await become(lambda: pair[0].caches.coherence.number == 1)
    await one.set("k", "new", ttl=60, tags=["t"])
    assert await two.get("k") == "new"
    assert await two.purge_tag("t") == 1
    await become(lambda: one.peek("k") is None, 0.5)


RUBBISH = {
    "a web server": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    "noise": bytes(range(256)) * 10,
    "yes to everything": b"+OK\r\n" * 20,
    "numbers": b":1\r\n" * 20,
    "lists": b"*2\r\n$1\r\na\r\n:5\r\n" * 20,
    "errors": b"-ERR no\r\n" * 20,
    "loading": b"-LOADING Redis is loading the dataset in memory\r\n" * 20,
    "a length without an end": b"$99999999999\r\nabc",
    "lists in lists": b"*1\r\n" * 5000,
    "nothing there": b"$-1\r\n" * 20,
    "silence": b"",
}


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=list(RUBBISH))
async def test_a_server_that_talks_rubbish(rubbish: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rubbish.sock"
    async with mad_server(path, rubbish):
        node = Node(f"unix://{path}", timeout=TIMEOUT)
        cache = node.cache
        try:
            await cache.set("k", "v", ttl=60, tags=["t"])
            assert cache.peek("k") == "v"
            assert await longest(20, lambda number: cache.get(f"{number}")) < TIMEOUT + SLACK
            assert await cache.get("none") is None
            assert await cache.lease("k", 1) in (True, False)
            assert await cache.purge_tag("t", dry_run=True) >= 1
            assert await cache.delete("k") is True
            assert await cache.clear() in (0, 1)
            assert cache.peek("k") is None
        finally:
            await node.close()


async def test_a_server_that_hangs_up(tmp_path: Path) -> None:
    path = tmp_path / "short.sock"
    async with mad_server(path, None):
        node = Node(f"unix://{path}", timeout=TIMEOUT)
        try:
            assert await longest(50, lambda number: node.cache.get(f"{number}")) < TIMEOUT + SLACK
            assert node.caches.redis == "down"
        finally:
            await node.close()


@pytest.mark.parametrize("how", ["garbage", "cut", "altered", "another's", "of a future version", "a list"])
async def test_an_entry_that_cannot_be_read_is_a_miss_and_told(how: str, empty: Server, pair: list[Node]) -> None:
    one, two = pair
    await one.cache.set("k", "value", ttl=60, tags=["t"])
    await one.cache.set("other", "another's", ttl=60)
    entry, other = (ROOT + one.cache.name + b"e" + key for key in (b"k", b"other"))
    async with empty.client() as client:
        data = await client.get(entry)
        assert isinstance(data, bytes)
        wrong = {
            "garbage": b"\xff" * 50,
            "cut": data[:-2],
            "altered": data[:-1] + b"X",
            "another's": await client.get(other),
            "of a future version": b"\x63" + data[1:],
        }
        await client.delete(entry)
        if how == "a list":
            await client.rpush(entry, b"x")
        else:
            await client.set(entry, wrong[how] or b"")
        assert await two.cache.get("k") is None
    assert two.cache.stats.l2 is not None
    if how == "a list":
        assert two.cache.stats.l2.failures == 1
    else:
        assert [(title, key) for title, key, _ in two.corrupt] == [("test/texts", b"k")]
        assert two.cache.stats.l2.corrupt == 1


@pytest.mark.parametrize("how", ["key", "tag", "soft", "prefix"])
async def test_a_purge_that_redis_was_not_told_of_is_made_up_for(how: str, empty: Server) -> None:
    async with nodes(empty.url, 2, timeout=5 * TIMEOUT) as (one, two):
        for node in (one, two):
            await node.cache.set("k", "old", ttl=60, tags=["t"])
        assert await two.cache.get("k") == "old"
        purge: dict[str, Callable[[], Awaitable[object]]] = {
            "key": lambda: one.cache.delete("k"),
            "tag": lambda: one.cache.purge_tag("t"),
            "soft": lambda: one.cache.purge_tag("t", soft=True),
            "prefix": lambda: one.cache.purge_prefix("k"),
        }
        empty.signal(signal.SIGSTOP)
        try:
            await purge[how]()
            assert one.caches.coherence.owed
            assert one.cache.peek("k") is None
        finally:
            empty.signal(signal.SIGCONT)
        while one.caches.coherence.owed:
            assert await one.cache.get("k") is None
            await asyncio.sleep(0)
        await become(lambda: two.cache.peek("k") is None)
        assert await two.cache.get("k") is None


async def test_too_many_owed_purges_become_one_of_everything(node: Node) -> None:
    await node.cache.set("bystander", "v", ttl=60)
    for number in range(1001):
        node.caches.coherence.owe(Purge(node.cache.name, "key", b"%d" % number))
    assert len(node.caches.coherence.owed) == 2
    async with asyncio.timeout(5):
        while node.caches.coherence.owed:
            await asyncio.sleep(0.01)
    node.cache.memory.distrust()
    assert await node.cache.get("bystander") is None


async def test_who_missed_notices_trusts_nothing_from_before(empty: Server, pair: list[Node]) -> None:
    one, two = pair
    await one.cache.set("k", "old", ttl=60)
    await two.cache.get("k")
    async with empty.client() as client:
        await client.client_kill_filter(_type="pubsub", skipme=False)
        await two.listening(listening=False)
        await two.listening()
        await client.set(ROOT + one.cache.name + b"ek", b"", px=1)  # as if purged while nobody heard
        assert two.cache.peek("k") is None
        while await client.exists(ROOT + one.cache.name + b"ek"):
            pass
    assert await two.cache.get("k") is None


async def test_a_copy_is_read_again_after_a_while_even_if_nothing_was_heard(empty: Server) -> None:
    clock = ManualClock()
    async with nodes(empty.url, clock=clock, trust=30.0) as (node,):
        await node.cache.set("k", "v", ttl=600)
        clock.advance(29)
        assert node.cache.peek("k") == "v"
        clock.advance(2)
        assert node.cache.peek("k") is None
        assert await node.cache.get("k") == "v"
        assert node.cache.peek("k") == "v"


async def test_at_the_end_what_was_put_is_still_written(empty: Server, pair: list[Node]) -> None:
    one, two = pair
    for number in range(500):
        one.cache.put(f"{number}", "v", ttl=60)
    await one.close()
    assert [await two.cache.get(f"{number}") for number in (0, 499)] == ["v", "v"]
