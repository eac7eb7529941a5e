"""One upstream's targets: which of them can take a request, and which one does.

Everything that can put a target out or bring it back ends here, in one list of those that are ready, which the
balancer is given whenever it changes. So choosing itself asks nothing, and costs the same whatever is watched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from proxy.errors import Fault, GatewayError, Retry, Unavailable
from proxy.events import UpstreamRecovered, UpstreamUnhealthy
from proxy.exchange import Claim, Endpoint, Exchange
from proxy.timers import Timer
from proxy.upstream.balance import Balancer
from proxy.upstream.breaker import Breaker, BreakerState
from proxy.upstream.condition import Condition, LastResort, Target, identity
from proxy.upstream.edges import Edge, Teller
from proxy.upstream.ejection import Ejector, Means, Rules

_STEPS = 10  # of a slow start; also the scale of shares meanwhile
_CHANGED = "the configuration has changed"
_RETRY_AFTER = 5  # seconds, when no target is ready

log = logging.getLogger("passerelle.upstream")

Pick = Callable[[Exchange], Endpoint]


class _Ramp(Timer):
    """The next step of a slow start."""

    __slots__ = ("_targets",)

    def __init__(self, targets: Targets) -> None:
        super().__init__()
        self._targets = targets

    def expired(self) -> None:
        self._targets.refresh()


class Targets:
    """The endpoints of an upstream with their conditions, and the one way to choose among them.

    :ivar pick: chooses where an exchange's next try goes, and holds it for the exchange. It is replaced whenever
        something has changed, so that the usual choice makes no detour: look it up for each use. Raises Unavailable
        when no target can take the request, CircuitOpen when the breaker is open.
    :ivar repick: called with each new `pick`.
    """

    pick: Pick

    def __init__(
        self,
        name: str,
        endpoints: Iterable[Endpoint],
        balancer: Balancer,
        means: Means,
        teller: Teller,
        *,
        rules: Rules | None = None,
        breaker: Breaker | None = None,
        slow_start: float = 0.0,
    ) -> None:
        self.name = name
        self.balancer = balancer
        self.mark = balancer.mark
        self.breaker = breaker
        self.ejector = None if rules is None else Ejector(rules, means, self.restore)
        self.slow_start = slow_start
        self.repick: Callable[[Pick], None] = _nobody
        self._means = means
        self._teller = teller
        self._ramp = _Ramp(self)
        self._ready: list[Target] = []
        self._of: dict[str, Target] = {}
        self._by_condition: dict[Condition, Target] = {}
        self._guards = True  # whether the breaker ends with these targets
        if breaker is not None:
            breaker.changed = self.refresh
        self.replace(endpoints)

    # which there are

    def replace(self, endpoints: Iterable[Endpoint]) -> None:
        """These are the endpoints from now on; those that stay, by their `identity`, keep their condition."""
        old = self._of
        self._of = {}
        for endpoint in endpoints:
            name = identity(endpoint)
            known = old.pop(name, None)
            self._of[name] = Target(endpoint, self._condition(endpoint) if known is None else known.condition)
        for gone in old.values():
            self._forget(gone.condition)
        self._by_condition = {target.condition: target for target in self._of.values()}
        self.refresh()

    def adopt(self, old: Targets) -> None:
        """Take over from an earlier configuration's targets: conditions by `identity`, and the breaker's state.

        What the old ones still have under way goes on to be counted, here.
        """
        for url, target in self._of.items():
            known = old._of.get(url)
            if known is None:
                continue
            if old.ejector is not None:
                old.ejector.drop(known.condition)
            target.condition.edge.forget()
            del self._by_condition[target.condition]
            target.condition = known.condition
            target.condition.keeper = self
            self._by_condition[known.condition] = target
            if self.ejector is not None:
                self.ejector.keep(target)
            else:
                self.restore(known.condition, _CHANGED)
        if old.breaker is not None:
            self._take_over(old, old.breaker)
        self.refresh()

    def _take_over(self, old: Targets, breaker: Breaker) -> None:
        """Go on with the very breaker of an earlier configuration, by the rules of this one.

        Two of them would let two probes through, and what became of one would be told of the other.
        """
        if self.breaker is None:
            breaker.retire(_CHANGED)
            return
        breaker.rules = self.breaker.rules
        breaker.changed = self.refresh
        self.breaker = breaker
        old._guards = False

    def _condition(self, endpoint: Endpoint) -> Condition:
        name, url = self.name, identity(endpoint)
        edge = Edge(
            self._teller,
            lambda reason: UpstreamUnhealthy(name, url, reason),
            lambda reason: UpstreamRecovered(name, url, reason),
        )
        return Condition(self, edge)

    def _forget(self, condition: Condition) -> None:
        if condition.keeper is self:
            condition.edge.forget()
        if self.ejector is not None:
            self.ejector.drop(condition)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them, in the order of the configuration."""
        return tuple(target.endpoint for target in self._of.values())

    def __iter__(self) -> Iterator[Target]:
        return iter(self._of.values())

    def __getitem__(self, endpoint: Endpoint | str) -> Target:
        """One target, by its endpoint or its `identity`. :raises KeyError: when there is none such."""
        return self._of[endpoint if isinstance(endpoint, str) else identity(endpoint)]

    # which are ready

    def refresh(self) -> None:
        """Something has changed: see anew which targets are ready, with which share, and how to choose."""
        every = list(self._of.values())
        self._ready = [t for t in every if t.condition.well and not t.condition.draining]
        self._share_out(every)
        if self._ready:
            self.balancer.use(self._ready, every)
        self.pick = self._way()
        self.repick(self.pick)

    def _share_out(self, every: Sequence[Target]) -> None:
        """Shares are the weights, but for targets that start slowly."""
        now, slow = self._means.now(), self.slow_start
        ramping = slow > 0 and any(now - t.condition.returned < slow for t in self._ready)
        for target in every:
            part = min(1.0, (now - target.condition.returned) / slow) if ramping else 1.0
            target.share = max(1, round(target.weight * _STEPS * part)) if ramping else target.weight
        if ramping:
            self._means.wheel.arm(self._ramp, slow / _STEPS)

    def _way(self) -> Pick:
        if self.barred:
            return self._guarded
        if not self._ready:
            return self._none_ready
        if len(self._ready) == 1 and not self.balancer.chooses:
            return self._only(self._ready[0])
        return self._choosing()

    def _only(self, target: Target) -> Pick:
        """The way when there is no choice."""
        endpoint, condition, again = target.endpoint, target.condition, self._again

        def pick(exchange: Exchange) -> Endpoint:
            if exchange.attempts:
                return again(exchange)
            exchange.claim = condition
            condition.active += 1
            return endpoint

        return pick

    def _choosing(self) -> Pick:
        """The way when the balancer chooses."""
        choose, again = self.balancer.pick, self._again

        def pick(exchange: Exchange) -> Endpoint:
            if exchange.attempts:
                return again(exchange)
            target = choose(exchange)
            exchange.claim = condition = target.condition
            condition.active += 1
            return target.endpoint

        return pick

    def _again(self, exchange: Exchange) -> Endpoint:
        """Another try: where none was made in this exchange, while there is such a target."""
        last, claim = exchange.endpoint, exchange.claim
        if claim is not None:
            exchange.claim = None
            claim.release(None)
        elif last is not None and self.balancer.affine and self._is_ready(last):
            return self._claim(exchange, self[last])  # an idle connection was dead, not the target
        resort = self.last_resort(exchange)
        if resort is not None:
            return self._claim(exchange, resort, LastResort(resort.condition))
        if not self._ready:
            raise self._refusal()
        return self._claim(exchange, self.balancer.pick(exchange, self._avoided(exchange)))

    def _avoided(self, exchange: Exchange) -> tuple[Endpoint, ...]:
        """What was tried; when that is every target, the one tried last, if there is another."""
        tried = exchange.tried
        if any(target.endpoint not in tried for target in self._ready):
            return tried
        return tried[-1:] if len(self._ready) > 1 else ()

    def _is_ready(self, endpoint: Endpoint) -> bool:
        return any(target.endpoint is endpoint for target in self._ready)

    def _claim(self, exchange: Exchange, target: Target, claim: Claim | None = None) -> Endpoint:
        exchange.claim = claim or target.condition
        target.condition.active += 1
        return target.endpoint

    def last_resort(self, exchange: Exchange) -> Target | None:
        """The ejected target that is to be tried now, because every other one has failed; None while there is one."""
        if self.ejector is None:
            return None
        tried = (*exchange.tried, exchange.endpoint)
        hopeless = self.ejector.hopeless
        if any(t.endpoint not in tried and not hopeless(t.condition) for t in self._ready):
            return None
        return self.ejector.last_resort(
            [t for t in self._of.values() if t.endpoint not in tried and not t.condition.draining]
        )

    def _none_ready(self, exchange: Exchange) -> Endpoint:
        """No target is ready: what was ejected is better than nothing."""
        if exchange.attempts:
            return self._again(exchange)
        resort = self.last_resort(exchange)
        if resort is None:
            raise self._refusal()
        return self._claim(exchange, resort, LastResort(resort.condition))

    def _guarded(self, exchange: Exchange) -> Endpoint:
        """The breaker is open, or lets one probe through."""
        breaker = self.breaker if self.barred else None  # closed: whoever shares it was not told of that
        if breaker is not None:
            breaker.admit()
        endpoint = self._choosing()(exchange) if self._ready else self._none_ready(exchange)
        if breaker is not None and exchange.claim is not None:
            exchange.claim = breaker.watch(exchange.claim)
        return endpoint

    @property
    def barred(self) -> bool:
        """Whether no further try is made: the breaker is open, or awaits what comes of its probe."""
        return self.breaker is not None and self.breaker.state is not BreakerState.CLOSED

    def preview(self, exchange: Exchange) -> Endpoint:
        """Where `pick` would send a new exchange, without effect. :raises Unavailable: as `pick` would."""
        if self.breaker is not None and self.barred:
            self.breaker.admit()
        target = self.balancer.preview(exchange) if self._ready else self.last_resort(exchange)
        if target is None:
            raise self._refusal()
        return target.endpoint

    def _refusal(self) -> Unavailable:
        return Unavailable("no target of the upstream can take the request", retry_after=_RETRY_AFTER)

    # what is found out about them

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        """A try has failed without an answer. It speaks against the target when the upstream is at fault, but for a
        connection that was closed while it was idle."""
        claim = exchange.claim
        if claim is None:
            return
        if error.retry is Retry.REUSED and not exchange.fresh:
            exchange.claim = None  # by which `_again` knows
            claim.release(None)
        elif error.fault is Fault.UPSTREAM:
            claim.failed(error)

    def blame(self, condition: Condition, cause: GatewayError | int) -> None:
        """:see: `proxy.upstream.condition.Keeper.blame`."""
        target = self._by_condition.get(condition)
        if target is not None and self.ejector is not None:
            among = [t for t in self._of.values() if not t.condition.draining]
            reason = self.ejector.blame(target, cause, among)
            if reason:
                self._tell(target, f"ejected for {condition.until - condition.ejected_at:.0f} s: {reason}")
        if self.breaker is not None:
            conditions = [t.condition for t in self._of.values()]
            self.breaker.blame(sum(c.answers for c in conditions), sum(c.failures for c in conditions))

    def restore(self, condition: Condition, reason: str) -> None:
        """:see: `proxy.upstream.condition.Keeper.restore`."""
        target = self._by_condition.get(condition)
        if target is None or not condition.ejected:
            return
        if self.ejector is not None:
            self.ejector.drop(condition)
        condition.rehabilitate(self._means.now())
        self._tell(target, reason)

    def probed(self, target: Target, healthy: bool, reason: str) -> None:
        """Enough probes agree that a target is healthy, or that it is not."""
        condition = target.condition
        if condition.unhealthy is not healthy:
            return
        condition.unhealthy = not healthy
        if healthy:
            condition.returned = self._means.now()
            condition.streak = 0
        self._tell(target, reason)

    def _tell(self, target: Target, reason: str) -> None:
        """A target went out or came back."""
        condition = target.condition
        if condition.well is condition.edge.out:
            level = logging.INFO if condition.well else logging.WARNING
            what = "takes requests again" if condition.well else "takes no requests"
            log.log(level, "upstream %s: %s %s: %s", self.name, target.endpoint, what, reason)
        condition.edge.set(not condition.well, reason)
        self.refresh()

    # what an operator asks for

    def drain(self, endpoint: Endpoint | str, draining: bool = True) -> None:
        """Send no new requests to a target, or send them again; clients that stick to it stay."""
        self[endpoint].condition.draining = draining
        self.refresh()

    def set_weight(self, endpoint: Endpoint | str, weight: int | None) -> None:
        """Weigh a target otherwise than configured; None for as configured."""
        if weight is not None and not 1 <= weight <= 1000:
            raise ValueError(f"a weight is 1 to 1000, not {weight}; drain a target that is to get nothing")
        self[endpoint].condition.weight = weight
        self.refresh()

    def close(self) -> None:
        """Watch nothing any more; conditions that another took over are left alone."""
        self._means.wheel.forget(self._ramp)
        if self.breaker is not None and self._guards:
            self.breaker.close()
        if self.ejector is not None:
            self.ejector.close()
        for target in self._of.values():
            self._forget(target.condition)

    def describe(self) -> str:
        """In words, for an explanation."""
        slow = f", slow start over {self.slow_start:g} s" if self.slow_start else ""
        return f"{self.balancer.describe()}, {len(self._ready)} of {len(self._of)} targets ready{slow}"


def _nobody(pick: Pick) -> None:
    """Nobody keeps the way to pick yet."""
