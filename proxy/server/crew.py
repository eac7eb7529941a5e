"""Worker processes: started, watched, and started again when one dies.

A worker that dies takes only its own exchanges with it: the listening sockets are the supervisor's, so connections that
wait in them go to the others, and its successor takes over where it stood. Most of what a process needs to begin is the
loading of code, so one more is kept waiting that has done this already. A worker that lives but does nothing is found
by asking it every second.
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
from proxy.server.channel import Channel, ChannelClosed, Handler, Refused

log = logging.getLogger("passerelle.workers")

_SOUND = 10.0  # seconds of life after which a death is taken for an accident, and repaired at once
_FIRST_PAUSE = 0.1  # seconds before a worker that dies at once is started again; doubles
_LONGEST_PAUSE = 30.0
_LAST_MOMENT = 0.5  # seconds between being told to stop and being killed; see `run` for what a second signal waits
_LOOK_EVERY = 1.0  # seconds between two questions whether a worker lives
_SILENCE = 10  # questions without an answer after which it hangs; more than any sound plugin holds up its process


class Member:
    """One worker process and the way to it.

    :ivar index: from 0; the successor of one that died has the same.
    :ivar channel: for requests.
    :ivar sockets: over which descriptors are handed to it.
    :ivar began: when it was given its index.
    :ivar serving: whether it takes connections.
    :ivar holds: what it was told to serve last; None before that.
    :ivar urls: the listeners whose sockets it has.
    :ivar silent: how often it was asked for a sign of life since it gave one.
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
        self.holds: object = None
        self.urls: frozenset[str] = frozenset()
        self.silent = 0
        channel.on("pong", self._lives)

    async def _lives(self, _: object) -> None:
        self.silent = 0

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def hand_over(self, sockets: Sequence[socket.socket]) -> None:
        """Give it descriptors; it takes as many as a request on the channel then tells it.

        :raises OSError: when it is gone, or has taken none for long.
        """
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
    :param look_every: seconds between two questions whether a worker lives.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        clock: Clock,
        *,
        prepare: Prepare,
        died: Died,
        look_every: float = _LOOK_EVERY,
    ) -> None:
        self._command = tuple(command)
        self._count = count
        self._clock = clock
        self._prepare = prepare
        self._died = died
        self._members: dict[int, Member] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._look_every = look_every
        self._looking: asyncio.TimerHandle | None = None
        self._spare: Member | None = None  # loaded, and told nothing yet
        self._sparing: asyncio.Task[None] | None = None
        self._launching: set[asyncio.Task[Member]] = set()
        self._ending = False
        self._changed = asyncio.Event()
        self.restarts = 0

    @property
    def serving(self) -> list[Member]:
        """The workers that take connections now, by index."""
        return [member for _, member in sorted(self._members.items()) if member.serving]

    @property
    def lively(self) -> list[Member]:
        """Those that serve, and those last that have given no sign of life for a while."""
        return sorted(self.serving, key=lambda member: member.silent > 2)

    async def one(self) -> Member:
        """A worker that serves, as soon as there is one."""
        while not self.serving:
            self._changed.clear()
            await self._changed.wait()
        return self.lively[0]

    async def start(self) -> None:
        """Start the first, and when it serves the others.

        :raises Refused: when the first will not serve; nothing is left running then.
        """
        first = await self._assign(0)
        try:
            await self._make_serve(first)
        except (Refused, ChannelClosed, TimeoutError, OSError) as error:
            await self.kill()
            raise Refused(str(error) or "the worker did not come up in time") from error
        self._keepers.append(asyncio.create_task(self._keep(0, first)))
        self._keepers += [asyncio.create_task(self._keep(index, None)) for index in range(1, self._count)]
        await self._complete()
        self._look()
        self._have_spare()

    async def ask(self, subject: str, content: Any = None, seconds: float = 10.0) -> list[Any]:
        """What every worker that serves answers; one that dies or refuses meanwhile is left out.

        :returns: in the order of the workers' indexes.
        """
        return list((await self.answers(subject, content, seconds)).values())

    async def answers(self, subject: str, content: Any = None, seconds: float = 10.0) -> dict[Member, Any]:
        """As `ask`, with who has said it."""
        members = self.serving
        asked = [member.channel.ask(subject, content, seconds) for member in members]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, ChannelClosed):
                log.warning("a worker did not answer %s: %s", subject, answer or type(answer).__name__)
        found = zip(members, answers, strict=True)
        return {member: answer for member, answer in found if not isinstance(answer, BaseException)}

    def others(self, member: Member, subject: str) -> Handler:
        """Passes on what one worker tells, to all the others that serve."""

        async def tell(content: Any) -> None:
            for other in self.serving:
                if other is not member:
                    other.channel.tell(subject, content)

        return tell

    async def drain(self, seconds: float) -> None:
        """Ask every worker to end gracefully, and kill what is left after so many seconds."""
        self._ending = True
        members = self._all()
        for member in members:
            member.channel.tell("drain")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(member.process.wait() for member in members))
        await self.kill()

    async def kill(self) -> None:
        """End every worker at once."""
        self._ending = True
        if self._looking is not None:
            self._looking.cancel()
        tasks = [*self._keepers, *([] if self._sparing is None else [self._sparing])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        late = await asyncio.gather(*self._launching, return_exceptions=True)
        members = self._all() + [member for member in late if isinstance(member, Member)]
        self._members.clear()
        self._spare = None
        for member in members:
            member.channel.tell("stop")
        await asyncio.gather(*(self._reap(member) for member in members))
        for member in members:
            await member.let_go()

    def _all(self) -> list[Member]:
        return [*self._members.values(), *([] if self._spare is None else [self._spare])]

    async def _complete(self) -> None:
        """Wait until all serve, or until one has shown that it will not soon."""
        while len(self.serving) < self._count and not self.restarts:
            self._changed.clear()
            await self._changed.wait()

    def _look(self) -> None:
        """Ask every worker for a sign of life, and end those that have given none for long.

        Questions are counted, not seconds: when this process itself was stopped for a while nobody is to blame.
        """
        for member in [] if self._ending else self.serving:
            if member.silent >= _SILENCE:
                log.error("worker %d (pid %d) hangs, and is replaced", member.index, member.pid)
                member.kill()
            member.silent += 1
            member.channel.tell("ping")
        self._looking = asyncio.get_running_loop().call_later(self._look_every, self._look)

    async def _keep(self, index: int, member: Member | None) -> None:
        """Have one worker of this index, until all end."""
        quick_deaths = 0
        while not self._ending:
            lasted = False
            if member is None:
                member = await self._revive(index)
            if member is not None:
                lasted = await self._outlive(member)
                member = None
            self.restarts += 1
            self._changed.set()
            quick_deaths = 0 if lasted else quick_deaths + 1
            if quick_deaths > 1 and not self._ending:
                await asyncio.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (quick_deaths - 2)))

    async def _outlive(self, member: Member) -> bool:
        """Wait for a worker's end; tells whether it had served well."""
        code = await member.process.wait()
        served, member.serving = member.serving, False
        await member.let_go()
        if not self._ending:
            log.error("worker %d (pid %d) ended: %s", member.index, member.pid, reason(code))
            self._died(member, code)
        return served and self._clock.monotonic() - member.began >= _SOUND

    async def _revive(self, index: int) -> Member | None:
        """A worker that serves, or one that does not and has ended; None when there can be no process."""
        try:
            member = await self._assign(index)
        except OSError as error:
            log.error("worker %d cannot be started: %s", index, error)
            return None
        try:
            await self._make_serve(member)
        except Exception as error:  # whatever it is: the place must not stay empty, because nobody keeps it any more
            expected = isinstance(error, (Refused, ChannelClosed, TimeoutError, OSError))
            why = str(error) or "it did not come up in time"
            log.error("worker %d does not serve: %s", index, why, exc_info=None if expected else error)
            member.kill()
        self._have_spare()
        return member

    async def _assign(self, index: int) -> Member:
        """The process that waits, or a fresh one."""
        spare, self._spare = self._spare, None
        if spare is not None and spare.channel.closed.is_set():
            await spare.let_go()
            spare = None
        member = spare or await self._launch()
        member.index, member.began = index, self._clock.monotonic()
        member.channel.name = f"worker {index}"
        self._members[index] = member
        return member

    def _have_spare(self) -> None:
        """Let one more process load what it needs, beside what goes on."""
        if self._spare is None and not self._ending and (self._sparing is None or self._sparing.done()):
            self._sparing = asyncio.get_running_loop().create_task(self._load_spare())

    async def _load_spare(self) -> None:
        try:
            self._spare = await self._launch()
        except OSError as error:
            log.warning("no worker can be kept waiting: %s", error)

    async def _make_serve(self, member: Member) -> None:
        await self._prepare(member)
        member.serving = True
        self._changed.set()

    async def _launch(self) -> Member:
        """A fresh process. When this is broken off, the process is left to `kill`."""
        launching = asyncio.get_running_loop().create_task(self._launched())
        self._launching.add(launching)
        try:
            member = await asyncio.shield(launching)
        except OSError:
            self._launching.discard(launching)
            raise
        self._launching.discard(launching)
        return member

    async def _launched(self) -> Member:
        ours, theirs = socket.socketpair()
        sockets, their_sockets = socket.socketpair()
        sockets.setblocking(False)  # a worker that hangs must not hang its supervisor
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
        channel = await Channel.over(ours, "a worker")
        member = Member(-1, process, channel, sockets, self._clock.monotonic())
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
