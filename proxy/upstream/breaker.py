"""Stops asking an upstream that mostly fails, so that its clients do not wait and it can recover.

Closed, it lets everything through and counts failures. Open, it answers at once. After a while it is half open: one
request goes through as a probe, and what becomes of it decides.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum
from math import ceil, inf

from proxy.clock import Clock
from proxy.errors import CircuitOpen, GatewayError
from proxy.exchange import Claim
from proxy.timers import Timer, Wheel
from proxy.upstream.edges import Edge

_JITTER = 0.1  # share by which it may stay open longer, so that gateways do not all probe at once


class BreakerState(Enum):
    """What it does with a request; the value is that of the metric."""

    CLOSED = 0.0
    HALF_OPEN = 0.5
    OPEN = 1.0


class BreakerRules:
    """When a breaker opens, and for how long.

    :ivar ratio: share of failures that opens it.
    :ivar of_at_least: tries in the span that must have ended for that.
    :ivar within: seconds of the span, which begins with a failure.
    :ivar open: seconds until a probe is let through.
    """

    __slots__ = ("of_at_least", "open", "ratio", "within")

    def __init__(self, ratio: float = 0.5, of_at_least: int = 20, within: float = 10.0, open: float = 5.0) -> None:  # noqa: A002 (the setting's name)
        self.ratio = ratio
        self.of_at_least = of_at_least
        self.within = within
        self.open = open


class Breaker(Timer):
    """One upstream's.

    :ivar state: what it does with a request.
    :ivar opened: how often it has opened.
    :ivar changed: called when the state has changed; whoever has the breaker sets it.
    """

    def __init__(self, rules: BreakerRules, clock: Clock, wheel: Wheel, randomness: random.Random, edge: Edge) -> None:
        super().__init__()
        self.rules = rules
        self.state = BreakerState.CLOSED
        self.opened = 0
        self.changed: Callable[[], None] = _nobody
        self._now = clock.monotonic
        self._wheel = wheel
        self._random = randomness.random
        self._edge = edge
        self._until = 0.0
        self._probing = False
        self._window = (-inf, 0, 0)  # since when, answers and failures before

    def retire(self, reason: str) -> None:
        """Let everything through from now on: there is to be none."""
        self.close()
        self._become(BreakerState.CLOSED)
        self._edge.set(False, reason)

    def blame(self, answers: int, failures: int) -> None:
        """A try has failed.

        :param answers: tries that have ended so far, on all targets, this one included.
        :param failures: those of them that failed.
        """
        if self.state is not BreakerState.CLOSED:
            return
        now = self._now()
        since, before, failed_before = self._window
        if now - since > self.rules.within or answers <= before:
            since, before, failed_before = self._window = now, answers - 1, failures - 1
        of, failed = answers - before, failures - failed_before
        if of >= self.rules.of_at_least and failed / of >= self.rules.ratio:
            self._open(f"{failed} of {of} requests failed")

    def _open(self, reason: str) -> None:
        self.opened += 1
        seconds = self.rules.open * (1 + _JITTER * self._random())
        self._until = self._now() + seconds
        self._wheel.arm(self, seconds)
        self._become(BreakerState.OPEN)
        self._edge.set(True, reason)

    def expired(self) -> None:
        """It has been open for long enough."""
        self._probing = False
        self._become(BreakerState.HALF_OPEN)

    def _become(self, state: BreakerState) -> None:
        self.state = state
        self.changed()

    def refusal(self) -> CircuitOpen:
        """What is answered instead of asking."""
        left = self._until - self._now()
        return CircuitOpen("the upstream fails; it is not asked for now", retry_after=max(1, ceil(left)))

    def admit(self) -> None:
        """Let the probe through. :raises CircuitOpen: when it is open, or a probe is under way already."""
        if self.state is BreakerState.OPEN or self._probing:
            raise self.refusal()

    def watch(self, claim: Claim) -> Claim:
        """The probe's claim, of which this one hears."""
        self._probing = True
        return _Probe(self, claim)

    def settle(self, succeeded: bool | None) -> None:
        """What became of the probe; None when it was given up before it could tell, and another may go."""
        if self.state is not BreakerState.HALF_OPEN:
            return
        self._probing = False
        if succeeded:
            self._window = (-inf, 0, 0)
            self._become(BreakerState.CLOSED)
            self._edge.set(False, "the probe succeeded")
        elif succeeded is not None:
            self._open("the probe failed")

    def close(self) -> None:
        """Do nothing any more."""
        self._wheel.forget(self)

    def describe(self) -> str:
        """In words, for an explanation."""
        rules = self.rules
        state = self.state.name.lower().replace("_", " ")
        rate = f"{rules.ratio:.0%} of at least {rules.of_at_least} fail within {rules.within:g} s"
        return f"{state}; opens for {rules.open:g} s when {rate}"


class _Probe:
    """The claim of the one request that a half-open breaker lets through."""

    __slots__ = ("_breaker", "_claim", "_settled")

    def __init__(self, breaker: Breaker, claim: Claim) -> None:
        self._breaker = breaker
        self._claim = claim
        self._settled = False

    def succeeded(self) -> None:
        self._claim.succeeded()
        self._settle(True)

    def failed(self, cause: GatewayError | int) -> None:
        self._claim.failed(cause)
        self._settle(False)

    def release(self, error: GatewayError | None) -> None:
        self._claim.release(error)
        self._settle(None)

    def _settle(self, succeeded: bool | None) -> None:
        if not self._settled:
            self._settled = True
            self._breaker.settle(succeeded)


def _nobody() -> None:
    """A breaker that no upstream has yet."""
