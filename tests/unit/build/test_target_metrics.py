"""What is shown of targets, breakers and probes."""

from __future__ import annotations

from proxy.build import Runtime
from proxy.build.target_metrics import register_target_metrics
from proxy.build.upstreams import make_upstreams
from proxy.settings import Settings

BOTH = ["http://127.0.0.1:9001", {"url": "http://127.0.0.1:9002", "weight": 3}]


async def test_targets_breakers_and_ages(runtime: Runtime) -> None:
    said = {"app": {"targets": BOTH, "health": True, "breaker": True}, "plain": {"targets": BOTH[:1]}}
    held = make_upstreams(Settings.model_validate({"upstreams": said}), runtime)
    made = {name: one.thing for name, one in held.items()}
    one, two = made["app"].targets
    made["app"].start()
    one.condition.ejected = True
    two.condition.active, two.condition.answers = 2, 5
    made["app"].drain(two.endpoint)
    register_target_metrics(made, runtime.metrics)
    text = runtime.metrics.exposition()[0].decode()
    for line in (
        'passerelle_upstream_target_ready{endpoint="http://127.0.0.1:9001",upstream="app"} 0.0',
        'passerelle_upstream_target_ready{endpoint="http://127.0.0.1:9001",upstream="plain"} 1.0',
        'passerelle_upstream_target_ejected{endpoint="http://127.0.0.1:9001",upstream="app"} 1.0',
        'passerelle_upstream_target_active{endpoint="http://127.0.0.1:9002",upstream="app"} 2.0',
        'passerelle_upstream_target_answers{endpoint="http://127.0.0.1:9002",upstream="app"} 5.0',
        'passerelle_upstream_target_draining{endpoint="http://127.0.0.1:9002",upstream="app"} 1.0',
        'passerelle_upstream_target_weight{endpoint="http://127.0.0.1:9002",upstream="app"} 3.0',
        'passerelle_upstream_circuit{upstream="app"} 0.0',
        'passerelle_health_check_restarts{upstream="app"} 0.0',
    ):
        assert line in text, line
    assert text.count("passerelle_health_check_age_seconds{") == 2
    assert 'passerelle_upstream_circuit{upstream="plain"}' not in text
    for upstream in made.values():
        await upstream.close()
