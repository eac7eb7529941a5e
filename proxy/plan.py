"""A configuration ready to serve: what the router finds for a request, and the whole of it.

Everything here is made before the first request and never changes; a reload makes another Snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from proxy.chain import Chain
from proxy.errors import GatewayError
from proxy.exchange import Endpoint, Exchange
from proxy.fallback import Fallback
from proxy.message import Response
from proxy.metrics import CounterChild, HistogramChild
from proxy.pages import BUILT_IN, Pages
from proxy.patience import DEFAULT_PATIENCE, Patience
from proxy.routing import Rewrite, Router


class Upstream(Protocol):
    """What the engine needs of an upstream."""

    name: str

    def pick(self, exchange: Exchange) -> Endpoint:
        """Choose where the next try goes. :raises Unavailable: when no target can take it."""
        ...

    def send(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Begin a try; sets `exchange.attempt` and advances the exchange by callbacks."""
        ...

    def answered(self, exchange: Exchange, response: Response) -> None:
        """Take note of a try's answer: its head is here, and no hook has seen it."""
        ...

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        """Take note that a try has failed without an answer."""
        ...

    def retry_in(self, exchange: Exchange, cause: GatewayError | int) -> float | None:
        """Seconds after which there is another try, after an error or an answer with that status; None for none."""
        ...

    def pause(self, exchange: Exchange, seconds: float) -> None:
        """Call `exchange.again()` after so many seconds; sets `exchange.attempt` until then."""
        ...


class Plan:
    """What is known of a route before any request: the router's payload.

    :ivar name: the route's name; `""` for the plan of requests that match none.
    :ivar upstream: None when the chain answers by itself.
    :ivar fallback: what is done instead of answering with an upstream's failure, or None.
    :ivar pages: what errors on it look like.
    :ivar active: exchanges on this plan that are not over.
    :ivar revision: of the configuration that it is part of.
    """

    __slots__ = (
        "active",
        "chain",
        "counters",
        "fallback",
        "latency",
        "name",
        "pages",
        "patience",
        "revision",
        "rewrite",
        "size",
        "upstream",
    )

    def __init__(
        self,
        name: str,
        chain: Chain,
        upstream: Upstream | None,
        rewrite: Rewrite | None = None,
        patience: Patience = DEFAULT_PATIENCE,
        pages: Pages = BUILT_IN,
        fallback: Fallback | None = None,
    ) -> None:
        self.name = name
        self.chain = chain
        self.upstream = upstream
        self.rewrite = rewrite
        self.patience = patience
        self.pages = pages
        self.fallback = fallback
        self.size = len(chain.links)
        self.active = 0
        self.revision = ""
        self.counters: dict[int, CounterChild] = {}
        self.latency: HistogramChild | None = None


class Snapshot:
    """A whole configuration, ready to serve; replaced as one reference.

    :ivar revision: short hash of the effective configuration.
    """

    __slots__ = ("fallback", "plans", "revision", "router", "upstreams")

    def __init__(
        self, router: Router[Plan], fallback: Plan, upstreams: dict[str, Any], plans: list[Plan], revision: str
    ) -> None:
        self.router = router
        self.fallback = fallback
        self.upstreams = upstreams
        self.plans = plans
        self.revision = revision
        for plan in self._all():
            plan.revision = revision

    @property
    def active(self) -> int:
        """Exchanges that began on this configuration and are not over."""
        return sum(plan.active for plan in self._all())

    def _all(self) -> Iterator[Plan]:
        """Every plan that an exchange can be on."""
        yield self.fallback
        for plan in self.plans:
            yield plan
            if plan.fallback is not None and plan.fallback.plan is not None:
                yield plan.fallback.plan
