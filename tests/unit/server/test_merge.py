"""One answer out of several."""

from __future__ import annotations

from proxy.metrics import Metrics
from proxy.server.merge import documents, exposition, merge


def worker(requests: int, age: float, revision: str = "abc") -> Metrics:
    metrics = Metrics()
    counter = metrics.counter("passerelle_requests_total", "Requests.", ("route",))
    counter.inc("api", by=requests)
    metrics.gauge("passerelle_open", "Open.").set(requests)
    metrics.gauge("passerelle_probe_age_seconds", "Age.").set(age)
    metrics.gauge("passerelle_config_info", "Config.", ("revision",)).set(1, revision)
    metrics.histogram("passerelle_wait_seconds", "Wait.", (0.1, 1.0)).observe(requests / 10)
    return metrics


def text(*workers: Metrics) -> list[str]:
    data, kind = exposition(merge([one.collect() for one in workers]))
    assert kind.startswith("text/plain")
    return [line for line in data.decode().splitlines() if not line.startswith("#")]


def test_counters_and_gauges_are_added_up() -> None:
    lines = text(worker(1, 2.0), worker(5, 1.0))
    assert 'passerelle_requests_total{route="api"} 6.0' in lines
    assert "passerelle_open 6.0" in lines


def test_distributions_are_added_up() -> None:
    lines = text(worker(1, 0), worker(5, 0))
    assert 'passerelle_wait_seconds_bucket{le="0.1"} 1.0' in lines
    assert 'passerelle_wait_seconds_bucket{le="1.0"} 2.0' in lines
    assert "passerelle_wait_seconds_count 2.0" in lines
    assert "passerelle_wait_seconds_sum 0.6" in lines


def test_of_ages_the_oldest_counts_and_what_is_alike_is_said_once() -> None:
    lines = text(worker(1, 2.0), worker(1, 7.0))
    assert "passerelle_probe_age_seconds 7.0" in lines
    assert 'passerelle_config_info{revision="abc"} 1.0' in lines


def test_what_only_one_worker_knows_is_there() -> None:
    other = Metrics()
    other.counter("passerelle_deaths_total", "Deaths.").inc()
    lines = text(worker(1, 0), other)
    assert "passerelle_deaths_total 1.0" in lines
    assert 'passerelle_requests_total{route="api"} 1.0' in lines


def test_figures_are_added_and_settings_are_not() -> None:
    one = {"name": "shop", "connections": {"busy": 2, "idle": 1, "max": 100}, "ok": True}
    other = {"name": "shop", "connections": {"busy": 3, "idle": 0, "max": 100}, "ok": True}
    assert documents([one, other]) == {"name": "shop", "connections": {"busy": 5, "idle": 1, "max": 100}, "ok": True}


def test_lists_are_joined_by_name() -> None:
    one = {"upstreams": [{"name": "a", "queued": 1}, {"name": "b", "queued": 2}], "listen": ["http://x"]}
    other = {"upstreams": [{"name": "b", "queued": 3}, {"name": "c", "queued": 4}], "listen": ["http://x"]}
    assert documents([one, other]) == {
        "upstreams": [{"name": "a", "queued": 1}, {"name": "b", "queued": 5}, {"name": "c", "queued": 4}],
        "listen": ["http://x"],
    }


def test_states_that_differ_are_all_shown() -> None:
    merged = documents([{"url": "http://a", "state": "healthy"}, {"url": "http://a", "state": "ejected"}])
    assert merged == {"url": "http://a", "state": "healthy", "state_by_worker": ["healthy", "ejected"]}
