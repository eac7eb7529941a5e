"""Ways to choose that look at how many requests each target has under way, relative to its weight."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate

from proxy.exchange import Endpoint, Exchange
from proxy.upstream.balance.balancer import NONE, Plain
from proxy.upstream.balance.round_robin import Turns
from proxy.upstream.condition import Target


def load(target: Target) -> float:
    """Requests under way for each unit of weight."""
    return target.condition.active / target.share


class LeastBusy(Plain):
    """The target with the least under way. Among equals the turns of weighted round robin decide."""

    __slots__ = ("_ready", "_turns")

    _ready: tuple[Target, ...]
    _turns: Turns

    def use(self, ready: Sequence[Target], every: Sequence[Target]) -> None:
        """:see: `Balancer.use`."""
        self._ready = tuple(ready)
        self._turns = Turns(ready)

    def pick(self, exchange: Exchange, avoid: Collection[Endpoint] = NONE) -> Target:
        """:see: `Balancer.pick`."""
        if avoid:
            return min((t for t in self._turns.coming() if t.endpoint not in avoid), key=load)
        return self._least(self._turns.next())

    def preview(self, exchange: Exchange) -> Target:
        """:see: `Balancer.preview`."""
        return self._least(self._turns.peek())

    def _least(self, best: Target) -> Target:
        """Whose turn it is, unless another has less to do."""
        least = best.condition.active / best.share
        if least:
            for target in self._ready:
                busy = target.condition.active / target.share
                if busy < least:
                    best, least = target, busy
        return best

    def describe(self) -> str:
        """:see: `Balancer.describe`."""
        return "least_busy"


class TwoChoices(Plain):
    """Of two targets drawn by lot, the one with less under way.

    Nearly as even as `least_busy` and without its herding: gateways that do not know of each other do not all choose
    the same target at the same moment.
    """

    __slots__ = ("_bounds", "_drawn", "_random", "_ready", "_total")

    _ready: tuple[Target, ...]

    def __init__(self, randomness: random.Random) -> None:
        self._random = randomness.random

    def use(self, ready: Sequence[Target], every: Sequence[Target]) -> None:
        """:see: `Balancer.use`."""
        self._ready = tuple(ready)
        self._bounds = list(accumulate(target.share for target in ready))
        self._total = self._bounds[-1]
        self._drawn: tuple[Target, Target] | None = None  # what the next pick goes by, when it was previewed

    def pick(self, exchange: Exchange, avoid: Collection[Endpoint] = NONE) -> Target:
        """:see: `Balancer.pick`."""
        if avoid:
            left = [target for target in self._ready if target.endpoint not in avoid]
            lots = [target.share * self._random() for target in left]
            return left[lots.index(max(lots))]
        drawn, self._drawn = self._drawn, None
        return _lesser(*(drawn or self._draw()))

    def preview(self, exchange: Exchange) -> Target:
        """:see: `Balancer.preview`."""
        if self._drawn is None:
            self._drawn = self._draw()
        return _lesser(*self._drawn)

    def _draw(self) -> tuple[Target, Target]:
        """Two different ones, by weight; when there is only one, it twice."""
        ready, bounds = self._ready, self._bounds
        first = bisect_right(bounds, self._random() * self._total)
        share = ready[first].share
        if share == self._total:
            return ready[first], ready[first]
        lot = self._random() * (self._total - share)
        if lot >= bounds[first] - share:
            lot += share  # steps over the first one
        return ready[first], ready[bisect_right(bounds, lot)]

    def describe(self) -> str:
        """:see: `Balancer.describe`."""
        return "two_choices"


def _lesser(one: Target, other: Target) -> Target:
    return other if load(other) < load(one) else one
