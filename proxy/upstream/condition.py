"""How a target is doing: what is counted of it, and why it may be out.

A condition belongs to the target, not to the configuration that names it: a reload hands it on, so that a target which
stays keeps its failures, its ejection, its health and the tries that are under way.
"""

from __future__ import annotations

from math import inf
from typing import Protocol

from proxy.errors import Fault, GatewayError
from proxy.exchange import Endpoint, Exchange
from proxy.upstream.edges import Edge

BAD_STATUSES = frozenset({502, 503, 504})


def identity(endpoint: Endpoint) -> str:
    """What an endpoint is known by, over reloads too: its URL, and its name where the URL has one of its addresses."""
    return f"{endpoint.url} of {endpoint.host}" if endpoint.address else endpoint.url


class Keeper(Protocol):
    """Who draws the conclusions: the targets of the upstream that has the condition now."""

    def blame(self, condition: Condition, cause: GatewayError | int) -> None:
        """A try has failed."""

    def restore(self, condition: Condition, reason: str) -> None:
        """What was ejected has answered."""


class Condition:
    """One target's counts and state. While a try is under way it is the exchange's claim.

    :ivar active: tries under way, their answers' bodies included.
    :ivar answers: tries that have ended in an answer or a failure.
    :ivar failures: those of them that count against the target.
    :ivar streak: failures in a row.
    :ivar window: clock reading, answers and failures where the present span of the failure rate began.
    :ivar unhealthy: whether its probes have failed.
    :ivar probes: probes in a row that succeeded; below zero, that failed.
    :ivar probed_at: clock reading when the last probe ended, or when probing began.
    :ivar ejected: whether real failures have taken it out.
    :ivar ejected_at: clock reading of that; of several the oldest is the first to be tried as a last resort.
    :ivar until: clock reading at which its ejection ends.
    :ivar ejections: how often, as far as it is remembered.
    :ivar refused: whether the last failure was a refused connection.
    :ivar barred: clock reading until which it is no last resort either.
    :ivar returned: clock reading when it came back; a slow start counts from there.
    :ivar draining: whether it gets no new requests by an operator's wish.
    :ivar weight: what an operator has set in place of the configured one.
    :ivar edge: what is told of its going out and coming back.
    """

    __slots__ = (
        "active",
        "answers",
        "barred",
        "draining",
        "edge",
        "ejected",
        "ejected_at",
        "ejections",
        "failures",
        "keeper",
        "probed_at",
        "probes",
        "refused",
        "returned",
        "streak",
        "unhealthy",
        "until",
        "weight",
        "window",
    )

    def __init__(self, keeper: Keeper, edge: Edge) -> None:
        self.keeper = keeper
        self.edge = edge
        self.active = 0
        self.answers = 0
        self.failures = 0
        self.streak = 0
        self.window = (-inf, 0, 0)
        self.unhealthy = False
        self.probes = 0
        self.probed_at = 0.0
        self.ejected = False
        self.ejected_at = 0.0
        self.until = 0.0
        self.ejections = 0
        self.refused = False
        self.barred = -inf
        self.returned = -inf
        self.draining = False
        self.weight: int | None = None

    @property
    def well(self) -> bool:
        """Whether nothing that was found out speaks against it."""
        return not (self.unhealthy or self.ejected)

    def succeeded(self) -> None:
        """The try has an answer that speaks for the target."""
        self.answers += 1
        if self.streak:
            self.streak = 0

    def failed(self, cause: GatewayError | int) -> None:
        """The try has failed, or has an answer that speaks against the target."""
        self.answers += 1
        self.failures += 1
        self.streak += 1
        self.keeper.blame(self, cause)

    def release(self, error: GatewayError | None) -> None:
        """The try is over; an error that befell the answer's body in the upstream counts against the target."""
        self.active -= 1
        if error is not None and error.fault is Fault.UPSTREAM:
            self.failures += 1
            self.streak += 1
            self.keeper.blame(self, error)

    def rehabilitate(self, now: float) -> None:
        """It is back: what happened before is no reason to take it out again."""
        self.ejected = False
        self.refused = False
        self.streak = 0
        self.window = (-inf, 0, 0)
        self.returned = now


class LastResort:
    """The claim of a try on an ejected target: an answer brings the target back at once."""

    __slots__ = ("_condition",)

    def __init__(self, condition: Condition) -> None:
        self._condition = condition

    def succeeded(self) -> None:
        """:see: `Condition.succeeded`."""
        self._condition.succeeded()
        self._condition.keeper.restore(self._condition, "it answered as the last resort")

    def failed(self, cause: GatewayError | int) -> None:
        """:see: `Condition.failed`."""
        self._condition.failed(cause)

    def release(self, error: GatewayError | None) -> None:
        """:see: `Condition.release`."""
        self._condition.release(error)


class _Released:
    """The claim of an exchange that has let go of its target."""

    __slots__ = ()

    def succeeded(self) -> None:
        """Nothing is held."""

    def failed(self, cause: GatewayError | int) -> None:
        """Nothing is held, and nobody is to blame."""

    def release(self, error: GatewayError | None) -> None:
        """Nothing is held."""


_RELEASED = _Released()


def let_go(exchange: Exchange) -> None:
    """The exchange needs its target no more, and what comes of it from now on says nothing about that."""
    claim, exchange.claim = exchange.claim, _RELEASED
    if claim is not None:
        claim.release(None)


class Target:
    """An endpoint among others, with what is made of it at the moment.

    :ivar weight: its share by the configuration, or by an operator.
    :ivar share: the weight that the balancer goes by, on a scale of its own.
    """

    __slots__ = ("condition", "endpoint", "share")

    def __init__(self, endpoint: Endpoint, condition: Condition) -> None:
        self.endpoint = endpoint
        self.condition = condition
        self.share = endpoint.weight

    @property
    def weight(self) -> int:
        """What the operator has set, or else what is configured."""
        weight = self.condition.weight
        return self.endpoint.weight if weight is None else weight

    def __repr__(self) -> str:
        return f"<Target {self.endpoint.url}>"
