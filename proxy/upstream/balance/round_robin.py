"""Weighted round robin, smooth: heavier targets more often, never in a burst."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from math import gcd

from proxy.exchange import Endpoint, Exchange
from proxy.upstream.balance.balancer import NONE, Plain
from proxy.upstream.condition import Target

_LONGEST = 1024  # turns of a round that are laid out beforehand


class Turns:
    """The order in which targets take turns.

    A round is laid out once where it is short, which makes a turn a rotation; the order of a long one is worked out
    turn by turn.
    """

    __slots__ = ("_credits", "_round", "_shares", "_targets", "_total")

    def __init__(self, targets: Sequence[Target]) -> None:
        divisor = gcd(*(target.share for target in targets))
        self._targets = tuple(targets)
        self._shares = [target.share // divisor for target in targets]
        self._total = sum(self._shares)
        self._credits = [0] * len(self._shares)
        self._round: deque[Target] | None = None
        if self._total <= _LONGEST:
            self._round = deque(self._step() for _ in range(self._total))

    def next(self) -> Target:
        """Take a turn."""
        turns = self._round
        if turns is None:
            return self._step()
        target = turns[0]
        turns.rotate(-1)
        return target

    def peek(self) -> Target:
        """Whose turn it is."""
        return next(self.coming())

    def coming(self) -> Iterator[Target]:
        """Every target at least once, beginning with those whose turn comes first; takes no turn."""
        if self._round is not None:
            yield from self._round
            return
        order = sorted(range(len(self._shares)), key=lambda i: (-self._credits[i] - self._shares[i], i))
        yield from (self._targets[i] for i in order)

    def _step(self) -> Target:
        """Everybody's credit grows by its share; who has most takes the turn and pays for the round."""
        best, most = 0, -self._total
        owed = self._credits
        for i, share in enumerate(self._shares):
            credit = owed[i] = owed[i] + share
            if credit > most:
                best, most = i, credit
        owed[best] -= self._total
        return self._targets[best]


class RoundRobin(Plain):
    """One after the other, by weight."""

    __slots__ = ("_turns",)

    _turns: Turns

    def use(self, ready: Sequence[Target], every: Sequence[Target]) -> None:
        """:see: `Balancer.use`."""
        self._turns = Turns(ready)

    def pick(self, exchange: Exchange, avoid: Collection[Endpoint] = NONE) -> Target:
        """:see: `Balancer.pick`."""
        if avoid:
            return next(target for target in self._turns.coming() if target.endpoint not in avoid)
        return self._turns.next()

    def preview(self, exchange: Exchange) -> Target:
        """:see: `Balancer.preview`."""
        return self._turns.peek()

    def describe(self) -> str:
        """:see: `Balancer.describe`."""
        return "round_robin"
