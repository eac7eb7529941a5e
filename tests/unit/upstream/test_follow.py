"""Upstreams whose names' addresses change while requests come: nothing is lost, and what is gone is left."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Self

import pytest

from tests.unit.frontend.stage import Holding, Stage, fetch, get, staged, until
from tests.wire.client import Client
from tests.wire.origin import Origin

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


class Town:
    """Origins at three addresses on one port, and what DNS says of them."""

    def __init__(self, origins: Sequence[Origin]) -> None:
        self.origins = origins
        self.answer: Sequence[str] | None = HOSTS[:1]
        self.asked = 0

    async def lookup(self, host: str) -> Sequence[str]:
        self.asked += 1
        if self.answer is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self.answer

    @property
    def served(self) -> list[int]:
        """How many requests each has had."""
        return [len(origin.record.requests) for origin in self.origins]

    async def says(self, stage: Stage, *hosts: str) -> None:
        """DNS changes its mind, and the gateway notices."""
        self.answer, asked = hosts, self.asked
        stage.pass_time(10.1)
        await until(lambda: self.asked > asked)
        await asyncio.sleep(0)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        origins = [Origin(host) for host in HOSTS]
        port = 0
        for origin in origins:
            await origin.start(port)
            stack.push_async_callback(origin.stop)
            port = origin.port
        yield Town(origins)


def target(town: Town) -> str:
    return f"http://app.test:{town.origins[0].port}"


class TestTheFirstAddress:
    async def test_a_change_is_noticed_without_a_new_connection(self, town: Town) -> None:
        async with staged(targets=target(town), lookup=town.lookup) as stage:
            for _ in range(3):
                assert (await fetch(stage, get("/"))).status == 200
            assert (town.served, stage.pool.idle) == ([3, 0, 0], 1)
            await town.says(stage, HOSTS[1])
            await until(lambda: stage.pool.open == 0)
            assert stage.figure("connections_closed_total", reason="address_gone") == 1
            assert (await fetch(stage, get("/"))).status == 200
            assert town.served == [3, 1, 0]
            assert town.origins[1].record.requests[0].values("host") == ["example.test"]

    async def test_what_is_under_way_ends_where_it_began(self, town: Town) -> None:
        town.origins[0].scripts["/held"] = holding = Holding()
        async with staged(targets=target(town), lookup=town.lookup) as stage, Client(stage.port) as client:
            await client.send([get("/held")])
            await until(lambda: holding.asked)
            await town.says(stage, HOSTS[1])
            assert stage.pool.open == 1
            holding.let_go()
            assert (await client.answer()).body == b"held"
            await until(lambda: stage.pool.open == 0)
            assert (await fetch(stage, get("/"))).status == 200
            assert town.served == [1, 1, 0]

    async def test_an_address_that_stays_keeps_its_connections(self, town: Town) -> None:
        async with staged(targets=target(town), lookup=town.lookup) as stage:
            await fetch(stage, get("/"))
            await town.says(stage, HOSTS[1], HOSTS[0])
            assert stage.pool.idle == 1

    async def test_a_dead_first_address_is_passed_over(self, town: Town) -> None:
        """It does not even refuse: its backlog is full, so that nothing comes back (RFC 8305)."""
        town.answer = ("127.0.0.4", HOSTS[0])
        with socket.socket() as dead, AsyncSockets() as fillers:
            dead.bind(("127.0.0.4", town.origins[0].port))
            dead.listen(0)
            await fillers.fill(dead.getsockname())
            async with staged(targets=target(town), lookup=town.lookup) as stage:
                answer = await asyncio.wait_for(fetch(stage, get("/")), 3)
                assert (answer.status, town.served) == (200, [1, 0, 0])

    async def test_an_address_that_refuses_is_passed_over(self, town: Town) -> None:
        town.answer = ("127.0.0.5", HOSTS[0])
        async with staged(targets=target(town), lookup=town.lookup) as stage:
            assert (await fetch(stage, get("/"))).status == 200

    async def test_an_outage_of_dns_is_none_of_the_upstream(self, town: Town) -> None:
        async with staged(targets=target(town), lookup=town.lookup, upstream="pool: {max_requests: 1}") as stage:
            await fetch(stage, get("/"))
            town.answer = None
            for _ in range(5):
                stage.pass_time(20)
                assert (await fetch(stage, get("/"))).status == 200
            stage.pass_time(300)
            answer = await fetch(stage, get("/"))
            assert (answer.status, "error=dns_error" in answer.values("proxy-status")[0]) == (502, True)

    async def test_the_times_are_those_written(self, town: Town) -> None:
        top = "dns: {ttl: 2s, stale: 0s}"
        async with staged(targets=target(town), lookup=town.lookup, top=top) as stage:
            await until(lambda: town.asked)
            stage.pass_time(2.1)
            await until(lambda: town.asked == 2)
            resolver = stage.gateway.runtime.resolver
            assert (resolver.ttl, resolver.stale) == (2.0, 0.0)


class TestEveryAddress:
    async def test_each_is_an_endpoint(self, town: Town) -> None:
        town.answer = HOSTS[:2]
        async with staged(targets=target(town), lookup=town.lookup, upstream="resolve: all, host: upstream") as stage:
            await until(lambda: len(stage.upstream.endpoints) == 2)
            for _ in range(6):
                assert (await fetch(stage, get("/"))).status == 200
            assert town.served == [3, 3, 0]
            port = town.origins[0].port
            assert [str(one) for one in stage.upstream.endpoints] == [f"http://{host}:{port}" for host in HOSTS[:2]]
            assert town.origins[1].record.requests[0].values("host") == [f"app.test:{port}"]

    async def test_they_come_and_go(self, town: Town) -> None:
        """Those that stay keep their connections."""
        town.answer = HOSTS[:2]
        async with staged(targets=target(town), lookup=town.lookup, upstream="resolve: all") as stage:
            await until(lambda: len(stage.upstream.endpoints) == 2)
            for _ in range(4):
                await fetch(stage, get("/"))
            first, second = stage.upstream.endpoints
            await town.says(stage, HOSTS[1], HOSTS[2])
            await until(lambda: second in stage.upstream.endpoints and first not in stage.upstream.endpoints)
            assert (stage.pool.idle, stage.figure("connections_closed_total", reason="target_gone")) == (1, 1)
            for _ in range(4):
                assert (await fetch(stage, get("/"))).status == 200
            assert town.served == [2, 4, 2]
            assert [len(origin.record.wires) for origin in town.origins] == [1, 1, 1]

    async def test_one_that_goes_while_it_answers(self, town: Town) -> None:
        town.answer = HOSTS[:2]
        for origin in town.origins[:2]:
            origin.scripts["/held"] = Holding()
        async with AsyncExitStack() as stack:
            upstream = "resolve: all, pool: {max_connections: 2, queue_timeout: 60s}"
            stage = await stack.enter_async_context(staged(targets=target(town), lookup=town.lookup, upstream=upstream))
            await until(lambda: len(stage.upstream.endpoints) == 2)
            clients = [await stack.enter_async_context(Client(stage.port)) for _ in range(4)]
            for client in clients:
                await client.send([get("/held")])
            await until(lambda: stage.pool.queued == 2)
            await town.says(stage, HOSTS[1])
            await until(lambda: len(stage.upstream.endpoints) == 1)
            for origin in town.origins[:2]:
                script = origin.scripts["/held"]
                assert isinstance(script, Holding)
                script.let_go(4)
            assert [(await client.answer()).status for client in clients] == [200] * 4
            await until(lambda: stage.pool.open == stage.pool.idle)
            for wire in town.origins[0].record.wires:
                await asyncio.wait_for(wire.gone.wait(), 5)

    async def test_requests_before_the_first_answer_go_to_the_name(self, town: Town) -> None:
        gate = asyncio.Event()

        async def slow(host: str) -> Sequence[str]:
            await gate.wait()
            return HOSTS[:2]

        async with staged(targets=target(town), lookup=slow, upstream="resolve: all") as stage:
            async with Client(stage.port) as client:
                await client.send([get("/")])
                await until(lambda: stage.pool.open)
                gate.set()
                assert (await client.answer()).status == 200
            await until(lambda: len(stage.upstream.endpoints) == 2)

    async def test_no_request_is_lost_while_addresses_change(self, town: Town) -> None:
        answers = [HOSTS[:1], HOSTS[1:], HOSTS, HOSTS[2:], HOSTS[:2]]
        async with staged(targets=target(town), lookup=town.lookup, upstream="resolve: all") as stage:
            statuses: list[int] = []

            async def client() -> None:
                async with Client(stage.port) as one:
                    for _ in range(60):
                        await one.send([get("/")])
                        statuses.append((await one.answer()).status)

            clients = [asyncio.ensure_future(client()) for _ in range(4)]
            for step in range(1, 11):
                await until(lambda: len(statuses) >= step * 20)  # noqa: B023 (awaited in this turn)
                await town.says(stage, *answers[step % len(answers)])
            await asyncio.gather(*clients)
            assert statuses == [200] * 240
            assert all(town.served)

    async def test_following_ends_with_the_upstream(self, town: Town) -> None:
        async with staged(targets=target(town), lookup=town.lookup, upstream="resolve: all") as stage:
            await until(lambda: town.asked)
            await stage.upstream.close()
            asked = town.asked
            stage.pass_time(100)
            await asyncio.sleep(0)
            assert town.asked == asked


class AsyncSockets:
    """Connections that fill a backlog."""

    def __init__(self) -> None:
        self._made: list[socket.socket] = []

    async def fill(self, address: tuple[str, int]) -> None:
        """Connect until the system answers no more."""
        loop = asyncio.get_running_loop()
        for _ in range(8):
            one = socket.socket()
            one.setblocking(False)
            self._made.append(one)
            try:
                await asyncio.wait_for(loop.sock_connect(one, address), 0.1)
            except TimeoutError:
                return
        raise AssertionError("the backlog has no end")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._made:
            one.close()
