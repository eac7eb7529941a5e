"""What chooses among an upstream's targets and watches them: balancer, ejection, breaker and probes, as configured."""

from __future__ import annotations

import re
from collections.abc import Iterable

from proxy.build.runtime import Runtime
from proxy.events import CircuitClosed, CircuitOpened
from proxy.exchange import Endpoint
from proxy.metrics import Metrics
from proxy.settings import Balance, HashBy, Health, Sticky
from proxy.settings import Breaker as BreakerSettings
from proxy.settings import Eject as EjectSettings
from proxy.settings import Upstream as UpstreamSettings
from proxy.upstream.balance import Balancer, Cookie, Hashed, LeastBusy, RoundRobin, TwoChoices, key_of
from proxy.upstream.balance import Sticky as StickyBalancer
from proxy.upstream.breaker import Breaker, BreakerRules
from proxy.upstream.edges import Edge, Teller
from proxy.upstream.ejection import Means, Rules
from proxy.upstream.health import Check, Checker
from proxy.upstream.pool import Limits, Pool
from proxy.upstream.stats import Stats
from proxy.upstream.targets import Targets

_KNOCK = 1.0  # seconds for a bare connect


def make_targets(name: str, said: UpstreamSettings, endpoints: Iterable[Endpoint], runtime: Runtime) -> Targets:
    """The endpoints with all that decides which of them takes a request."""
    return Targets(
        name,
        endpoints,
        _balancer(said.balance, runtime),
        _means(runtime),
        _teller(runtime),
        rules=None if said.eject is None else _rules(said.eject),
        breaker=None if said.breaker is None else _breaker(name, said.breaker, runtime),
        slow_start=said.slow_start,
    )


def make_checker(name: str, said: Health | None, targets: Targets, runtime: Runtime) -> Checker | None:
    """The active health checks; None when there are none."""
    if said is None:
        return None
    pool = Pool(
        runtime.connector,
        (),
        Limits(max_connections=1_000_000, max_idle=0),  # one a target: `Checker` has no second probe under way
        clock=runtime.clock,
        wheel=runtime.wheel,
        spawn=runtime.spawn,
        via=f"1.1 passerelle ({runtime.token})",
        stats=Stats(Metrics(), name),  # probes are not counted among the connections for requests
        randomness=runtime.random,
    )
    return Checker(_check(said), targets, _means(runtime), pool.acquire, runtime.probing)


def _means(runtime: Runtime) -> Means:
    async def knock(endpoint: Endpoint) -> None:
        connection = await runtime.connector.open(endpoint, _KNOCK)
        connection.abort()
        runtime.connector.forget(connection)

    return Means(runtime.clock, runtime.wheel, runtime.random, runtime.spawn, knock)


def _teller(runtime: Runtime) -> Teller:
    return Teller(runtime.events, runtime.clock, runtime.wheel)


def _balancer(said: Balance, runtime: Runtime) -> Balancer:
    if isinstance(said, HashBy):
        return Hashed(key_of(said.hash), said.hash)
    if isinstance(said, Sticky):
        how = said.sticky
        secret = how.secret.encode() or runtime.secret
        return StickyBalancer(Cookie(how.cookie, secret, how.max_age), _balancer(how.otherwise, runtime))
    if said == "two_choices":
        return TwoChoices(runtime.random)
    return LeastBusy() if said == "least_busy" else RoundRobin()


def _rules(said: EjectSettings) -> Rules:
    return Rules(
        after=said.after,
        lasting=said.lasting,
        at_most=said.at_most,
        ratio=said.failure_ratio,
        of_at_least=said.of_at_least,
        within=said.within,
    )


def _breaker(name: str, said: BreakerSettings, runtime: Runtime) -> Breaker:
    edge = Edge(
        _teller(runtime),
        lambda reason: CircuitOpened(name, "", reason),
        lambda reason: CircuitClosed(name, "", reason),
    )
    rules = BreakerRules(said.failure_ratio, said.of_at_least, said.within, said.open)
    return Breaker(rules, runtime.clock, runtime.wheel, runtime.random, edge)


def _check(said: Health) -> Check:
    return Check(
        said.path,
        method=said.method,
        statuses=[_range(status) for status in said.status],
        body=None if said.body is None else re.compile(said.body.encode()),
        host=said.host or "",
        every=said.every,
        jitter=said.jitter,
        timeout=said.timeout,
        fall=said.fall,
        rise=said.rise,
    )


def _range(status: str) -> tuple[int, int]:
    low, _, high = status.partition("-")
    return int(low), int(high or low)
