"""Which endpoint takes the next request."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.exchange import Endpoint, Exchange


class RoundRobin:
    """Smooth weighted round robin, as nginx has it: heavier endpoints more often, never in a burst.

    :param endpoints: at least one.
    """

    __slots__ = ("_credits", "_endpoints", "_total")

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = tuple(endpoints)
        self._credits = [0] * len(self._endpoints)
        self._total = sum(endpoint.weight for endpoint in self._endpoints)

    def pick(self, exchange: Exchange) -> Endpoint:
        """The next endpoint; a repeated try goes elsewhere where there is somewhere else."""
        avoided = exchange.tried
        if not avoided or len(self._endpoints) == 1:
            return self._next()
        if all(endpoint in avoided for endpoint in self._endpoints):
            avoided = avoided[-1:]
        while (chosen := self._next()) in avoided:
            pass
        return chosen

    def _next(self) -> Endpoint:
        best, most = 0, None
        for i, endpoint in enumerate(self._endpoints):
            credit = self._credits[i] = self._credits[i] + endpoint.weight
            if most is None or credit > most:
                best, most = i, credit
        self._credits[best] -= self._total
        return self._endpoints[best]

    def preview(self) -> Endpoint:
        """The endpoint that `pick` would give now, without taking a turn."""
        return max(enumerate(self._endpoints), key=lambda item: (self._credits[item[0]] + item[1].weight, -item[0]))[1]
