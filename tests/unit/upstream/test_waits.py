"""The clocks beside an exchange's tries: the wait before one, the limit of one, and the deadline over all."""

from __future__ import annotations

import pytest

from tests.unit.frontend.stage import Holding, fetch, get, plays, staged, until
from tests.wire.client import Client
from tests.wire.origin import Wire

TWO = "http://127.0.0.1:{port}, http://localhost:{port}"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
FAILED = b"HTTP/1.1 503 Bad\r\nContent-Length: 3\r\n\r\nbad"


class Fails:
    """Answers its first requests by a 503."""

    def __init__(self, count: int) -> None:
        self.asked = 0
        self._count = count

    async def __call__(self, wire: Wire) -> bool:
        self.asked += 1
        await wire.send(FAILED if self.asked <= self._count else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True


# the wait before a try, and the limit of one


async def test_a_client_that_leaves_ends_the_wait_for_the_next_try() -> None:
    async with staged(upstream="retry: {attempts: 1, backoff: {base: 1h, max: 1h}}", targets=TWO) as stage:
        stage.script("/once", fails := Fails(9))
        async with Client(stage.port) as client:
            await client.send([get("/once")])
            await until(lambda: stage.upstream.pauses.open)
            assert stage.gateway.engine.active == 1
        await until(lambda: stage.gateway.engine.active == 0)
        assert (stage.upstream.pauses.open, fails.asked, stage.count(499)) == (0, 1, 1)


async def test_the_next_try_comes_after_the_wait() -> None:
    async with staged(upstream="retry: {attempts: 1, backoff: {base: 10s, max: 10s}}", targets=TWO) as stage:
        stage.script("/once", fails := Fails(1))
        async with Client(stage.port) as client:
            await client.send([get("/once")])
            await until(lambda: stage.upstream.pauses.open)
            assert fails.asked == 1
            stage.pass_time(10.0)
            assert (await client.answer()).status == 200
        assert fails.asked == 2


async def test_the_limit_of_a_try_does_not_cut_its_answer() -> None:
    async with staged(upstream="retry: {attempts: 1, per_try_timeout: 2s, hold: 0}") as stage:
        stage.script("/once", plays(HALF))
        async with Client(stage.port) as client:
            await client.send([get("/once")])
            await client.head()
            stage.pass_time(2.1)
            await stage.wires[0].send(b"-half")
            assert (await client.answer()).body == b"half-half"


# the deadline of an exchange


async def test_the_deadline_stands_over_all_tries() -> None:
    policy = "timeouts: {first_byte: 30s, total: 10s}, retry: {attempts: 3, per_try_timeout: 6s}"
    async with staged(upstream=policy, targets=TWO) as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as client:
            await client.send([get("/held")])
            await until(lambda: holding.asked)
            stage.pass_time(6.1)
            await until(lambda: holding.asked == 2)
            stage.pass_time(3.0)
            assert stage.gateway.engine.active == 1
            stage.pass_time(1.1)
            answer = await client.answer()
        assert (answer.status, b"deadline_passed" in answer.body, holding.asked) == (504, True, 2)
        holding.let_go(2)


async def test_the_deadline_cuts_an_answer_under_way() -> None:
    async with staged(upstream="timeouts: {total: 10s}") as stage:
        stage.script("/once", plays(HALF))
        async with Client(stage.port) as client:
            await client.send([get("/once")])
            await client.head()
            stage.pass_time(10.1)
            assert (await client.closed()).endswith(b"half")
        assert (stage.pool.open, stage.gateway.engine.active) == (0, 0)


async def test_the_deadline_ends_the_wait_for_a_connection() -> None:
    policy = "pool: {max_connections: 1, queue_timeout: 1m}, timeouts: {total: 10s}"
    async with staged(upstream=policy) as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as first, Client(stage.port) as second:
            await first.send([get("/held")])
            await until(lambda: holding.asked)
            await second.send([get("/once")])
            await until(lambda: stage.pool.queued)
            stage.pass_time(10.1)
            holding.let_go()
            assert [(await one.answer()).status for one in (first, second)] == [504, 504]
        assert stage.pool.queued == 0


async def test_a_wait_that_would_end_behind_the_deadline_is_not_begun() -> None:
    policy = "timeouts: {total: 1ms}, retry: {attempts: 1, backoff: {base: 10m, max: 10m}}"
    async with staged(upstream=policy) as stage:
        stage.script("/once", Fails(9))
        assert (await fetch(stage, get("/once"))).status == 503
        exposed = stage.gateway.metrics.exposition()[0].decode()
        assert 'passerelle_retries_total{cause="503",outcome="deadline",upstream="origin"} 1.0' in exposed


async def test_an_exchange_in_time_leaves_no_timer_behind() -> None:
    async with staged(upstream="timeouts: {total: 1h}, retry: {attempts: 1, per_try_timeout: 1h}") as stage:
        before = len(stage.gateway.runtime.wheel)
        for _ in range(5):
            assert (await fetch(stage, get("/"))).status == 200
        await until(lambda: stage.gateway.connections == 0)
        assert len(stage.gateway.runtime.wheel) <= before + 1  # the one idle connection's


# whose time it was


async def test_the_limit_of_a_try_is_counted_and_blamed() -> None:
    async with staged(upstream="retry: {attempts: 1, per_try_timeout: 2s}", targets=TWO) as stage:
        stage.script("/held", holding := Holding())
        async with Client(stage.port) as client:
            await client.send([get("/held")])
            await until(lambda: holding.asked == 1)
            stage.pass_time(2.1)
            await until(lambda: holding.asked == 2)
            stage.pass_time(2.1)
            assert (await client.answer()).status == 504
        assert stage.figure("errors_total", kind="upstream_timeout") == 2
        assert [target.condition.failures for target in stage.upstream.targets] == [1, 1]
        holding.let_go(2)


async def test_no_target_is_blamed_for_a_wait_in_the_queue() -> None:
    policy = "pool: {max_connections: 1, queue_timeout: 1m}, retry: {attempts: 0, per_try_timeout: 2s}"
    async with staged(upstream=policy) as stage:
        stage.script("/once", plays(HALF))
        async with Client(stage.port) as first, Client(stage.port) as second:
            await first.send([get("/once")])
            await first.head()
            await second.send([get("/queued")])
            await until(lambda: stage.pool.queued)
            stage.pass_time(2.1)
            assert (await second.answer()).status == 504
        (target,) = stage.upstream.targets
        assert (target.condition.failures, stage.figure("errors_total", kind="upstream_timeout")) == (0, 1)


@pytest.mark.parametrize("limit", ["timeouts: {total: 3s}, retry: false", "retry: {attempts: 0, per_try_timeout: 3s}"])
async def test_no_target_is_blamed_for_a_client_that_sends_slowly(limit: str) -> None:
    async with staged(upstream=limit) as stage, Client(stage.port) as client:
        await client.send([get("/sink", "Content-Length: 9", method="PUT"), b"slow"])
        await until(lambda: stage.wires and stage.wires[0].received)
        stage.pass_time(3.1)
        assert (await client.answer()).status == 504
        (target,) = stage.upstream.targets
        assert (target.condition.failures, target.condition.active, stage.pool.open) == (0, 0, 0)


async def test_no_target_is_blamed_for_a_client_that_reads_slowly() -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n" + b"x" * 30_000_000
    async with staged(upstream="timeouts: {total: 3s}") as stage, Client(stage.port) as client:
        stage.script("/large-one", plays(large))
        await client.send([get("/large-one")])
        await until(lambda: any(made._stopped for made in stage.gateway.runtime.connector._opened))
        stage.pass_time(3.1)
        await until(lambda: stage.pool.open == 0)
        (target,) = stage.upstream.targets
        assert target.condition.failures == 0


async def test_nobody_is_counted_at_a_target_while_an_exchange_waits_for_its_next_try() -> None:
    async with staged(upstream="retry: {attempts: 1, backoff: {base: 10s, max: 10s}}") as stage:
        stage.script("/once", Fails(1))
        async with Client(stage.port) as client:
            await client.send([get("/once")])
            await until(lambda: stage.upstream.pauses.open)
            (target,) = stage.upstream.targets
            assert target.condition.active == 0
            stage.pass_time(10.0)
            assert (await client.answer()).status == 200
        await until(lambda: stage.gateway.engine.active == 0)
        assert target.condition.active == 0
