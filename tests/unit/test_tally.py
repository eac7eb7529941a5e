"""What is counted of an exchange."""

from __future__ import annotations

import pytest

from proxy.chain import Chain
from proxy.errors import ClientLeft, ConnectFailed, GatewayError
from proxy.message import Response
from proxy.metrics import Metrics
from proxy.plan import Plan
from proxy.tally import Tally
from proxy.testing import drive


@pytest.mark.parametrize(
    ("response", "error", "status"),
    [
        (Response(204), None, "204"),
        (Response(502), ConnectFailed("refused"), "502"),
        (Response(200), ConnectFailed("made good"), "200"),
        (Response(200), ClientLeft("gone"), "499"),
        (None, ClientLeft("gone"), "499"),
        (None, None, "499"),
    ],
)
async def test_every_exchange_counts_once(response: Response | None, error: GatewayError | None, status: str) -> None:
    metrics = Metrics()
    x = (await drive()).exchange
    x.response, x.error, x.started, x.finished = response, error, 10.0, 10.2
    plan = Plan("site", Chain([]), None)
    tally = Tally(metrics)
    tally.count(x, plan)
    tally.count(x, plan)
    counter = metrics.counter("passerelle_requests_total", "", ("route", "status"))
    assert {labels: child.value for labels, child in counter.children()} == {("site", status): 2}
    assert plan.latency is not None
    assert plan.latency.sum == pytest.approx(0.4)
    assert plan.latency.counts[plan.latency.bounds.index(0.25)] == 2


async def test_a_tunnels_life_is_no_latency() -> None:
    metrics = Metrics()
    x = (await drive()).exchange
    x.response, x.started, x.finished = Response(101), 10.0, 4000.0
    plan = Plan("site", Chain([]), None)
    Tally(metrics).count(x, plan)
    counter = metrics.counter("passerelle_requests_total", "", ("route", "status"))
    assert {labels: child.value for labels, child in counter.children()} == {("site", "101"): 1}
    assert plan.latency is None
