"""Takes a target out that fails real requests, and finds out when it may come back.

What counts is what speaks against the target itself: connections that fail, resets, malformed or incomplete answers,
timeouts, and the statuses 502, 503 and 504. A 500 is an answer; a dead idle connection says nothing.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from math import inf

from proxy.clock import Clock
from proxy.errors import ConnectRefused, GatewayError
from proxy.exchange import Endpoint
from proxy.flow import Spawn
from proxy.timers import Timer, Wheel
from proxy.upstream.condition import Condition, Target

_LONGEST = 300.0  # seconds out at most, unless the first ejection is longer already
_JITTER = 0.1  # share by which an ejection may be longer, so that gateways do not all turn back at once
_KNOCK_EVERY = 1.0  # seconds between two bare connects to a target that refused
_BARRED = 1.0  # seconds for which an ejected target that failed again is no last resort
_CROWD = 32  # tries under way on an ejected target, beyond which it is no last resort

log = logging.getLogger("passerelle.upstream")

Knock = Callable[[Endpoint], Awaitable[None]]


class Rules:
    """When a target is ejected, and for how long.

    :ivar after: failures in a row.
    :ivar lasting: seconds of the first ejection; each further one takes twice as long.
    :ivar at_most: share of the targets that may be out, rounded down: of a single one, none.
    :ivar ratio: share of failures that also suffices.
    :ivar of_at_least: tries in the span that must have ended for that.
    :ivar within: seconds of the span, which begins with a failure.
    """

    __slots__ = ("after", "at_most", "lasting", "of_at_least", "ratio", "within")

    def __init__(
        self,
        after: int = 5,
        lasting: float = 30.0,
        at_most: float = 0.5,
        ratio: float = 0.5,
        of_at_least: int = 20,
        within: float = 10.0,
    ) -> None:
        self.after = after
        self.lasting = lasting
        self.at_most = at_most
        self.ratio = ratio
        self.of_at_least = of_at_least
        self.within = within


class Means:
    """What time and chance are to those who watch targets, and how they reach out.

    :ivar knock: makes a bare connection and closes it; raises GatewayError when there is none.
    """

    __slots__ = ("knock", "now", "random", "spawn", "wheel")

    def __init__(self, clock: Clock, wheel: Wheel, randomness: random.Random, spawn: Spawn, knock: Knock) -> None:
        self.now = clock.monotonic
        self.wheel = wheel
        self.random = randomness.random
        self.spawn = spawn
        self.knock = knock


class _Term(Timer):
    """One target's time out."""

    __slots__ = ("_ejector", "target")

    def __init__(self, ejector: Ejector, target: Target) -> None:
        super().__init__()
        self._ejector = ejector
        self.target = target

    def expired(self) -> None:
        self._ejector.look(self)


class Ejector:
    """Watches one upstream's targets.

    :param back: told about a target that is to come back, and why.
    """

    def __init__(self, rules: Rules, means: Means, back: Callable[[Condition, str], None]) -> None:
        self.rules = rules
        self._means = means
        self._back = back
        self._terms: dict[Condition, _Term] = {}

    def blame(self, target: Target, cause: GatewayError | int, among: list[Target]) -> str:
        """Take note of a failure.

        :param among: the upstream's targets, without those that are draining.
        :returns: why the target is ejected now, or `""`.
        """
        condition, now = target.condition, self._means.now()
        condition.refused = isinstance(cause, ConnectRefused)
        if condition.ejected:
            condition.barred = now + _BARRED
            return ""
        reason = self._reason(condition, now, cause)
        if not reason or not self._may_go(among):
            return ""
        self._eject(target, now)
        return reason

    def hopeless(self, condition: Condition) -> bool:
        """Whether a target would be out, if only there were others enough."""
        return condition.streak >= self.rules.after

    def _reason(self, condition: Condition, now: float, cause: GatewayError | int) -> str:
        rules = self.rules
        since, answers, failures = condition.window
        if now - since > rules.within:
            since, answers, failures = now, condition.answers - 1, condition.failures - 1
            condition.window = since, answers, failures
        if condition.streak >= rules.after:
            return f"{condition.streak} failures in a row, the last one {name(cause)}"
        of, failed = condition.answers - answers, condition.failures - failures
        if of >= rules.of_at_least and failed / of >= rules.ratio:
            return f"{failed} of {of} requests failed, the last one with {name(cause)}"
        return ""

    def _may_go(self, among: list[Target]) -> bool:
        out = sum(1 for target in among if not target.condition.well)
        return out + 1 <= self.rules.at_most * len(among)

    def _eject(self, target: Target, now: float) -> None:
        condition = target.condition
        served = now - condition.returned
        remembered = 0 if served == inf else max(0, condition.ejections - int(served / self.rules.lasting))
        condition.ejections = remembered + 1
        longest = max(_LONGEST, self.rules.lasting)
        seconds = min(self.rules.lasting * 2.0**remembered, longest) * (1 + _JITTER * self._means.random())
        condition.ejected = True
        condition.ejected_at = now
        condition.until = now + seconds
        self._watch(target)

    def _watch(self, target: Target) -> None:
        term = self._terms[target.condition] = _Term(self, target)
        self._arm(term)

    def _arm(self, term: _Term) -> None:
        condition = term.target.condition
        left = max(0.0, condition.until - self._means.now())
        if condition.refused:
            left = min(left, _KNOCK_EVERY * (1 + _JITTER * self._means.random()))
        self._means.wheel.arm(term, left)

    def look(self, term: _Term) -> None:
        """The time is up, or one that refused is to be knocked at."""
        condition = term.target.condition
        if self._means.now() >= condition.until:
            self._back(condition, "its time out is over")
            return
        self._arm(term)
        if condition.refused:
            self._means.spawn(self._knock(term))

    async def _knock(self, term: _Term) -> None:
        condition = term.target.condition
        try:
            await self._means.knock(term.target.endpoint)
        except GatewayError as error:
            log.debug("%s still refuses: %s", term.target.endpoint, error)
            return
        if self._terms.get(condition) is term:
            self._back(condition, "it takes connections again")

    def last_resort(self, targets: list[Target]) -> Target | None:
        """Of ejected targets the one whose ejection is oldest, unless it is known to fail still."""
        now = self._means.now()
        out = [
            target
            for target in targets
            if target.condition.ejected
            and not target.condition.unhealthy
            and target.condition.barred <= now
            and target.condition.active < _CROWD
        ]
        return min(out, key=lambda target: target.condition.ejected_at, default=None)

    def keep(self, target: Target) -> None:
        """Go on with the ejection of a target that another watched before."""
        if target.condition.ejected:
            self._watch(target)

    def drop(self, condition: Condition) -> None:
        """It is no more to be watched: it is back, or gone."""
        term = self._terms.pop(condition, None)
        if term is not None:
            self._means.wheel.forget(term)

    def close(self) -> None:
        """Watch nothing any more."""
        for condition in list(self._terms):
            self.drop(condition)

    def describe(self) -> str:
        """In words, for an explanation."""
        rules = self.rules
        rate = f"{rules.ratio:.0%} of at least {rules.of_at_least} within {rules.within:g} s"
        times = f"for {rules.lasting:g} s, doubling, at most {rules.at_most:.0%} of the targets"
        return f"after {rules.after} failures in a row or {rate}, {times}"


def name(cause: GatewayError | int) -> str:
    """A failure in a word."""
    return f"a {cause}" if isinstance(cause, int) else cause.code
