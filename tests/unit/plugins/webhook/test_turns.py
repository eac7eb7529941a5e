"""Of several instances on one bus the newest has the say."""

from __future__ import annotations

from plugins.webhook.turns import Turns
from proxy.api import Clock, EventBus


class Player:
    has_turn = False

    def play(self, *, has_turn: bool) -> None:
        self.has_turn = has_turn


def test_the_newest_until_it_goes() -> None:
    turns: Turns[Player] = Turns()
    bus, first, second = EventBus(Clock()), Player(), Player()
    turns.join(bus, first)
    assert first.has_turn
    turns.join(bus, second)
    assert (first.has_turn, second.has_turn) == (False, True)
    turns.leave(bus, second)
    assert (first.has_turn, second.has_turn) == (True, False)


def test_an_old_one_that_goes_changes_nothing() -> None:
    turns: Turns[Player] = Turns()
    bus, first, second = EventBus(Clock()), Player(), Player()
    turns.join(bus, first)
    turns.join(bus, second)
    turns.leave(bus, first)
    turns.leave(bus, first)
    assert (first.has_turn, second.has_turn) == (False, True)


def test_buses_are_apart() -> None:
    turns: Turns[Player] = Turns()
    first, second = Player(), Player()
    buses = EventBus(Clock()), EventBus(Clock())
    turns.join(buses[0], first)
    turns.join(buses[1], second)
    assert first.has_turn
    assert second.has_turn
