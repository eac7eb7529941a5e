"""Worker processes: real ones, of a few lines."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from proxy.clock import Clock
from proxy.server.channel import Refused
from proxy.server.crew import Crew, Member, cores

# Answers `pid`, takes a descriptor for `address`, ends at `drain` or when its supervisor is gone.
WORKER = """
import asyncio, os, socket, sys
from proxy.server.channel import Channel

async def main():
    channel = await Channel.over(socket.socket(fileno=int(sys.argv[1])), "supervisor")
    handed = socket.socket(fileno=int(sys.argv[2]))
    over = asyncio.Event()

    async def pid(_): return os.getpid()
    async def drain(_): over.set()
    async def stop(_): over.set()
    async def ping(_): channel.tell('pong')
    async def die(code): os._exit(code)
    told = []
    async def heard(what): told.append(what)
    async def hearsay(_): return told
    async def tell(what): channel.tell('news', what)
    async def address(_):
        _, (fd,), _, _ = socket.recv_fds(handed, 1, 1)
        with socket.socket(fileno=fd) as sock:
            return sock.getsockname()

    for handler in (pid, drain, stop, ping, die, address, heard, hearsay, tell):
        channel.on(handler.__name__, handler)
    channel.listen()
    done, _ = await asyncio.wait([asyncio.ensure_future(channel.closed.wait()), asyncio.ensure_future(over.wait())],
                                 return_when=asyncio.FIRST_COMPLETED)

