"""Accepting by hand: no more than there is room for, a few at once, and no spinning when the system has no more."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from itertools import pairwise

import pytest

from proxy.frontend import accept
from proxy.frontend.accept import Acceptor, Room, Steps
from proxy.metrics import Metrics
from proxy.server.sockets import bind
from tests.unit.frontend.stage import Stage, get, staged, until
from tests.wire.client import Client


class Door:
    """An acceptor, what it accepted, and what it counts."""

    def __init__(self, limit: int) -> None:
        (self.sock,) = bind("127.0.0.1", 0)
        self.address = self.sock.getsockname()
        self.metrics = Metrics()
        self.room = Room(limit, self.metrics)
        self.inside: list[socket.socket] = []
        self.acceptor = Acceptor(self.sock, self.room, self.inside.append)

    def figure(self, name: str) -> float:
        lines = self.metrics.exposition()[0].decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"passerelle_{name}"))

    def show_out(self) -> None:
        self.inside.pop(0).close()
        self.room.leave()


@asynccontextmanager
async def door(limit: int) -> AsyncIterator[Door]:
    made = Door(limit)
    made.acceptor.start()
    try:
        yield made
    finally:
        made.acceptor.close()
        for sock in made.inside:
            sock.close()


def knock(at: Door, stack: ExitStack, count: int = 1) -> None:
    for _ in range(count):
        stack.enter_context(socket.create_connection(at.address, 5))


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_over_the_limit_they_wait_and_come_in_when_others_leave(run: Callable[..., None]) -> None:
    async def work() -> None:
        async with door(2) as at:
            with ExitStack() as stack:
                knock(at, stack, 5)
                await until(lambda: at.room.full)
                await turns()
                assert (len(at.inside), at.figure("connections_at_limit")) == (2, 1)
                assert at.figure("connections_open") == 2
                assert at.figure("connections_limit_reached_total") == 1
                if sys.platform == "linux":
                    assert at.figure("connections_waiting") == 3
                at.show_out()
                at.show_out()
                await until(lambda: len(at.inside) == 2)
                at.show_out()
                await until(lambda: at.figure("connections_accepted_total") == 5)
                at.show_out()
                assert at.figure("connections_at_limit") == 0
                assert at.figure("connections_waiting") == 0
                assert at.figure("connections_limit_reached_total") == 3

    run(work())


def test_a_full_room_costs_nothing(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Acceptor] = []
    original = Acceptor._readable

    def look(acceptor: Acceptor) -> None:
        looked.append(acceptor)
        original(acceptor)

    monkeypatch.setattr(Acceptor, "_readable", look)

    async def work() -> None:
        async with door(1) as at:
            with ExitStack() as stack:
                knock(at, stack, 4)
                await until(lambda: at.room.full)
                await turns()
                before = len(looked)
                await turns(200)
                assert len(looked) == before

    run(work())


def test_a_flood_is_taken_in_a_few_at_once(run: Callable[..., None]) -> None:
    async def work() -> None:
        made = Door(1000)
        made.sock.listen(200)
        with ExitStack() as stack:
            knock(made, stack, 150)
            made.acceptor.start()
            seen = [0]
            while seen[-1] < 150:
                await asyncio.sleep(0)
                seen.append(len(made.inside))
            assert max(after - before for before, after in pairwise(seen)) <= 16
            made.acceptor.close()
            for sock in made.inside:
                sock.close()

    run(work())


@contextmanager
def no_more_files() -> Iterator[None]:
    """The process cannot open another file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_files_it_looks_away_for_a_while(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accept, "_PAUSE", 0.05)

    async def work() -> None:
        async with door(10) as at:
            with ExitStack() as stack:
                knock(at, stack, 3)
                with no_more_files():
                    await until(lambda: at.acceptor._retry is not None)
                    await turns(200)  # within the pause, unless a turn takes 0.25 ms
                failures = at.figure('accept_failures_total{reason="EMFILE"}')
                assert 1 <= failures <= 3
                await until(lambda: len(at.inside) == 3)
        told = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len(told) == 1
        assert "ulimit -n" in told[0].getMessage()

    run(work())


