"""Which of several instances on one bus has the say.

At a reload the new instance begins before the old one ends, and it may be refused after all. Both would keep every
event then, each under an id of its own. So the newest one keeps them, and the one before comes back when it goes.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from proxy.api import EventBus


class Player(Protocol):
    """Something of which one has the turn."""

    def play(self, *, has_turn: bool) -> None:
        """Take the turn, or leave it to another."""
        ...


P = TypeVar("P", bound=Player)


class Turns(Generic[P]):
    """The instances on each bus, the one that has the turn last."""

    def __init__(self) -> None:
        self._players: WeakKeyDictionary[EventBus, list[P]] = WeakKeyDictionary()

    def join(self, bus: EventBus, player: P) -> None:
        """Take the turn."""
        players = self._players.setdefault(bus, [])
        for other in players[-1:]:
            other.play(has_turn=False)
        players.append(player)
        player.play(has_turn=True)

    def leave(self, bus: EventBus, player: P) -> None:
        """Give it back, to whoever had it before."""
        players = self._players.get(bus, [])
        if player not in players:
            return
        had_it = players[-1] is player
        players.remove(player)
        player.play(has_turn=False)
        if had_it and players:
            players[-1].play(has_turn=True)
