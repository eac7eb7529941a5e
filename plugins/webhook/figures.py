"""What metrics tell of webhooks."""

from __future__ import annotations

from collections.abc import Mapping

from plugins.webhook.verdict import Reply
from proxy.api import Backlog, Metrics, StoredEvent

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0, 86400.0)


class Figures:
    """Counts attempts, and knows the backlog as it was last looked at."""

    def __init__(self, metrics: Metrics) -> None:
        self._attempts = metrics.counter(
            "passerelle_webhook_attempts_total", "Deliveries tried.", ("endpoint", "type", "result")
        )
        self._dead = metrics.counter("passerelle_webhook_dead_total", "Deliveries given up.", ("endpoint",))
        self._latency = metrics.histogram(
            "passerelle_webhook_delivery_seconds",
            "From an event's publishing until an endpoint has taken it.",
            buckets=_SECONDS,
            labels=("endpoint", "type"),
        )
        self._backlog = metrics.gauge("passerelle_webhook_backlog", "Deliveries that are pending.", ("endpoint",))
        self._oldest = metrics.gauge(
            "passerelle_webhook_oldest_seconds", "Age of the oldest event that is pending.", ("endpoint",)
        )

    def attempt(self, endpoint: str, event: StoredEvent, reply: Reply, seconds: float) -> None:
        """A delivery was tried, so many seconds after its event."""
        self._attempts.inc(endpoint, event.type, "ok" if reply.is_success else str(reply.status or "error"))
        if reply.is_success:
            self._latency.observe(max(0.0, seconds), endpoint, event.type)

    def dead(self, endpoint: str) -> None:
        """A delivery was given up."""
        self._dead.inc(endpoint)

    def backlog(self, mine: set[str], found: Mapping[str, Backlog], now: float) -> None:
        """What endpoints are owed; of those that another process delivers to, that one tells."""
        for endpoint in mine:
            one = found.get(endpoint, Backlog())
            self._backlog.set(one.pending, endpoint)
            self._oldest.set(max(0.0, now - one.oldest) if one.pending else 0.0, endpoint)

    def forget(self, endpoint: str) -> None:
        """Another process delivers to an endpoint now."""
        self._backlog.set(0, endpoint)
        self._oldest.set(0, endpoint)