asyncio.run(main())
"""
COMMAND = (sys.executable, "-c", WORKER)
Make = Callable[..., Crew]


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])  # where `-c` finds the package


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Crew] = []

    def crew(
        count: int = 2,
        prepare: Callable[[Member], Awaitable[None]] | None = None,
        died: Callable[[Member, int], None] = lambda _member, _code: None,
        command: tuple[str, ...] = COMMAND,
        look_every: float = 1.0,
    ) -> Crew:
        async def answers(member: Member) -> None:
            await member.channel.ask("pid")

        made.append(Crew(command, count, Clock(), prepare=prepare or answers, died=died, look_every=look_every))
        return made[-1]

    yield crew
    for one in made:
        await one.kill()


async def test_what_one_worker_tells_reaches_all_the_others(make: Make) -> None:
    async def prepare(member: Member) -> None:
        member.channel.on("news", crew.others(member, "heard"))

    crew = make(3, prepare)
    await crew.start()
    await crew.serving[1].channel.ask("tell", "it rains")
    async with asyncio.timeout(5):
        while await crew.ask("hearsay") != [["it rains"], [], ["it rains"]]:
            pass


async def test_every_worker_is_asked(make: Make) -> None:
    crew = make(3)
    await crew.start()
    pids = await crew.ask("pid")
    assert pids == [member.pid for member in crew.serving]
    assert len(set(pids)) == 3
    assert os.getpid() not in pids


async def test_one_that_is_killed_has_a_successor(make: Make) -> None:
    deaths: list[tuple[int, int]] = []
    crew = make(died=lambda member, code: deaths.append((member.index, code)))
    await crew.start()
    victim = crew.serving[1]
    victim.signal(signal.SIGKILL)
    await victim.channel.closed.wait()
    while len(crew.serving) < 2 or crew.serving[1] is victim:
        await asyncio.sleep(0)
    assert deaths == [(1, -signal.SIGKILL)]
    assert crew.restarts == 1
    assert victim.pid not in await crew.ask("pid")


async def test_a_place_is_kept_whatever_befalls_its_successor(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    prepared: list[Member] = []

    async def prepare(member: Member) -> None:
        prepared.append(member)
        if len(prepared) == 3:
            raise RuntimeError("what nobody has thought of")

    crew = make(prepare=prepare)
    await crew.start()
    async with asyncio.timeout(60):
        while len(crew.serving) < 2:
            await asyncio.sleep(0)
        crew.serving[1].signal(signal.SIGKILL)
        while len(prepared) < 4 or len(crew.serving) < 2:
            await asyncio.sleep(0)
    assert "worker 1 does not serve: what nobody has thought of" in caplog.text
    assert "RuntimeError" in caplog.text


async def test_one_that_dies_while_asked_is_left_out(make: Make) -> None:
    crew = make()
    await crew.start()
    assert await crew.ask("die", 3) == []


async def test_a_worker_that_refuses_is_left_out(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    crew = make()
    await crew.start()
    assert await crew.ask("purge") == []
    assert "a worker did not answer purge: it does not know purge" in caplog.text


async def test_the_first_tells_that_nothing_will_serve(make: Make) -> None:
    async def refuse(member: Member) -> None:
        raise Refused("the plugin x does not start")

    crew = make(prepare=refuse)
    with pytest.raises(Refused, match="the plugin x does not start"):
        await crew.start()
    assert crew.serving == []


async def test_a_program_that_ends_at_once_is_a_refusal(make: Make) -> None:
    crew = make(command=(sys.executable, "-c", "raise SystemExit(7)"))
    with pytest.raises(Refused, match="worker 0 is gone"):
        await crew.start()


async def test_quick_deaths_are_answered_ever_more_slowly(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    enough = asyncio.Event()
    wait = asyncio.sleep

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) >= 4:
            enough.set()
            await asyncio.Event().wait()
        await wait(0)

    async def first_only(member: Member) -> None:
        if member.index:
            raise Refused("out of luck")
        await member.channel.ask("pid")

    crew = make(prepare=first_only)
    monkeypatch.setattr("proxy.server.crew.asyncio.sleep", note)
    await crew.start()
    await enough.wait()
    assert pauses == [0.1, 0.2, 0.4, 0.8]
    assert "worker 1 does not serve: out of luck" in caplog.text
    assert [member.index for member in crew.serving] == [0], "the other goes on"


async def test_descriptors_are_handed_over(make: Make) -> None:
    crew = make(1)
    await crew.start()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        crew.serving[0].hand_over([sock])
        assert await crew.ask("address") == [sock.getsockname()]


async def test_draining_ends_them_without_a_successor(make: Make) -> None:
    deaths: list[int] = []
    crew = make(died=lambda member, _code: deaths.append(member.index))
    await crew.start()
    members = crew.serving
    await crew.drain(10)
    assert [member.process.returncode for member in members] == [0, 0]
    assert deaths == []


async def test_a_worker_that_does_not_drain_is_killed(make: Make) -> None:
    crew = make(1)
    await crew.start()
    member = crew.serving[0]
    member.signal(signal.SIGSTOP)
    await crew.drain(0.05)
    assert member.process.returncode == -signal.SIGKILL


async def test_one_that_hangs_is_replaced(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    crew = make(look_every=0.05)
    await crew.start()
    victim, other = crew.serving
    victim.signal(signal.SIGSTOP)
    await victim.channel.closed.wait()
    assert f"worker 0 (pid {victim.pid}) hangs" in caplog.text
    while len(crew.serving) < 2:
        await asyncio.sleep(0)
    assert crew.serving[1] is other, "one that gives signs of life is left alone"


async def test_a_pause_of_the_supervisor_is_not_held_against_workers(make: Make) -> None:
    crew = make(look_every=0.02)
    await crew.start()
    before = crew.serving
    for _ in range(3):
        time.sleep(0.4)
        await asyncio.sleep(0.02)
    assert crew.serving == before


async def test_a_successor_is_loaded_in_advance(make: Make) -> None:
    crew = make(1)
    await crew.start()
    while crew._spare is None:
        await asyncio.sleep(0)
    spare, victim = crew._spare, crew.serving[0]
    victim.kill()
    await victim.channel.closed.wait()
    while not crew.serving or crew.serving[0] is victim:
        await asyncio.sleep(0)
    assert crew.serving == [spare]
    assert (spare.index, spare.channel.name) == (0, "worker 0")


async def test_a_preparation_that_breaks_in_the_middle_is_made_again(make: Make) -> None:
    tried: list[int] = []

    async def prepare(member: Member) -> None:
        tried.append(member.index)
        if len(tried) == 2:
            raise BrokenPipeError
        await member.channel.ask("pid")

    crew = make(prepare=prepare)
    await crew.start()
    while len(crew.serving) < 2:
        await asyncio.sleep(0)
    assert tried == [0, 1, 1]


async def test_workers_end_with_their_supervisor(make: Make) -> None:
    crew = make(1)
    await crew.start()
    member = crew.serving[0]
    await crew.kill()
    assert member.process.returncode == 0, "it ended by itself"


def test_cores() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
