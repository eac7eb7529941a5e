"""An upstream: endpoints, a way to choose among them, a pool of connections, and rules for trying again."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from proxy.errors import DeadlinePassed, GatewayError
from proxy.exchange import Endpoint, Exchange, Patience
from proxy.upstream.balance import RoundRobin
from proxy.upstream.follow import Follower
from proxy.upstream.pool import Pool
from proxy.upstream.retry import RetryPolicy
from proxy.upstream.waits import Limit, Pauses


class Upstream:
    """What the engine sends exchanges to.

    :ivar pick: chooses where the next try goes.
    :ivar patience: its timeouts, where a route sets no others.
    :ivar retry: its rules for trying again.
    :ivar pauses: exchanges that wait for their next try.
    """

    def __init__(
        self,
        name: str,
        endpoints: Sequence[Endpoint],
        pool: Pool,
        patience: Patience,
        retry: RetryPolicy,
        follower: Follower | None = None,
    ) -> None:
        self.name = name
        self.endpoints = tuple(endpoints)
        self.pool = pool
        self.patience = patience
        self.balancer = RoundRobin(endpoints)
        self.pick = self.balancer.pick
        self.retry = retry
        self.pauses = Pauses(pool.wheel)
        self._follower = follower

    def start(self) -> None:
        """Follow the names of its targets from now on."""
        if self._follower is not None:
            self._follower.start(self.pool.follow, self.replace_endpoints)

    def replace_endpoints(self, endpoints: Sequence[Endpoint]) -> None:
        """These are the endpoints from now on; of those that stay everything stays, connections above all."""
        self.endpoints = tuple(endpoints)
        self.balancer = RoundRobin(endpoints)
        self.pick = self.balancer.pick
        self.pool.replace(endpoints)

    def send(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Begin a try."""
        retry = self.retry
        retry.begins(exchange)
        if retry.per_try or exchange.deadline != inf:
            wheel = self.pool.wheel
            limit = exchange.limit
            if not isinstance(limit, Limit):
                limit = exchange.limit = Limit(exchange, wheel)
            now = wheel.now()
            if now >= exchange.deadline:
                exchange.failed(DeadlinePassed("the time for the whole exchange is over"))
                return
            limit.begin(now, retry.per_try)
        self.pool.acquire(exchange, endpoint)

    def retry_in(self, exchange: Exchange, cause: GatewayError | int) -> float | None:
        """:see: `proxy.upstream.retry.RetryPolicy.wait`."""
        return self.retry.wait(exchange, cause)

    def pause(self, exchange: Exchange, seconds: float) -> None:
        """:see: `proxy.plan.Upstream.pause`."""
        self.pauses.begin(exchange, seconds)

    async def close(self) -> None:
        """Follow no names any more and end idle connections; busy ones end with their exchanges."""
        if self._follower is not None:
            self._follower.stop()
        self.pool.close()

    def __repr__(self) -> str:
        return f"<Upstream {self.name}>"
