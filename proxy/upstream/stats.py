"""What became of an upstream's connections, counted where it happens."""

from __future__ import annotations

from proxy.errors import Fault, GatewayError, PoolFull
from proxy.metrics import Metrics

_WAITS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)  # seconds


class Stats:
    """One upstream's counters; those of the same name go on over reloads.

    :ivar created: connections made.
    :ivar reused: exchanges that found an idle connection.
    :ivar waited: exchanges that had to queue.
    """

    def __init__(self, metrics: Metrics, upstream: str) -> None:
        self._upstream = upstream
        names = ("upstream",)
        created = metrics.counter("passerelle_upstream_connections_created_total", "Connections made.", names)
        reused = metrics.counter(
            "passerelle_upstream_connections_reused_total", "Requests sent on a connection that was idle.", names
        )
        waited = metrics.counter("passerelle_upstream_queued_total", "Requests that waited for a connection.", names)
        waits = metrics.histogram(
            "passerelle_upstream_queue_seconds", "How long they waited, whatever became of them.", _WAITS, names
        )
        self._closed = metrics.counter(
            "passerelle_upstream_connections_closed_total", "Connections closed, by reason.", ("upstream", "reason")
        )
        self._errors = metrics.counter(
            "passerelle_upstream_errors_total",
            "Tries that failed, by the error's code; answers of the upstream are none.",
            ("upstream", "kind"),
        )
        self.created = created.child(upstream)
        self.reused = reused.child(upstream)
        self.waited = waited.child(upstream)
        self.wait = waits.child(upstream).observe

    def closed(self, reason: str) -> None:
        """A connection is gone."""
        self._closed.inc(self._upstream, reason)

    def failed(self, error: GatewayError) -> None:
        """A try has failed; what its client did is not counted."""
        if error.fault is Fault.UPSTREAM or isinstance(error, PoolFull):
            self._errors.inc(self._upstream, error.code)
