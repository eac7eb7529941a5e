"""Accepting connections, as many as there is room for.

The servers of asyncio and uvloop accept whatever comes; they cannot be told to wait. Here the listening socket is
watched like any other and accepted from by hand: when the gateway is full nobody looks at it, so that new connections
wait in the kernel's backlog until others leave. A connection comes as a socket, so that something may be read from it
(the PROXY protocol) before TLS begins.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

from proxy.frontend.seldom import Seldom
from proxy.metrics import Metrics

log = logging.getLogger("passerelle.http")

BACKLOG: Final = (
    1024  # connections that the kernel holds for each listening socket; the system's own limit may be lower
)
_AT_ONCE = 16  # accepted in one turn of the loop, so that a flood does not keep those who are in
_PAUSE = 0.5  # seconds without accepting when the system has no more files or memory
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_WAITING = 24  # where tcp_info has `tcpi_unacked`, which for a listening socket is how many wait to be accepted


class Room:
    """How many connections there may be at once, over all listeners of a process.

    :param limit: connections.
    :ivar taken: how many there are, those counted that have not finished their TLS handshake.
    """

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self.limit = limit
        self.taken = 0
        self._waiting: dict[Acceptor, None] = {}
        self._acceptors: set[Acceptor] = set()
        self._accepted = metrics.counter("passerelle_connections_accepted_total", "Connections accepted.").child()
        self._reached = metrics.counter(
            "passerelle_connections_limit_reached_total", "How often limits.connections was reached."
        ).child()
        gauge = metrics.gauge
        gauge("passerelle_connections_open", "Connections from clients.", function=lambda: self.taken)
        gauge("passerelle_connections_limit", "limits.connections.", function=lambda: self.limit)
        gauge(
            "passerelle_connections_at_limit",
            "1 while connections are not accepted because there are as many as there may be.",
            function=lambda: float(self.full),
        )
        gauge(
            "passerelle_connections_waiting",
            "Connections in the kernel's backlog; 0 where the system does not tell.",
            function=lambda: sum(acceptor.waiting() for acceptor in self._acceptors),
        )
        self.failures = metrics.counter(
            "passerelle_accept_failures_total", "Times that the system could not accept.", ("reason",)
        )
        self._told = Seldom(log)

    def resize(self, limit: int) -> None:
        """Have another limit from now on. Nobody is sent away; over it nobody more is let in."""
        self.limit = limit
        self._resume()

    @property
    def full(self) -> bool:
        """Whether nobody more is let in."""
        return self.taken >= self.limit

    def take(self) -> None:
        """One more."""
        self.taken += 1
        self._accepted.value += 1
        if self.taken == self.limit:
            self._reached.value += 1
            self._told.tell("%d connections are open (limits.connections): new ones wait", self.limit)

    def leave(self) -> None:
        """One less: whoever waits may accept again."""
        self.taken -= 1
        self._resume()

    def _resume(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for acceptor in waiting:
                acceptor.resume()

    def wait(self, acceptor: Acceptor) -> None:
        """Have an acceptor resumed when somebody leaves."""
        self._waiting[acceptor] = None

    def add(self, acceptor: Acceptor) -> None:
        """An acceptor begins."""
        self._acceptors.add(acceptor)

    def remove(self, acceptor: Acceptor) -> None:
        """An acceptor ends."""
        self._acceptors.discard(acceptor)
        self._waiting.pop(acceptor, None)


class Acceptor:
    """Accepts from one listening socket, which it owns.

    :param sock: bound; not blocking.
    :param arrived: called with each connection's socket, which is still a blocking one; a place was taken for it in the
        room, and whoever takes the socket leaves the room when it is closed.
    """

    def __init__(self, sock: socket.socket, room: Room, arrived: Callable[[socket.socket], None]) -> None:
        self._sock = sock
        self._room = room
        self._arrived = arrived
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._burst = 1  # how many are tried in one turn: more only while there is a queue, since a vain try costs
        self._told = Seldom(log)

    def start(self) -> None:
        """Listen, and accept.

        :raises OSError: when the address is listened on already.
        """
        self._sock.listen(BACKLOG)
        self._room.add(self)
        self.resume()

    def resume(self) -> None:
        """Accept again."""
        if self._sock.fileno() >= 0:
            self._loop.add_reader(self._sock, self._readable)

    def close(self) -> None:
        """Close the listening socket; safe to call twice."""
        if self._retry is not None:
            self._retry.cancel()
        self._room.remove(self)
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def waiting(self) -> int:
        """How many connections wait to be accepted; 0 where the system does not tell."""
        option = getattr(socket, "TCP_INFO", None)
        if option is None or self._sock.family == getattr(socket, "AF_UNIX", None) or self._sock.fileno() < 0:
            return 0
        told = self._sock.getsockopt(socket.IPPROTO_TCP, option, _WAITING + 4)
        return int.from_bytes(told[_WAITING : _WAITING + 4], sys.byteorder)

    def _readable(self) -> None:
        """Somebody waits: take one, or a few where there is a queue."""
        room = self._room
        for _ in range(self._burst):
            if room.full:
                self._loop.remove_reader(self._sock)
                room.wait(self)
                return
            try:
                sock, _address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._burst = 1
                return
            except OSError as error:
                self._failed(error)
                return
            room.take()
            self._arrived(sock)
        self._burst = min(2 * self._burst, _AT_ONCE)

    def _failed(self, error: OSError) -> None:
        """Look away for a while: the socket stays readable, and asking again at once would only burn time."""
        self._room.failures.inc(errno.errorcode.get(error.errno or 0, "other"))
        remedy = "; raise its limit (ulimit -n), or lower limits.connections" if error.errno in _EXHAUSTED else ""
        self._told.tell("cannot accept a connection: %s%s", error.strerror or error, remedy, level=logging.ERROR)
        self._loop.remove_reader(self._sock)
        self._retry = self._loop.call_later(_PAUSE, self.resume)


class Steps:
    """Runs a coroutine that waits for a future or two, without the cost of a task.

    A connection that is set up waits once, for the next turn of the loop; a task for that would cost more than the
    rest of it.

    :param ended: called once, with the error or None.
    """

    __slots__ = ("_ended", "_future", "_over", "_work")

    def __init__(self, work: Coroutine[Any, Any, Any], ended: Callable[[BaseException | None], None]) -> None:
        self._work = work
        self._ended = ended
        self._future: asyncio.Future[Any] | None = None
        self._over = False

    def step(self, _: object = None) -> None:
        """Go on to where it waits next; the first call begins."""
        if self._over:  # it was broken off when this call was under way already
            return
        try:
            self._future = self._work.send(None)
        except StopIteration:
            self._ended(None)
        except (Exception, asyncio.CancelledError) as error:
            self._ended(error)
        else:
            self._future.add_done_callback(self.step)

    def cancel(self) -> None:
        """Break it off, so that it closes what it holds."""
        self._over = True
        if self._future is not None:
            self._future.remove_done_callback(self.step)
            self._future.add_done_callback(_unasked)
        self._work.close()
        self._ended(asyncio.CancelledError())


def _unasked(future: asyncio.Future[Any]) -> None:
    """What becomes of a future that nobody waits for any more: whatever it is, it is no news."""
    if not future.cancelled():
        future.exception()
