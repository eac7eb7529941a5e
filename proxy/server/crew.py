"""Worker processes: started, watched, and started again when one dies.

A worker that dies takes only its own exchanges with it: the listening sockets are the supervisor's, so connections that
wait in them go to the others, and its successor takes over where it stood.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from proxy.clock import Clock
from proxy.server.channel import Channel, ChannelClosed, Refused

log = logging.getLogger("passerelle.workers")

_SOUND = 10.0  # seconds of life after which a death is taken for an accident, and repaired at once
_FIRST_PAUSE = 0.1  # seconds before a worker that dies at once is started again; doubles
_LONGEST_PAUSE = 30.0
_LAST_MOMENT = 2.0  # seconds between being cut off and being killed


class Member:
    """One worker process and the way to it.

    :ivar index: from 0; the successor of one that died has the same.
    :ivar channel: for requests.
    :ivar sockets: over which descriptors are handed to it.
    :ivar serving: whether it takes connections.
    """

    def __init__(
        self, index: int, process: asyncio.subprocess.Process, channel: Channel, sockets: socket.socket, began: float
    ) -> None:
        self.index = index
        self.process = process
        self.channel = channel
        self.sockets = sockets
        self.began = began
        self.serving = False

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def hand_over(self, sockets: Sequence[socket.socket]) -> None:
        """Give it descriptors; it takes as many as a request on the channel then tells it."""
        for sock in sockets:
            socket.send_fds(self.sockets, [b"s"], [sock.fileno()])

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it is gone."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once; its successor follows."""
        self.signal(signal.SIGKILL)

    async def let_go(self) -> None:
        """Close our side of it."""
        self.serving = False
        await self.channel.close()
        self.sockets.close()


Prepare: TypeAlias = Callable[[Member], Awaitable[None]]
Died: TypeAlias = Callable[[Member, int], None]


class Crew:
    """The workers of one supervisor.

    :param command: what a worker is started with; the numbers of its two descriptors follow it.
    :param prepare: makes a fresh process serve. :raises Refused: when it will not.
    :param died: told of a worker that ended unasked, with its exit code (negative: the signal).
    """

    def __init__(self, command: Sequence[str], count: int, clock: Clock, *, prepare: Prepare, died: Died) -> None:
        self._command = tuple(command)
        self._count = count
        self._clock = clock
        self._prepare = prepare
        self._died = died
        self._members: dict[int, Member] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._ending = False
        self._changed = asyncio.Event()
        self.restarts = 0

    @property
    def serving(self) -> list[Member]:
        """The workers that take connections now, by index."""
        return [member for _, member in sorted(self._members.items()) if member.serving]

    async def start(self) -> None:
        """Start the first, and when it serves the others.

        :raises Refused: when the first will not serve; nothing is left running then.
        """
        first = await self._launch(0)
        try:
            await self._make_serve(first)
        except (Refused, ChannelClosed, TimeoutError) as error:
            await self.kill()
            raise Refused(str(error) or "the worker did not come up in time") from error
        self._keepers.append(asyncio.create_task(self._keep(0, first)))
        self._keepers += [asyncio.create_task(self._keep(index, None)) for index in range(1, self._count)]
        await self._complete()

    async def ask(self, subject: str, content: Any = None, seconds: float = 10.0) -> list[Any]:
        """What every worker that serves answers; one that dies or refuses meanwhile is left out.

        :returns: in the order of the workers' indexes.
        """
        asked = [member.channel.ask(subject, content, seconds) for member in self.serving]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, ChannelClosed):
                log.warning("a worker did not answer %s: %s", subject, answer or type(answer).__name__)
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def drain(self, seconds: float) -> None:
        """Ask every worker to end gracefully, and kill what is left after so many seconds."""
        self._ending = True
        for member in list(self._members.values()):
            member.channel.tell("drain")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(member.process.wait() for member in self._members.values()))
        await self.kill()

    async def kill(self) -> None:
        """End every worker at once."""
        self._ending = True
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        members = list(self._members.values())
        self._members.clear()
        for member in members:
            await member.let_go()  # a worker without its supervisor ends
        for member in members:
            await self._reap(member)

    async def _complete(self) -> None:
        """Wait until all serve, or until one has shown that it will not soon."""
        while len(self.serving) < self._count and not self.restarts:
            self._changed.clear()
            await self._changed.wait()

    async def _keep(self, index: int, member: Member | None) -> None:
        """Have one worker of this index, for ever."""
        quick_deaths = 0
        while True:
            if member is None:
                member = await self._revive(index)
            code = await member.process.wait()
            served, member.serving = member.serving, False
            lived = self._clock.monotonic() - member.began
            await member.let_go()
            if self._ending:
                return
            self.restarts += 1
            self._changed.set()
            log.error("worker %d (pid %d) ended: %s", index, member.pid, reason(code))
            self._died(member, code)
            quick_deaths = 0 if served and lived >= _SOUND else quick_deaths + 1
            if quick_deaths > 1:
                await asyncio.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (quick_deaths - 2)))
            member = None

    async def _revive(self, index: int) -> Member:
        member = await self._launch(index)
        try:
            await self._make_serve(member)
        except (Refused, ChannelClosed, TimeoutError) as error:
            log.error("worker %d does not serve: %s", index, error or "it did not come up in time")
            await self._reap(member)
        return member

    async def _make_serve(self, member: Member) -> None:
        await self._prepare(member)
        member.serving = True
        self._changed.set()

    async def _launch(self, index: int) -> Member:
        ours, theirs = socket.socketpair()
        sockets, their_sockets = socket.socketpair()
        try:
            descriptors = theirs.fileno(), their_sockets.fileno()
            process = await asyncio.create_subprocess_exec(
                *self._command, *map(str, descriptors), pass_fds=descriptors, stdin=asyncio.subprocess.DEVNULL
            )
        except BaseException:
            ours.close()
            sockets.close()
            raise
        finally:
            theirs.close()
            their_sockets.close()
        channel = await Channel.over(ours, f"worker {index}")
        member = Member(index, process, channel, sockets, self._clock.monotonic())
        self._members[index] = member
        channel.listen()
        return member

    @staticmethod
    async def _reap(member: Member) -> None:
        """Make sure that a process is gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_MOMENT):
                await member.process.wait()
                return
        member.signal(signal.SIGKILL)
        await member.process.wait()


def reason(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
