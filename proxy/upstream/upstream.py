"""An upstream: endpoints, a way to choose among them, a pool of connections, and rules for trying again."""

from __future__ import annotations

from collections.abc import Sequence

from proxy.errors import GatewayError, Retry
from proxy.exchange import Endpoint, Exchange, Patience
from proxy.upstream.balance import RoundRobin
from proxy.upstream.pool import Pool
from proxy.upstream.retry import Budget


class RetryPolicy:
    """When a failed try is repeated.

    :ivar attempts: further tries after the first.
    :ivar connect: whether a failed connection counts as a reason.
    :ivar reset: whether a connection that died before the answer counts as one.
    :ivar statuses: answers that count as one.
    """

    __slots__ = ("attempts", "connect", "reset", "statuses")

    def __init__(
        self, attempts: int = 1, *, connect: bool = True, reset: bool = True, statuses: frozenset[int] = frozenset()
    ) -> None:
        self.attempts = attempts
        self.connect = connect
        self.reset = reset
        self.statuses = statuses


class Upstream:
    """What the engine sends exchanges to.

    :ivar pick: chooses where the next try goes.
    :ivar patience: its timeouts, where a route sets no others.
    """

    def __init__(
        self,
        name: str,
        endpoints: Sequence[Endpoint],
        pool: Pool,
        patience: Patience,
        policy: RetryPolicy,
        budget: Budget,
    ) -> None:
        self.name = name
        self.endpoints = tuple(endpoints)
        self.pool = pool
        self.patience = patience
        self.balancer = RoundRobin(endpoints)
        self.pick = self.balancer.pick
        self._policy = policy
        self._budget = budget

    def send(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Begin a try."""
        if exchange.attempts == 1:
            self._budget.request(exchange.started)
        self.pool.acquire(exchange, endpoint)

    def may_retry(self, exchange: Exchange, cause: GatewayError | int) -> bool:
        """Whether another try is allowed; takes it from the budget when it is.

        A try on a reused connection that gave no byte is repeated once on a new one, outside policy and budget: the
        upstream closed an idle connection while the request was on its way, which says nothing about its health.
        """
        if isinstance(cause, GatewayError) and cause.retry is Retry.REUSED and not exchange.fresh:
            exchange.fresh = True
            return True
        allowed = self._policy.attempts + exchange.fresh  # the try on a dead connection is not one of them
        return self._is_reason(cause) and exchange.attempts <= allowed and self._budget.retry()

    def _is_reason(self, cause: GatewayError | int) -> bool:
        if isinstance(cause, int):
            return cause in self._policy.statuses
        return self._policy.connect if cause.retry is Retry.UNSENT else self._policy.reset

    async def close(self) -> None:
        """End idle connections; busy ones end with their exchanges."""
        self.pool.close()

    def __repr__(self) -> str:
        return f"<Upstream {self.name}>"
