"""Plans and snapshots: what is known before any request."""

from __future__ import annotations

from proxy.api import Plugin, PluginConfig
from proxy.chain import Chain, Link
from proxy.exchange import Exchange
from proxy.patience import DEFAULT_PATIENCE, Patience
from proxy.plan import Plan, Snapshot
from proxy.routing import Match, Rewrite, Route, Router
from proxy.testing import bench


def test_a_plan_knows_its_chain_and_has_counted_nothing() -> None:
    links = [Link(name, name, Plugin(PluginConfig())) for name in "ab"]
    plan = Plan("site", Chain(links), None)
    assert (plan.name, plan.size, plan.upstream, plan.rewrite) == ("site", 2, None, None)
    assert plan.patience is DEFAULT_PATIENCE
    assert plan.counters == {}
    assert plan.latency is None
    assert plan.active == 0


def test_a_snapshot_is_what_it_was_made_of() -> None:
    plan, fallback = Plan("site", Chain([]), None, patience=Patience(1, 2, 3)), Plan("", Chain([]), None)
    router = Router([Route("site", Match(), plan)])
    snapshot = Snapshot(router, fallback, {}, [plan], "abc")
    assert (snapshot.router, snapshot.fallback, snapshot.plans) == (router, fallback, [plan])
    assert (snapshot.upstreams, snapshot.revision) == ({}, "abc")
    assert plan.patience.between_bytes == 3
    assert (plan.revision, fallback.revision) == ("abc", "abc")


async def test_a_plan_rewrites_the_target_and_leaves_the_request_as_it_was() -> None:
    async with bench() as made:
        made.engine.snapshot.plans[0].rewrite = Rewrite("/api/*", strip="/api", template="")
        done = await made.send("GET /api/users?a=b")
    assert done.exchange.request.target == "/api/users?a=b"
    assert done.forwarded is not None
    assert done.forwarded.target == "/users?a=b"


class Looking(Plugin[PluginConfig]):
    """Counts what runs on the snapshot at each hook."""

    def configured(self) -> None:
        self.seen: list[int] = []

    def on_request(self, exchange: Exchange) -> None:
        self.seen.append(exchange.plan.active)


async def test_a_snapshot_knows_what_runs_on_it() -> None:
    plugin = Looking(PluginConfig())
    async with bench(plugin) as made:
        await made.send("GET /")
        await made.send("GET /", leaves="before")
        assert (plugin.seen, made.engine.snapshot.active) == ([1, 1], 0)


async def test_a_plan_keeps_its_time_series_at_hand() -> None:
    async with bench() as made:
        plan = made.engine.snapshot.plans[0]
        await made.send("GET /")
        child = plan.counters[200]
        await made.send("GET /")
        assert plan.counters[200] is child
        assert child.value == 2
        assert plan.latency is not None
        assert sum(plan.latency.counts) == 2