def test_closing_twice_and_resuming_after_it_is_harmless(run: Callable[..., None]) -> None:
    async def work() -> None:
        async with door(1) as at:
            at.acceptor.close()
            at.acceptor.close()
            at.acceptor.resume()
            assert at.acceptor.waiting() == 0

    run(work())


# a coroutine without a task


async def waits(first: Awaitable[int], second: Awaitable[int], told: list[int]) -> None:
    told.append(await first)
    told.append(await second)


async def test_steps_go_on_with_each_future() -> None:
    one, two = (asyncio.get_running_loop().create_future() for _ in range(2))
    told: list[int] = []
    ended: list[BaseException | None] = []
    Steps(waits(one, two, told), ended.append).step()
    one.set_result(1)
    await turns(3)
    assert (told, ended) == ([1], [])
    two.set_result(2)
    await turns(3)
    assert (told, ended) == ([1, 2], [None])


async def test_steps_end_with_the_error() -> None:
    one, two = (asyncio.get_running_loop().create_future() for _ in range(2))
    ended: list[BaseException | None] = []
    Steps(waits(one, two, []), ended.append).step()
    one.set_exception(ConnectionResetError("gone"))
    await turns(3)
    assert [type(error) for error in ended] == [ConnectionResetError]


async def test_steps_that_are_broken_off_end_once() -> None:
    one, two = (asyncio.get_running_loop().create_future() for _ in range(2))
    ended: list[BaseException | None] = []
    steps = Steps(waits(one, two, []), ended.append)
    steps.step()
    steps.cancel()
    one.set_result(1)
    await turns(3)
    assert [type(error) for error in ended] == [asyncio.CancelledError]


async def test_steps_that_are_broken_off_when_they_were_to_go_on_end_once(caplog: pytest.LogCaptureFixture) -> None:
    one, two = (asyncio.get_running_loop().create_future() for _ in range(2))
    ended: list[BaseException | None] = []
    steps = Steps(waits(one, two, []), ended.append)
    steps.step()
    one.set_exception(ConnectionResetError("gone"))  # the next step is due in the next turn of the loop
    steps.cancel()
    await turns(3)
    assert [type(error) for error in ended] == [asyncio.CancelledError]
    del steps, one
    gc.collect()
    assert caplog.text == "", "an error that nobody waits for is no news"


# a whole gateway


async def answered(client: Client) -> int:
    await client.send([get("/fixed")])
    return (await client.answer()).status


def test_a_gateway_that_is_full_serves_the_next_when_one_leaves(run: Callable[..., None]) -> None:
    async def work() -> None:
        async with staged(top="limits: {connections: 2}") as stage:
            async with Client(stage.port) as first, Client(stage.port) as second:
                assert [await answered(first), await answered(second)] == [200, 200]
                async with Client(stage.port) as third:
                    waiting = asyncio.create_task(answered(third))
                    await turns(50)
                    assert (len(stage.listener), waiting.done()) == (2, False)
                    await first.__aexit__(None, None, None)
                    assert await waiting == 200
            await until(lambda: len(stage.listener) == 0)
            assert room(stage).taken == 0

    run(work())


def test_the_limit_is_for_all_listeners_together(run: Callable[..., None]) -> None:
    async def work() -> None:
        async with staged(top="limits: {connections: 1}", listen="http://127.0.0.1:0, http://127.0.0.1:0") as stage:
            ports = [int(url.rpartition(":")[2]) for url in stage.gateway.urls]
            async with Client(ports[0]) as first:
                assert await answered(first) == 200
                async with Client(ports[1]) as other:
                    waiting = asyncio.create_task(answered(other))
                    await turns(50)
                    assert not waiting.done()
                    await first.__aexit__(None, None, None)
                    assert await waiting == 200

    run(work())


def room(stage: Stage) -> Room:
    return stage.gateway._room
