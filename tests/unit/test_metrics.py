from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import proxy
from proxy.metrics import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(limit=3)


def scraped(metrics: Metrics) -> Samples:
    """What Prometheus would read, by its own client's parser."""
    body, _ = metrics.exposition()
    families = text_string_to_metric_families(body.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_counters_count_by_label_values(metrics: Metrics) -> None:
    requests = metrics.counter("passerelle_requests_total", "Requests.", ("route", "status"))
    requests.inc("api", "200")
    requests.inc("api", "200", by=2)
    child = requests.child("api", "404")
    child.add()
    child.value += 1
    assert scraped(metrics) == {
        ("passerelle_requests_total", (("route", "api"), ("status", "200"))): 3.0,
        ("passerelle_requests_total", (("route", "api"), ("status", "404"))): 2.0,
    }


def test_a_child_is_the_same_object_each_time(metrics: Metrics) -> None:
    family = metrics.counter("passerelle_x_total", "X.", ("a",))
    assert family.child("1") is family.child("1")
    assert family.child("1") is not family.child("2")


def test_what_has_no_labels_is_exposed_from_the_start(metrics: Metrics) -> None:
    metrics.counter("passerelle_a_total", "A.")
    metrics.gauge("passerelle_b", "B.")
    metrics.histogram("passerelle_c_seconds", "C.", [1])
    assert {name: value for (name, _), value in scraped(metrics).items()} == {
        "passerelle_a_total": 0.0,
        "passerelle_b": 0.0,
        "passerelle_c_seconds_bucket": 0.0,
        "passerelle_c_seconds_count": 0.0,
        "passerelle_c_seconds_sum": 0.0,
    }


def test_gauges_go_up_and_down(metrics: Metrics) -> None:
    gauge = metrics.gauge("passerelle_connections", "Connections.", ("listener",))
    gauge.set(5, "a")
    gauge.child("a").add(-2)
    gauge.child("b").set(7.5)
    assert scraped(metrics) == {
        ("passerelle_connections", (("listener", "a"),)): 3.0,
        ("passerelle_connections", (("listener", "b"),)): 7.5,
    }


def test_a_gauge_may_be_read_at_each_scrape(metrics: Metrics) -> None:
    held = [1]
    metrics.gauge("passerelle_held", "Held.", function=lambda: len(held))
    metrics.gauge("passerelle_idle", "Idle.", ("upstream",), function=lambda: {("shop",): 4, ("blog",): 2})
    held.append(2)
    assert scraped(metrics) == {
        ("passerelle_held", ()): 2.0,
        ("passerelle_idle", (("upstream", "shop"),)): 4.0,
        ("passerelle_idle", (("upstream", "blog"),)): 2.0,
    }


def test_the_function_given_last_counts_and_none_takes_none_away(metrics: Metrics) -> None:
    metrics.gauge("passerelle_held", "Held.", function=lambda: 1)
    metrics.gauge("passerelle_held", "Held.", function=lambda: 2)
    metrics.gauge("passerelle_held", "Held.")
    assert scraped(metrics) == {("passerelle_held", ()): 2.0}


def test_a_gauge_that_raises_is_left_out_and_logged(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    metrics.gauge("passerelle_wrong", "Wrong.", function=lambda: 1 / 0)
    metrics.counter("passerelle_right_total", "Right.").inc()
    with caplog.at_level(logging.ERROR):
        assert scraped(metrics) == {("passerelle_right_total", ()): 1.0}
    assert "no reading of passerelle_wrong" in caplog.text


def test_histograms_put_a_bound_into_its_own_bucket(metrics: Metrics) -> None:
    histogram = metrics.histogram("passerelle_seconds", "Seconds.", (0.1, 1, 10), ("route",))
    for seconds in (0.05, 0.1, 0.5, 1.0, 20):
        histogram.observe(seconds, "api")
    route = ("route", "api")
    assert scraped(metrics) == {
        ("passerelle_seconds_bucket", (("le", "0.1"), route)): 2.0,
        ("passerelle_seconds_bucket", (("le", "1.0"), route)): 4.0,
        ("passerelle_seconds_bucket", (("le", "10.0"), route)): 4.0,
        ("passerelle_seconds_bucket", (("le", "+Inf"), route)): 5.0,
        ("passerelle_seconds_count", (route,)): 5.0,
        ("passerelle_seconds_sum", (route,)): 21.65,
    }


def test_label_values_of_strangers_are_escaped(metrics: Metrics) -> None:
    metrics.counter("passerelle_x_total", "X.", ("path",)).inc('a"b\\c\nd')
    assert scraped(metrics) == {("passerelle_x_total", (("path", 'a"b\\c\nd'),)): 1.0}


def test_beyond_the_limit_time_series_share_one_and_are_counted(metrics: Metrics) -> None:
    family = metrics.counter("passerelle_x_total", "X.", ("a", "b"))
    for at in range(10):
        family.inc(str(at), "")
    family.inc("0", "")
    assert len(family.children()) == 4
    assert family.child("8", "") is family.child("other", "other")
    assert scraped(metrics) == {
        ("passerelle_x_total", (("a", "0"), ("b", ""))): 2.0,
        ("passerelle_x_total", (("a", "1"), ("b", ""))): 1.0,
        ("passerelle_x_total", (("a", "2"), ("b", ""))): 1.0,
        ("passerelle_x_total", (("a", "other"), ("b", "other"))): 7.0,
        ("passerelle_metrics_spilled_total", (("metric", "passerelle_x_total"),)): 8.0,
    }


def test_a_gauge_that_is_read_is_limited_too(metrics: Metrics) -> None:
    metrics.gauge("passerelle_x", "X.", ("a",), function=lambda: {(str(at),): at for at in range(5)})
    samples = scraped(metrics)
    assert sum(name == "passerelle_x" for name, _ in samples) == 3
    assert samples["passerelle_metrics_spilled_total", (("metric", "passerelle_x"),)] == 2.0


def test_the_default_limit_is_a_thousand() -> None:
    family = Metrics().counter("passerelle_x_total", "X.", ("a",))
    for at in range(2000):
        family.inc(str(at))
    assert len(family.children()) == 1001


def test_asking_again_goes_on_counting(metrics: Metrics) -> None:
    metrics.counter("passerelle_x_total", "X.", ("a",)).inc("1")
    metrics.counter("passerelle_x_total", "X, in other words.", ["a"]).inc("1")
    metrics.histogram("passerelle_y", "Y.", [1, 2]).observe(1)
    metrics.histogram("passerelle_y", "Y.", (1.0, 2.0)).observe(1)
    samples = scraped(metrics)
    assert samples["passerelle_x_total", (("a", "1"),)] == 2.0
    assert samples["passerelle_y_count", ()] == 2.0


def test_two_of_one_name_and_another_shape_are_an_error(metrics: Metrics) -> None:
    metrics.gauge("passerelle_x_total", "X.")
    metrics.counter("passerelle_y_total", "Y.", ("a",))
    metrics.histogram("passerelle_z", "Z.", [1])
    with pytest.raises(ValueError, match="already a metric"):
        metrics.counter("passerelle_x_total", "X.")
    with pytest.raises(ValueError, match="already a metric"):
        metrics.counter("passerelle_y_total", "Y.", ("b",))
    with pytest.raises(ValueError, match="already a metric"):
        metrics.histogram("passerelle_z", "Z.", [1, 2])


@pytest.mark.parametrize("name", ["requests_total", "passerelle_", "passerelle_X_total", "passerelle_a-b_total", ""])
def test_names_are_ours(metrics: Metrics, name: str) -> None:
    with pytest.raises(ValueError, match="begins with passerelle_"):
        metrics.gauge(name, "X.")


@pytest.mark.parametrize("labels", [("A",), ("__a",), ("a", "a"), ("a-b",), ("",)])
def test_labels_are_different_words(metrics: Metrics, labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="labels are different"):
        metrics.gauge("passerelle_x", "X.", labels)


def test_a_counters_name_says_so(metrics: Metrics) -> None:
    with pytest.raises(ValueError, match="ends in _total"):
        metrics.counter("passerelle_x", "X.")


@pytest.mark.parametrize("buckets", [(), (2, 1), (1, 1), (1, float("inf"))])
def test_buckets_rise_and_are_finite(metrics: Metrics, buckets: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="buckets are finite"):
        metrics.histogram("passerelle_x", "X.", buckets)


def test_the_label_le_is_taken(metrics: Metrics) -> None:
    with pytest.raises(ValueError, match="the label le"):
        metrics.histogram("passerelle_x", "X.", [1], ("le",))


@pytest.mark.parametrize("values", [(), ("a",), ("a", "b", "c")])
def test_as_many_values_as_labels(metrics: Metrics, values: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="has the labels"):
        metrics.gauge("passerelle_x", "X.", ("a", "b")).child(*values)


def test_the_exposition_says_what_it_is(metrics: Metrics) -> None:
    metrics.counter("passerelle_x_total", "What X is.").inc()
    body, kind = metrics.exposition()
    assert kind.startswith("text/plain; version=")
    assert b"# HELP passerelle_x_total What X is.\n# TYPE passerelle_x_total counter\n" in body
    assert b"passerelle_x_total 1.0\n" in body


def test_the_client_library_is_loaded_by_the_first_scrape_only() -> None:
    code = "import sys, proxy.metrics as m; m.Metrics().counter('passerelle_x_total', 'X.').inc(); "
    code += "early = 'prometheus_client' in sys.modules; m.Metrics().exposition(); "
    code += "sys.exit(early or 'prometheus_client' not in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(proxy.__file__).parents[1], check=False).returncode == 0
    )
