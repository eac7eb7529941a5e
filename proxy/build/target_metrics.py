"""What is shown of upstreams' targets, breakers and probes; read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from proxy.metrics import Metrics
from proxy.upstream.condition import Target, identity
from proxy.upstream.upstream import Upstream

Values: TypeAlias = dict[tuple[str, ...], float]

# A name for each, since one name has no more than a thousand time series.
_READINGS: dict[str, tuple[str, Callable[[Target], float]]] = {
    "ready": (
        "Whether a target takes requests.",
        lambda target: target.condition.well and not target.condition.draining,
    ),
    "unhealthy": ("Whether its probes have failed.", lambda target: target.condition.unhealthy),
    "ejected": ("Whether it was ejected.", lambda target: target.condition.ejected),
    "draining": ("Whether it is drained by an operator.", lambda target: target.condition.draining),
    "active": ("Tries under way on a target.", lambda target: target.condition.active),
    "answers": ("Tries on a target that were answered or have failed.", lambda target: target.condition.answers),
    "failures": ("Tries on a target that have failed.", lambda target: target.condition.failures),
    "weight": ("Its weight, as configured or set by an operator.", lambda target: target.weight),
}


def register_target_metrics(upstreams: Mapping[str, Upstream], metrics: Metrics) -> None:
    """Show those of these upstreams from now on."""
    endpoint = ("upstream", "endpoint")
    for name, (about, read) in _READINGS.items():
        metrics.gauge(f"passerelle_upstream_target_{name}", about, endpoint, partial(_values, upstreams, read))
    metrics.gauge(
        "passerelle_upstream_circuit",
        "The circuit breaker: 0 closed, 0.5 half open, 1 open.",
        ("upstream",),
        lambda: _breakers(upstreams),
    )
    metrics.gauge(
        "passerelle_health_check_age_seconds",
        "Since the last probe of a target ended.",
        endpoint,
        lambda: _ages(upstreams),
    )
    metrics.gauge(
        "passerelle_health_check_restarts",
        "Health checks that raised and began again.",
        ("upstream",),
        lambda: _restarts(upstreams),
    )


def _values(upstreams: Mapping[str, Upstream], read: Callable[[Target], float]) -> Values:
    return {
        (name, identity(target.endpoint)): float(read(target))
        for name, upstream in upstreams.items()
        for target in upstream.targets
    }


def _breakers(upstreams: Mapping[str, Upstream]) -> Values:
    found = ((name, upstream.targets.breaker) for name, upstream in upstreams.items())
    return {(name,): breaker.state.value for name, breaker in found if breaker is not None}


def _ages(upstreams: Mapping[str, Upstream]) -> Values:
    found = ((name, upstream.checker) for name, upstream in upstreams.items())
    return {
        (name, endpoint): age for name, check in found if check is not None for endpoint, age in check.ages().items()
    }


def _restarts(upstreams: Mapping[str, Upstream]) -> Values:
    found = ((name, upstream.checker) for name, upstream in upstreams.items())
    return {(name,): checker.restarts for name, checker in found if checker is not None}
