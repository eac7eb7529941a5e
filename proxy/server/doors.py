"""The listeners of a gateway, and how they change while it serves.

New addresses are bound before anything else is changed, so that one that is taken refuses the reload. A listener whose
settings are as they were stays, with its connections; one that is gone stops accepting, and its connections end after
the exchange under way.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from proxy.frontend.listener import Listener
from proxy.server.sockets import CannotBind, bind, url_of
from proxy.settings import Listener as ListenerSettings
from proxy.settings import ListenerTls

if TYPE_CHECKING:
    from proxy.frontend.tls import Certificates

Known: TypeAlias = "Mapping[ListenerTls, Certificates]"  # what was made of the files that are written there
_BACKLOG = 1024
_LOOK_EVERY = 0.05  # seconds, while connections of a listener that was removed end


Bind: TypeAlias = Callable[[ListenerSettings], list[socket.socket]]


def bind_listener(said: ListenerSettings) -> list[socket.socket]:
    """Sockets of this process's own. :raises CannotBind: when the address is taken or not ours."""
    return bind(said.host, said.port)


@dataclass(slots=True, eq=False)
class Door:
    """One listener.

    :ivar said: its settings.
    :ivar sockets: what it accepts on: one for each address that its name stands for.
    """

    said: ListenerSettings
    listener: Listener
    sockets: Sequence[socket.socket]


class Change:
    """Another set of listeners, bound and not accepting yet.

    :ivar doors: all of them, in the order of the file.
    :ivar added: those that are new.
    :ivar removed: those that will be no more.
    """

    def __init__(self, doors: Sequence[Door], added: Sequence[Door], removed: Sequence[Door]) -> None:
        self.doors = tuple(doors)
        self.added = tuple(added)
        self.removed = tuple(removed)

    async def open(self) -> None:
        """Accept on the new ones."""
        for door in self.added:
            await door.listener.start(door.sockets)

    def undo(self) -> None:
        """Close the new ones again."""
        for door in self.added:
            _shut(door)


class Doors:
    """The listeners that there are.

    :param make: makes the listener for a URL.
    :param bind: gives the sockets for one, not listening yet or listening already.
    """

    def __init__(
        self,
        make: Callable[[str, ListenerSettings, Certificates | None], Listener],
        bind: Bind = bind_listener,
    ) -> None:
        self._bind = bind
        self._make = make
        self._doors: tuple[Door, ...] = ()
        self._closing: dict[Door, asyncio.Task[None]] = {}

    @property
    def listeners(self) -> list[Listener]:
        """Those that accept, in the order of the file."""
        return [door.listener for door in self._doors]

    @property
    def connections(self) -> int:
        """Client connections open now, those of removed listeners included."""
        return sum(len(door.listener) for door in (*self._doors, *self._closing))

    def prepare(self, wanted: Sequence[ListenerSettings], known: Known) -> Change:
        """Bind what is not bound yet. Port 0 stands for the port that it was given before.

        :param known: certificates for new listeners.
        :raises CannotBind: with the index of what cannot be had; nothing is changed then.
        """
        left = list(self._doors)
        kept = [_take(left, said) for said in wanted]
        ending = list(left)
        doors: list[Door] = []
        added: list[Door] = []
        try:
            for index, (said, found) in enumerate(zip(wanted, kept, strict=True)):
                door = found or self._bound(index, said, ending, known)
                doors.append(door)
                if found is None:
                    added.append(door)
        except CannotBind:
            for door in added:
                _shut(door)
            raise
        return Change(doors, added, left)

    def commit(self, change: Change, patience: float) -> None:
        """Go over to another set of listeners, which is open already.

        :param patience: seconds for what is under way on those that are no more.
        """
        self._doors = change.doors
        for door in change.removed:
            door.listener.stop_accepting()
            door.listener.drain()
            self._closing[door] = asyncio.get_running_loop().create_task(self._emptied(door, patience))

    def secure(self, known: Known) -> None:
        """Use certificates as they were read last, for new connections."""
        for door in self._doors:
            if door.said.tls is not None:
                door.listener.secure(known[door.said.tls])

    def hold(self, held: bool) -> None:
        """Have new requests wait, or go on, those on removed listeners included."""
        for door in (*self._doors, *self._closing):
            door.listener.hold(held)

    def drain(self) -> None:
        """Accept nobody any more; connections end after the exchange under way."""
        for door in self._doors:
            door.listener.stop_accepting()
            door.listener.drain()

    async def abort(self) -> None:
        """Close all of them, and cut what is left."""
        tasks = list(self._closing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for door in (*self._doors, *self._closing):
            door.listener.abort()
            _shut(door)

    def _bound(self, index: int, said: ListenerSettings, ending: list[Door], known: Known) -> Door:
        """A door on sockets of its own, or on those of one that ends and listened on the same address."""
        try:
            sockets = _inherited(said, ending) or self._bind(said)
        except CannotBind as error:
            raise CannotBind(str(error), index) from error
        certificates = None if said.tls is None else known[said.tls]
        door = Door(said, self._make(url_of(said.host, sockets[0], said.scheme), said, certificates), sockets)
        try:
            for sock in sockets:
                sock.listen(_BACKLOG)
        except OSError as error:
            _shut(door)
            raise CannotBind(f"cannot listen on {said.host}:{said.port}: {error.strerror or error}", index) from error
        return door

    async def _emptied(self, door: Door, patience: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while len(door.listener):  # noqa: ASYNC110 (connections end in many ways, and need not tell of it)
                    await asyncio.sleep(_LOOK_EVERY)
        door.listener.abort()
        del self._closing[door]


def _take(doors: list[Door], said: ListenerSettings) -> Door | None:
    """The door with exactly these settings, taken out of the list."""
    found = next((door for door in doors if door.said == said), None)
    if found is not None:
        doors.remove(found)
    return found


def _inherited(said: ListenerSettings, ending: list[Door]) -> list[socket.socket]:
    """The sockets of a door that ends where another one begins, with other settings or another scheme."""
    for door in sorted(ending, key=lambda door: door.said.url != said.url):
        if (door.said.host, door.said.port) == (said.host, said.port):
            ending.remove(door)
            return [sock.dup() for sock in door.sockets]
    return []


def _shut(door: Door) -> None:
    door.listener.stop_accepting()
    for sock in door.sockets:
        sock.close()
