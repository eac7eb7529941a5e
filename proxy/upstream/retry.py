"""When a failed try is repeated: for a cause that is worth it, where that is safe, and within a budget.

The budget is a share of what was asked, so that an outage is never multiplied. The one repetition outside of it is
that of a try on a kept connection which the upstream closed while the request was on its way: each of those was paid
for by an exchange that went well on the same connection.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from proxy.clock import Clock
from proxy.errors import GatewayError, Retry, cause_of
from proxy.exchange import Exchange
from proxy.kept import Allowance, Kept
from proxy.stream import Stream

_SPAN = 10  # seconds
_FREE = 32  # tries a second as the last resort that are always allowed
_KEPT_AT_MOST = 32 * 1024 * 1024  # bytes of all uploads to one upstream that could be sent again

Told = Callable[[str, str], None]


def _none(exchange: Exchange) -> None:
    """There is no last resort."""


def _untold(cause: str, outcome: str) -> None:
    """Nobody counts."""


class Budget:
    """Counts requests and retries over the last ten seconds, in buckets of one.

    :param share: retries allowed for each request, 0.2 being 20 %.
    :param floor: retries a second that are always allowed, so that a quiet upstream has any at all.
    """

    __slots__ = ("_at", "_ends", "_free", "_now", "_requests", "_retries", "_second", "floor", "share")

    def __init__(self, clock: Clock, share: float, floor: int = 10) -> None:
        self._now = clock.monotonic
        self.share = share
        self.floor = floor
        self._requests = [0] * _SPAN
        self._retries = [0] * _SPAN
        self._free = [0] * _SPAN
        self._begin(int(self._now()))

    def request(self, now: float) -> None:
        """Count a request that came at this clock reading; one that lies behind another's counts for that second."""
        if now >= self._ends:  # as `_look`: each request comes here
            self._turn(int(now))
        self._requests[self._at] += 1

    def retry(self) -> bool:
        """Take one retry; False when there is none left."""
        self._look(self._now())
        allowed = max(self.floor * _SPAN, int(self.share * sum(self._requests)) - sum(self._free))
        if sum(self._retries) >= allowed:
            return False
        self._retries[self._at] += 1
        return True

    @property
    def spare(self) -> bool:
        """Whether a retry can be made without taking one, as the last resort is."""
        self._look(self._now())
        return sum(self._free) < max(_FREE * _SPAN, int(self.share * sum(self._requests)))

    def spend(self) -> None:
        """Note a retry that was not taken: the share is for both kinds together."""
        self._look(self._now())
        self._free[self._at] += 1

    def _look(self, now: float) -> None:
        if now >= self._ends:
            self._turn(int(now))

    def _turn(self, second: int) -> None:
        """Empty the buckets of the seconds that passed without a count."""
        for passed in range(max(self._second + 1, second - _SPAN + 1), second + 1):
            self._requests[passed % _SPAN] = self._retries[passed % _SPAN] = self._free[passed % _SPAN] = 0
        self._begin(second)

    def _begin(self, second: int) -> None:
        self._second, self._at, self._ends = second, second % _SPAN, second + 1.0


class Backoff:
    """How long to wait before a try: at random below a bound, so that those who failed together do not come together.

    :param base: seconds; the bound before the first further try, doubled for each one after it.
    :param longest: seconds; the bound is never higher.
    """

    __slots__ = ("_random", "base", "longest")

    def __init__(self, randomness: random.Random, base: float = 0.025, longest: float = 0.25) -> None:
        self._random = randomness
        self.base = base
        self.longest = longest

    def before(self, again: int) -> float:
        """Seconds to wait before the so-many-th further try, the first being 1."""
        bound: float = min(self.longest, self.base * 2.0 ** (again - 1))
        return self._random.random() * bound


