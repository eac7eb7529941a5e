"""What a supervisor tells its workers; plain values, which travel over their channel."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from proxy.build import Marks
from proxy.server.models import Level
from proxy.server.sockets import CannotBind
from proxy.server.steering import Steering
from proxy.settings import Listener, Loaded, Problem


@dataclass(frozen=True, slots=True)
class Order:
    """What to serve.

    :ivar loaded: the configuration, accepted by the supervisor.
    :ivar sockets: how many sockets were handed over for each new listener, by its URL as it is written.
    :ivar share: how many workers there are: what is limited for the server is divided by it.
    :ivar marks: what the processes of one server have in common.
    :ivar leads: whether this worker probes targets for all of them.
    :ivar levels: of loggers, by name.
    :ivar cause: of a reload.
    :ivar steering: what operators asked for about targets.
    :ivar streams: questions whose answers go on, to be answered before a listener accepts, so that nothing is missed.
    """

    loaded: Loaded
    marks: Marks
    leads: bool
    sockets: tuple[tuple[str, int], ...] = ()
    share: int = 1
    levels: tuple[tuple[str, Level | None], ...] = ()
    cause: str = "start"
    steering: Steering = field(default_factory=dict)
    streams: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an order.

    :ivar problems: why it was refused, and what is doubtful.
    :ivar changes: what is different since, a line each.
    :ivar replies: to the order's streams.
    """

    ok: bool
    problems: tuple[Problem, ...] = ()
    changes: tuple[str, ...] = ()
    replies: tuple[Reply, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A request to the admin API, passed on to a worker."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """A worker's answer to a question.

    :ivar stream: when not 0, the body follows piece by piece under this number.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    stream: int = 0


class HandedOver:
    """The listening sockets that a worker was given, until its listeners take them.

    :param sock: over which they come.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._free: dict[str, list[socket.socket]] = {}

    def receive(self, announced: Iterable[tuple[str, int]]) -> None:
        """Take as many as were announced. Blocks for no longer than it takes to read what was sent already."""
        for url, count in announced:
            taken = []
            for _ in range(count):
                _, descriptors, _, _ = socket.recv_fds(self._sock, 1, 1)
                sock = socket.socket(fileno=descriptors[0])
                sock.setblocking(False)
                taken.append(sock)
            self._free[url] = taken

    def bind(self, said: Listener) -> list[socket.socket]:
        """The sockets for a listener. :raises CannotBind: when none were handed over."""
        found = self._free.pop(said.url, None)
        if not found:
            raise CannotBind(f"no socket was handed over for {said.url}")
        return found

    def close(self) -> None:
        """Close those that nobody took."""
        for sockets in self._free.values():
            for sock in sockets:
                sock.close()
        self._free.clear()
