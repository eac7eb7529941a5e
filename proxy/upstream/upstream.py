"""An upstream: endpoints, a way to choose among them, a pool of connections, and rules for trying again."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from proxy.errors import DeadlinePassed, GatewayError
from proxy.exchange import Endpoint, Exchange
from proxy.message import Response
from proxy.patience import Patience
from proxy.upstream.condition import BAD_STATUSES, let_go
from proxy.upstream.follow import Follower
from proxy.upstream.health import Checker
from proxy.upstream.pool import Pool
from proxy.upstream.retry import RetryPolicy
from proxy.upstream.targets import Pick, Targets
from proxy.upstream.waits import Limit, Pauses


class Upstream:
    """What the engine sends exchanges to.

    :ivar pick: chooses where the next try goes; :see: `Targets.pick`, which puts another in its place now and then.
    :ivar patience: its timeouts, where a route sets no others.
    :ivar retry: its rules for trying again.
    :ivar pauses: exchanges that wait for their next try.
    :ivar targets: the endpoints, how they are doing, and the balancer.
    :ivar checker: its active health checks, or None.
    """

    pick: Pick

    def __init__(
        self,
        name: str,
        targets: Targets,
        pool: Pool,
        patience: Patience,
        retry: RetryPolicy,
        checker: Checker | None = None,
        follower: Follower | None = None,
    ) -> None:
        self.name = name
        self.targets = targets
        self.pool = pool
        self.patience = patience
        self.checker = checker
        self.retry = retry
        self.pauses = Pauses(pool.wheel)
        self._follower = follower
        targets.repick = self._repick
        self._repick(targets.pick)

    def _repick(self, pick: Pick) -> None:
        self.pick = pick

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them, in the order of the configuration."""
        return self.targets.endpoints

    def start(self) -> None:
        """Follow the names of its targets and probe them from now on, as configured; again changes nothing."""
        if self._follower is not None:
            self._follower.start(self.pool.follow, self.replace_endpoints)
        if self.checker is not None:
            self.checker.start()

    def replace_endpoints(self, endpoints: Sequence[Endpoint]) -> None:
        """These are the endpoints from now on; those that stay keep connections and all that is known of them."""
        self.pool.replace(endpoints)
        self.targets.replace(endpoints)
        if self.checker is not None:
            self.checker.follow()

    def adopt(self, old: Upstream) -> None:
        """Take over what is known of the targets that stay, and the breaker's state: the moment a reload swaps.

        Afterwards the old one serves what began on it, and what comes of that is counted here. Never raises.
        """
        if old.checker is not None:
            old.checker.close()
        self.targets.adopt(old.targets)

    def send(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Begin a try."""
        retry = self.retry
        retry.begins(exchange)
        limit = exchange.limit
        if retry.per_try or exchange.deadline != inf or limit is not None:  # which may be another upstream's
            wheel = self.pool.wheel
            if not isinstance(limit, Limit):
                limit = exchange.limit = Limit(exchange, wheel)
            now = wheel.now()
            if now >= exchange.deadline:
                exchange.failed(DeadlinePassed("the time for the whole exchange is over"))
                return
            limit.begin(now, retry.per_try)
        self.pool.acquire(exchange, endpoint)

    def answered(self, exchange: Exchange, response: Response) -> None:
        """:see: `proxy.plan.Upstream.answered`."""
        claim = exchange.claim
        if claim is not None:
            status = response.status
            if status < 500 or status not in BAD_STATUSES:
                claim.succeeded()
            else:
                claim.failed(status)
        mark = self.targets.mark
        if mark is not None:
            mark(exchange)

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        """:see: `proxy.plan.Upstream.failed`."""
        self.targets.failed(exchange, error)

    def retry_in(self, exchange: Exchange, cause: GatewayError | int) -> float | None:
        """:see: `proxy.upstream.retry.RetryPolicy.wait`."""
        return self.retry.wait(exchange, cause, self.targets.last_resort, barred=self.targets.barred)

    def pause(self, exchange: Exchange, seconds: float) -> None:
        """:see: `proxy.plan.Upstream.pause`. No target has it meanwhile."""
        let_go(exchange)
        self.pauses.begin(exchange, seconds)

    def drain(self, endpoint: Endpoint | str) -> None:
        """Send a target no new requests; clients that stick to it stay. :raises KeyError: when there is none such."""
        self.targets.drain(endpoint)

    def undrain(self, endpoint: Endpoint | str) -> None:
        """Send a target requests again. :raises KeyError: when there is none such."""
        self.targets.drain(endpoint, draining=False)

    def set_weight(self, endpoint: Endpoint | str, weight: int | None) -> None:
        """Weigh a target otherwise than configured; None for as configured.

        :raises KeyError: when there is none such.
        :raises ValueError: for a weight that is not 1 to 1000.
        """
        self.targets.set_weight(endpoint, weight)

    def describe(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a topic and words about it, for explanations."""
        targets = self.targets
        watching = (("health", self.checker), ("eject", targets.ejector), ("breaker", targets.breaker))
        told = ((topic, "off" if part is None else part.describe()) for topic, part in watching)
        return ("balance", targets.describe()), *told

    async def close(self) -> None:
        """End idle connections and what follows and watches targets; busy connections end with their exchanges."""
        if self._follower is not None:
            self._follower.stop()
        if self.checker is not None:
            self.checker.close()
        self.targets.close()
        self.pool.close()

    def __repr__(self) -> str:
        return f"<Upstream {self.name}>"