class RetryPolicy:
    """One upstream's rules for trying again.

    :ivar attempts: further tries after the first.
    :ivar causes: what is worth one: `connect`, `reset`, `timeout`, and statuses as text.
    :ivar per_try: seconds from the beginning of a try to the head of its answer; 0.0 without a limit.
    :ivar buffer: bytes of an upload that are kept to be sent again.
    :ivar hold: bytes of an answer that is held until it is whole.
    :ivar backoff: None tries again at once.
    :ivar room: what is kept of all uploads together.
    :ivar told: called with cause and outcome of every failure that is worth another try: `retried`,
        `attempts_exhausted`, `not_repeatable`, `budget_exhausted`, `deadline`, `circuit_open`.
    """

    __slots__ = ("_budget", "_now", "attempts", "backoff", "buffer", "causes", "hold", "per_try", "room", "told")

    def __init__(
        self,
        clock: Clock,
        budget: Budget,
        attempts: int = 1,
        causes: frozenset[str] = frozenset(),
        *,
        per_try: float = 0.0,
        buffer: int = 0,
        hold: int = 0,
        backoff: Backoff | None = None,
        told: Told = _untold,
    ) -> None:
        self._now = clock.monotonic
        self._budget = budget
        self.attempts = attempts
        self.causes = causes
        self.per_try = per_try
        self.buffer = buffer
        self.hold = hold
        self.backoff = backoff
        self.room = Allowance(_KEPT_AT_MOST)
        self.told = told

    def begins(self, exchange: Exchange) -> None:
        """A try begins: count the request, see to it that its upload could be sent again."""
        if exchange.attempts == exchange.before + 1:
            self._budget.request(exchange.started)
            left = self.attempts
        else:
            left = self._left(exchange)
        body = exchange.request.body
        if body.data is None:
            if isinstance(body, Kept):
                body.rewind()
            elif self.buffer and exchange.idempotent and isinstance(body, Stream) and body.spliceable:
                exchange.request.body = Kept(body, self.buffer, self.room)
        exchange.hold = self.hold if left > 0 else 0

    def wait(
        self,
        exchange: Exchange,
        cause: GatewayError | int,
        last_resort: Callable[[Exchange], object] = _none,
        *,
        barred: bool = False,
    ) -> float | None:
        """Seconds after which the exchange is tried again; None when it is not.

        A further try is taken from the budget when it is allowed. A try on a reused connection that gave no byte is
        repeated once on a new one, outside causes, attempts and budget: the upstream closed an idle connection while
        the request was on its way, which says nothing about its health. Outside attempts and budget is also the last
        resort, which has bounds of its own; it leaves less of the budget for others, lest an outage be multiplied.

        :param last_resort: gives the ejected target that is to be tried because every other one has failed, or None.
        :param barred: whether a circuit breaker would refuse a further try: then the failure is told as it is.
        """
        name = cause_of(cause)
        if isinstance(cause, GatewayError) and cause.retry is Retry.REUSED and not exchange.fresh:
            if not exchange.repeatable:
                self.told("reused", "not_repeatable")
                return None
            exchange.fresh = True
            self.told("reused", "retried")
            return 0.0
        if name not in self.causes or (isinstance(cause, GatewayError) and cause.retry is Retry.NEVER):
            return None
        if barred and self.attempts:
            self.told(name, "circuit_open")
            return None
        free = self.attempts > 0 and last_resort(exchange) is not None and self._budget.spare
        outcome, seconds = self._judge(exchange, cause, free)
        self.told(name, outcome)
        return seconds if outcome == "retried" else None

    def _judge(self, exchange: Exchange, cause: GatewayError | int, free: bool) -> tuple[str, float]:
        unsent = isinstance(cause, GatewayError) and cause.retry is Retry.UNSENT
        if not free and self._left(exchange) <= 0:
            return "attempts_exhausted", 0.0
        if not (exchange.resendable if unsent else exchange.repeatable):
            return "not_repeatable", 0.0
        seconds = 0.0
        if self.backoff is not None and not free:
            seconds = self.backoff.before(self.attempts - self._left(exchange) + 1)
        if self._now() + seconds >= exchange.deadline:
            return "deadline", 0.0
        if free:
            self._budget.spend()
        elif not self._budget.retry():
            return "budget_exhausted", 0.0
        return "retried", seconds

    def _left(self, exchange: Exchange) -> int:
        """Further tries that the exchange still has; the one on a dead connection is not counted."""
        return self.attempts + 1 + exchange.fresh - (exchange.attempts - exchange.before)
