"""The listening sockets that a supervisor holds for its workers, by listener.

They outlive every worker. They are known by the URL as it is written; one that begins where another ends, on the same
address with another scheme, takes its socket over, so that whoever connects meanwhile waits instead of being refused.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from proxy.server.doors import Bind
from proxy.server.sockets import CannotBind, url_of
from proxy.settings import Listener

Sockets: TypeAlias = "Mapping[str, list[socket.socket]]"  # by URL as it is written


class Held:
    """The sockets that there are.

    :param bind: gives the sockets for a listener.
    :ivar all: those of what is served.
    """

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self._listeners: dict[str, Listener] = {}
        self.all: dict[str, list[socket.socket]] = {}

    def url(self, said: Listener) -> str:
        """Where clients reach a listener, with the port really bound."""
        return url_of(said.host, self.all[said.url][0], said.scheme)

    def lacking(self, wanted: Iterable[Listener]) -> Sockets:
        """Sockets for the listeners that have none yet.

        :raises CannotBind: with the index of what cannot be had; none is left bound then.
        """
        wanted = tuple(wanted)
        urls = {said.url for said in wanted}
        ending = [said for url, said in self._listeners.items() if url not in urls]
        added: dict[str, list[socket.socket]] = {}
        for index, said in enumerate(wanted):
            if said.url in self.all or said.url in added:
                continue
            try:
                added[said.url] = self._inherited(said, ending) or self._bind(said)
            except CannotBind as error:
                close(added)
                raise CannotBind(str(error), index) from error
        return added

    def keep(self, wanted: Iterable[Listener], added: Sockets) -> None:
        """Serve these from now on: what is new comes, and what is no more is closed."""
        self._listeners = {said.url: said for said in wanted}
        self.all |= added
        close({url: self.all.pop(url) for url in list(self.all) if url not in self._listeners})

    def close(self) -> None:
        """Close all of them; whoever was given one still has it."""
        close(self.all)

    def _inherited(self, said: Listener, ending: list[Listener]) -> list[socket.socket]:
        """Those of a listener that ends where this one begins."""
        for other in ending:
            if (other.host, other.port) == (said.host, said.port):
                ending.remove(other)
                return [sock.dup() for sock in self.all[other.url]]
        return []


def close(sockets: Sockets) -> None:
    """Close sockets that are not held, or not any more."""
    for some in sockets.values():
        for sock in some:
            sock.close()
