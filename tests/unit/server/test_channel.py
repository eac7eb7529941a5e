"""Requests and answers between two ends of a socket pair."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from proxy.server.channel import Channel, ChannelClosed, Refused


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Channel, Channel]]:
    one, other = socket.socketpair()
    ours, theirs = await Channel.over(one, "theirs"), await Channel.over(other, "ours")
    ours.listen()
    theirs.listen()
    yield ours, theirs
    await ours.close()
    await theirs.close()


async def test_a_request_is_answered(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends

    async def double(content: int) -> int:
        return content * 2

    theirs.on("double", double)
    assert await asyncio.gather(*(ours.ask("double", n) for n in range(50))) == [2 * n for n in range(50)]


async def test_objects_travel_as_they_are(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends

    async def same(content: object) -> object:
        return content

    theirs.on("same", same)
    assert await ours.ask("same", {"path": Path("a"), "large": b"x" * 3_000_000}) == {
        "path": Path("a"),
        "large": b"x" * 3_000_000,
    }


async def test_slow_answers_do_not_hold_up_others(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    released = asyncio.Event()

    async def slow(_: object) -> str:
        await released.wait()
        return "slow"

    async def quick(_: object) -> str:
        return "quick"

    theirs.on("slow", slow)
    theirs.on("quick", quick)
    waiting = asyncio.ensure_future(ours.ask("slow"))
    assert await ours.ask("quick") == "quick"
    assert not waiting.done()
    released.set()
    assert await waiting == "slow"


async def test_a_refusal_says_why(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends

    async def refuse(_: object) -> None:
        raise Refused("line 3: no such thing")

    theirs.on("reload", refuse)
    with pytest.raises(Refused, match="line 3: no such thing"):
        await ours.ask("reload")


async def test_a_handler_that_fails_is_a_refusal_and_is_logged(
    ends: tuple[Channel, Channel], caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = ends

    async def fail(_: object) -> None:
        raise KeyError("shop")

    theirs.on("fail", fail)
    with caplog.at_level(logging.ERROR), pytest.raises(Refused, match="KeyError"):
        await ours.ask("fail")
    assert "asked for fail, which failed" in caplog.text


async def test_an_unknown_subject_is_refused(ends: tuple[Channel, Channel]) -> None:
    with pytest.raises(Refused, match="does not know purge"):
        await ends[0].ask("purge")


async def test_no_answer_in_time(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends

    async def never(_: object) -> None:
        await asyncio.Event().wait()

    theirs.on("never", never)
    with pytest.raises(TimeoutError):
        await ours.ask("never", seconds=0.01)
    assert not ours._asked, "nothing is kept of it"


async def test_what_is_told_arrives(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    told: asyncio.Queue[str] = asyncio.Queue()
    theirs.on("news", told.put)
    ours.tell("news", "restart")
    assert await told.get() == "restart"


async def test_the_end_of_the_other_side_fails_what_was_asked(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    asked = asyncio.Event()

    async def never(_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    theirs.on("never", never)
    waiting = asyncio.ensure_future(ours.ask("never"))
    await asked.wait()
    await theirs.close()
    with pytest.raises(ChannelClosed, match="theirs is gone"):
        await waiting
    await ours.closed.wait()
    with pytest.raises(ChannelClosed):
        await ours.ask("never")
    ours.tell("never")  # lost, without an error


async def until_closed() -> int:
    """Tell something in every turn of the loop after the other end went; how often that was."""
    one, other = socket.socketpair()
    ours = await Channel.over(one, "theirs")
    ours.listen()
    other.close()
    turns = 0
    while not ours.closed.is_set():
        turns += 1
        ours.tell("news")
        await asyncio.sleep(0)
    await ours.close()
    return turns


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_what_is_told_while_the_end_is_only_just_noticed_is_lost_without_an_error(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Two workers die at once, and the supervisor tells each of them of the other's death."""
    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(until_closed()) > 1


async def test_a_frame_beyond_measure_ends_the_channel(caplog: pytest.LogCaptureFixture) -> None:
    one, other = socket.socketpair()
    ours = await Channel.over(one, "theirs")
    ours.listen()
    other.sendall(struct.pack("!I", 1 << 31))
    await ours.closed.wait()
    assert "sent a frame of 2147483648 bytes" in caplog.text
    other.close()
    await ours.close()
