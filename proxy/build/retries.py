"""Rules for trying again: from the settings to a policy that counts what it decides."""

from __future__ import annotations

from functools import partial

from proxy.build.runtime import Runtime
from proxy.settings import Retry
from proxy.upstream.retry import Backoff, Budget, RetryPolicy


def make_retry(name: str, said: Retry | None, runtime: Runtime) -> RetryPolicy:
    """Without `retry` nothing is tried again but what a kept connection swallowed."""
    count = runtime.metrics.counter(
        "passerelle_retries_total", "Failed tries that were worth another one.", ("upstream", "cause", "outcome")
    )
    told = partial(count.inc, name)
    if said is None:
        return RetryPolicy(runtime.clock, Budget(runtime.clock, 0.0), 0, told=told)
    backoff = None if said.backoff is None else Backoff(runtime.random, said.backoff.base, said.backoff.longest)
    return RetryPolicy(
        runtime.clock,
        Budget(runtime.clock, said.budget),
        said.attempts,
        frozenset(map(str, said.on)),
        per_try=said.per_try_timeout or 0.0,
        buffer=said.buffer,
        hold=said.hold,
        backoff=backoff,
        told=told,
    )
