"""Upstreams: from the settings to endpoints, pools and rules for trying again."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from proxy.build.runtime import Runtime
from proxy.exchange import Endpoint, Patience
from proxy.settings import Pool as PoolSettings
from proxy.settings import Settings, Target, Timeouts
from proxy.settings import Upstream as UpstreamSettings
from proxy.upstream.pool import Limits, Pool
from proxy.upstream.retry import Budget
from proxy.upstream.stats import Stats
from proxy.upstream.upstream import RetryPolicy, Upstream

_DEFAULT_PORTS = {"http": 80, "https": 443}


def make_upstreams(settings: Settings, runtime: Runtime) -> dict[str, Upstream]:
    """Every upstream by name; no connection is made yet."""
    return {name: _upstream(name, one, runtime) for name, one in settings.upstreams.items()}


def patience(timeouts: Timeouts) -> Patience:
    """The timeouts in the form that the transport reads."""
    return Patience(timeouts.connect, timeouts.first_byte, timeouts.between_bytes)


def _upstream(name: str, said: UpstreamSettings, runtime: Runtime) -> Upstream:
    endpoints = [_endpoint(target, said.host_for(target)) for target in said.targets]
    pool = Pool(
        runtime.connector,
        endpoints,
        _limits(said.pool),
        clock=runtime.clock,
        wheel=runtime.wheel,
        spawn=runtime.spawn,
        flusher=runtime.flusher,
        via=f"1.1 passerelle ({runtime.token})",
        stats=Stats(runtime.metrics, name),
        randomness=runtime.random,
    )
    return Upstream(name, endpoints, pool, patience(said.timeouts), _policy(said), _budget(said, runtime))


def _limits(said: PoolSettings) -> Limits:
    return Limits(
        said.max_connections,
        said.max_idle,
        said.idle_timeout,
        lifetime=said.lifetime,
        max_requests=inf if said.max_requests is None else said.max_requests,
        queue=said.queue,
        queue_timeout=said.queue_timeout,
    )


def _endpoint(target: Target, host: str) -> Endpoint:
    bracketed = f"[{target.host}]" if ":" in target.host else target.host
    standard = target.port == _DEFAULT_PORTS[target.scheme]
    authority = bracketed if standard else f"{bracketed}:{target.port}"
    field = {"pass": "", "upstream": authority}.get(host, host)
    return Endpoint(
        target.url,
        target.scheme,
        target.host,
        target.port,
        weight=target.weight,
        authority=authority,
        host_field=field,
    )


def _policy(said: UpstreamSettings) -> RetryPolicy:
    if said.retry is None:
        return RetryPolicy(0, connect=False, reset=False)
    causes = said.retry.on
    statuses = frozenset(cause for cause in causes if isinstance(cause, int))
    return RetryPolicy(said.retry.attempts, connect="connect" in causes, reset="reset" in causes, statuses=statuses)


def _budget(said: UpstreamSettings, runtime: Runtime) -> Budget:
    return Budget(runtime.clock, said.retry.budget if said.retry is not None else 0.0)


def register_metrics(upstreams: Mapping[str, Upstream], runtime: Runtime) -> None:
    """Show the pools; read at each scrape."""
    about = "Connections to an upstream by state, and the requests queued for one."

    def connections() -> dict[tuple[str, ...], float]:
        return {
            (name, state): value
            for name, one in upstreams.items()
            for state, value in (
                ("open", one.pool.open),
                ("idle", one.pool.idle),
                ("busy", one.pool.open - one.pool.idle),
                ("queued", one.pool.queued),
            )
        }

    runtime.metrics.gauge("passerelle_upstream_connections", about, ("upstream", "state"), connections)
