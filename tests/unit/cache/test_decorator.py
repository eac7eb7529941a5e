from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.cache import Cache, NotStorable, Values, cached, close_caches
from proxy.cache.memory import Memory
from proxy.clock import ManualClock
from tests.unit.cache.nodes import Node, Server, become, nodes


class Work:
    """A function that waits to be told to end, and counts its calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.cancelled = 0
        self.go = asyncio.Event()
        self.result: Any = "result"

    async def __call__(self, argument: Any) -> Any:
        self.calls.append(argument)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def work() -> Work:
    return Work()


async def turns() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_was_returned_is_given_again_until_its_time_is_over() -> None:
    clock, codec, calls = ManualClock(), Values(), []
    cache: Cache[Any] = Cache(b"test", codec, Memory(1 << 20, clock, codec.size))

    @cached(prefix="api_result", ttl=3600, cache=cache)
    async def fetch(user: int, *, full: bool = False) -> list[int]:
        """Fetch."""
        calls.append(user)
        return [user, len(calls)]

    assert [await fetch(1), await fetch(user=1), await fetch(1, full=False)] == [[1, 1]] * 3
    assert await fetch(1, full=True) == [1, 2]
    clock.advance(3600)
    assert await fetch(1) == [1, 3]
    assert (vars(fetch)["__name__"], fetch.__doc__) == ("fetch", "Fetch.")


@pytest.mark.parametrize("result", [None, 0, False, "", [], ()])
async def test_nothing_is_a_result_too(work: Work, result: Any) -> None:
    @cached("p", 10)
    async def nothing() -> Any:
        return await work(1)

    work.go.set()
    work.result = result
    assert [await nothing(), await nothing()] == [result, result]
    assert len(work.calls) == 1


async def test_a_hundred_calls_at_once_are_one(work: Work) -> None:
    @cached("p", 10)
    async def fetch(number: int) -> Any:
        return await work(number)

    waiting = [asyncio.ensure_future(fetch(7)) for _ in range(100)]
    await turns()
    work.go.set()
    assert await asyncio.gather(*waiting) == ["result"] * 100
    assert work.calls == [7]
    stats = fetch.stats()
    assert (stats.misses, stats.joined, stats.hits) == (1, 99, 0)


async def test_who_is_cancelled_takes_nothing_from_the_others(work: Work) -> None:
    @cached("p", 10)
    async def fetch(number: int) -> Any:
        return await work(number)

    first, second = (asyncio.ensure_future(fetch(7)) for _ in range(2))
    await turns()
    first.cancel()
    await turns()
    work.go.set()
    assert await second == "result"
    assert (first.cancelled(), work.cancelled, len(work.calls)) == (True, 0, 1)


async def test_work_that_nobody_waits_for_is_cancelled(work: Work) -> None:
    @cached("p", 10)
    async def fetch(number: int) -> Any:
        return await work(number)

    waiting = [asyncio.ensure_future(fetch(7)) for _ in range(3)]
    await turns()
    for one in waiting:
        one.cancel()
    await turns()
    assert work.cancelled == 1
    work.go.set()
    assert await fetch(7) == "result"


async def test_an_error_reaches_all_and_is_not_kept(work: Work) -> None:
    @cached("p", 10)
    async def fetch(number: int) -> Any:
        return await work(number)

    work.result = ValueError("no")
    waiting = [asyncio.ensure_future(fetch(7)) for _ in range(3)]
    await turns()
    work.go.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(error) for error in found] == ["no"] * 3
    work.result = "fine"
    assert await fetch(7) == "fine"
    assert (len(work.calls), fetch.stats().errors) == (2, 1)


async def test_what_is_invalidated_is_made_anew(work: Work) -> None:
    @cached("p", 10)
    async def fetch(number: int) -> Any:
        return await work(number)

    work.go.set()
    await fetch(1)
    await fetch(2)
    assert [await fetch.invalidate(1), await fetch.invalidate(1), await fetch.invalidate(3)] == [True, False, False]
    await fetch(1)
    assert work.calls == [1, 2, 1]
    assert await fetch.invalidate_all() == 2


@pytest.mark.parametrize("all_of_them", [False, True])
async def test_what_is_under_way_when_it_is_invalidated_is_not_kept(work: Work, all_of_them: bool) -> None:
    @cached("p", 10)
    async def fetch(number: int) -> Any:
        return await work(number)

    before = asyncio.ensure_future(fetch(1))
    await turns()
    await (fetch.invalidate_all() if all_of_them else fetch.invalidate(1))
    after = asyncio.ensure_future(fetch(1))
    await turns()
    assert len(work.calls) == 2
    work.go.set()
    assert [await before, await after, await fetch(1)] == ["result"] * 3
    assert len(work.calls) == 2


async def test_methods_are_kept_for_each_instance() -> None:
    class Shop:
        def __init__(self, name: str) -> None:
            self.name = name
            self.calls = 0

        @cached("shop", 10)
        async def price(self, item: str) -> str:
            self.calls += 1
            return f"{item} at {self.name}"

        @classmethod
        async def other(cls) -> None:
            """Not cached."""

    one, two = Shop("one"), Shop("two")
    assert [await shop.price("tea") for shop in (one, two, one)] == ["tea at one", "tea at two", "tea at one"]
    assert await one.price.invalidate("tea")
    await one.price("tea")
    await two.price("tea")
    assert (one.calls, two.calls) == (2, 1)
    assert Shop.price.stats().misses == one.price.stats().misses == 3


async def test_functions_of_one_prefix_share_results_and_others_do_not() -> None:
    codec = Values()
    cache: Cache[Any] = Cache(b"test", codec, Memory(1 << 20, ManualClock(), codec.size))

    @cached("ab", 10, cache=cache)
    async def one(key: str) -> str:
        return "one"

    @cached("ab", 10, cache=cache)
    async def same(key: str) -> str:
        return "same"

    @cached("a", 10, cache=cache, tags=["t"])
    async def other(key: str) -> str:
        return "other"

    assert [await one("c"), await same("c"), await other("c"), await other("bc")] == ["one", "one", "other", "other"]
    assert await other.invalidate_all() == 2
    assert await one.cache.clear() == 1


async def test_only_async_functions_with_a_time_can_be_cached() -> None:
    with pytest.raises(TypeError, match="plain is not an async function"):

        @cached("p", 10)  # type: ignore[arg-type]  # what is tested
        def plain() -> int:
            return 1

    with pytest.raises(ValueError, match="above 0, not 0"):

        @cached("p", 0)
        async def timeless() -> int:
            return 1


@pytest.fixture
async def shared(empty: Server) -> AsyncIterator[list[Cache[Any]]]:
    """One cache of values on two gateways."""
    async with nodes(empty.url, 2) as made:
        yield [node.caches.lend("test", "values", Values()) for node in made]


async def test_gateways_share_results_and_only_one_does_the_work(shared: list[Cache[Any]], work: Work) -> None:
    def function(cache: Cache[Any]) -> Any:
        @cached("p", 60, cache=cache)
        async def fetch(number: int) -> Any:
            return await work(number)

        return fetch

    one, two = map(function, shared)
    work.result = {"rows": [(1, None)]}
    waiting = [asyncio.ensure_future(fetch(7)) for fetch in (one, two) * 20]
    await become(lambda: work.calls)
    await turns()
    work.go.set()
    assert await asyncio.gather(*waiting) == [{"rows": [(1, None)]}] * 40
    assert work.calls == [7]
    assert await two.invalidate(7)
    await become(lambda: shared[0].memory.stats.entries == 0)
    await one(7)
    assert work.calls == [7, 7]


async def test_a_failure_elsewhere_is_not_waited_for(shared: list[Cache[Any]], work: Work) -> None:
    @cached("p", 60, cache=shared[0])
    async def broken(number: int) -> Any:
        await work(number)
        raise ValueError("no")

    @cached("p", 60, cache=shared[1])
    async def sound(number: int) -> Any:
        return "fine"

    first = asyncio.ensure_future(broken(1))
    await become(lambda: work.calls)
    second = asyncio.ensure_future(sound(1))
    await turns()
    work.go.set()
    assert await second == "fine"
    with pytest.raises(ValueError, match="no"):
        await first


async def test_what_cannot_be_shared_is_named(shared: list[Cache[Any]]) -> None:
    @cached("p", 60, cache=shared[0])
    async def fetch() -> Any:
        return {"user": object()}

    for _ in range(2):
        with pytest.raises(NotStorable, match=r"\[0\]\['user'\] is a builtins.object, which cannot be stored"):
            await fetch()


async def test_a_program_without_a_gateway_shares_through_redis(empty: Server, node: Node) -> None:
    @cached("p", 60, redis=empty.url)
    async def fetch(number: int) -> int:
        return number + 1

    assert await fetch(1) == 2
    assert fetch.stats().levels.l2 is not None
    other = node.caches.lend("cached", fetch._prefix.decode(), Values())
    assert await other.purge_prefix(fetch._prefix, dry_run=True) == 1
    await close_caches()
    assert await fetch(1) == 2
    assert (fetch.stats().misses, fetch.stats().hits) == (1, 1)
    await close_caches()


async def test_a_plugin_gives_it_a_cache_of_the_gateway() -> None:
    codec = Values()
    cache: Cache[Any] = Cache(b"test", codec, Memory(1 << 20, ManualClock(), codec.size))

    @cached("p", 60)
    async def fetch() -> int:
        return 1

    fetch.use(cache)
    await fetch()
    assert cache.stats.l1.entries == 1
