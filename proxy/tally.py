"""What is counted of every exchange, whatever became of it."""

from __future__ import annotations

from proxy.errors import ClientLeft
from proxy.exchange import Exchange
from proxy.metrics import Metrics
from proxy.plan import Plan

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds
_LEFT = 499
_SWITCHED = 101


class Tally:
    """Counts exchanges by route and status, and how long they took. The plan keeps the time series at hand."""

    __slots__ = ("_durations", "_requests")

    def __init__(self, metrics: Metrics) -> None:
        self._requests = metrics.counter("passerelle_requests_total", "Exchanges completed.", ("route", "status"))
        self._durations = metrics.histogram(
            "passerelle_request_seconds", "From the request's head to the answer's last byte.", _BUCKETS, ("route",)
        )

    def count(self, x: Exchange, plan: Plan) -> None:
        """The exchange is over; without an answer, or without a client to take it, it counts as 499."""
        response = x.response
        status = _LEFT if response is None or isinstance(x.error, ClientLeft) else response.status
        child = plan.counters.get(status)
        if child is None:
            child = plan.counters[status] = self._requests.child(plan.name, str(status))
        child.value += 1.0
        if status == _SWITCHED:
            return  # how long a tunnel lives says nothing about how long requests take
        if plan.latency is None:
            plan.latency = self._durations.child(plan.name)
        plan.latency.observe(x.finished - x.started)
