"""One answer for the whole server out of what each worker knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_LARGEST = ("_seconds", "_info", "_timestamp")  # gauges that say the same of every worker, or of which the worst counts


def merge(parts: Iterable[Iterable[Metric]]) -> list[Metric]:
    """Every worker's metrics as one set: counters, histograms and most gauges are added up.

    Gauges of times and of versions are not: of these the largest is taken, so that an age is the oldest one and
    something that every worker says alike is said once. What is given is left as it is.
    """
    merged: dict[str, Metric] = {}
    totals: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for part in parts:
        for metric in part:
            merged.setdefault(metric.name, copy(metric))
            sums = totals.setdefault(metric.name, {})
            largest = metric.type == "gauge" and metric.name.endswith(_LARGEST)
            for sample in metric.samples:
                key = sample.name, tuple(sorted(sample.labels.items()))
                known = sums.get(key)
                if known is None:
                    sums[key] = sample.value
                else:
                    sums[key] = max(known, sample.value) if largest else known + sample.value
    for name, metric in merged.items():
        metric.samples = []
        for (sample_name, labels), value in totals[name].items():
            metric.add_sample(sample_name, dict(labels), value)
    return list(merged.values())


def exposition(merged: Sequence[Metric]) -> tuple[bytes, str]:
    """Metrics in Prometheus's text format, and its content type."""
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
    from prometheus_client.registry import Collector, CollectorRegistry

    class Given(Collector):
        def collect(self) -> Sequence[Metric]:
            return merged

    registry = CollectorRegistry()
    registry.register(Given())
    return generate_latest(registry), CONTENT_TYPE_LATEST


def documents(parts: Sequence[Any], key: str = "") -> Any:
    """JSON documents of the same shape as one: numbers are added up, lists of named things joined by name.

    What is no figure (a name, a URL, a setting) is taken from the first. Where workers differ in a state, the states
    are listed beside it under `<key>_by_worker`.
    """
    first = parts[0]
    if isinstance(first, Mapping):
        return _mappings([part for part in parts if isinstance(part, Mapping)])
    if isinstance(first, list):
        return _lists([part for part in parts if isinstance(part, list)])
    if isinstance(first, int | float) and not isinstance(first, bool) and key in _FIGURES:
        return sum(part for part in parts if isinstance(part, int | float))
    return first


# Members of answers that are figures of one worker; every other number is a setting, the same in all.
_FIGURES = frozenset(
    {
        "active",
        "busy",
        "bypass",
        "bytes",
        "bytes_served",
        "collapsed",
        "connections",
        "corrupt",
        "created",
        "dropped",
        "entries",
        "evictions",
        "failures",
        "fetching",
        "filling",
        "hit",
        "hits",
        "idle",
        "miss",
        "misses",
        "nothing",
        "open",
        "purged",
        "queued",
        "refreshing",
        "refused",
        "requests",
        "requests_active",
        "requests_total",
        "reused",
        "revalidated",
        "stale",
        "stale-error",
        "waited",
    }
)
_STATES = frozenset({"state", "healthy", "ejected", "draining", "ready", "redis", "revision"})


def _mappings(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        values = [part[name] for part in parts if name in part]
        merged[name] = documents(values, name)
        if name in _STATES and any(value != values[0] for value in values[1:]):
            merged[f"{name}_by_worker"] = values
    return merged


def _lists(parts: Sequence[list[Any]]) -> list[Any]:
    if not all(isinstance(item, Mapping) and _name(item) for part in parts for item in part):
        return parts[0]
    grouped: dict[str, list[Any]] = {}
    for part in parts:
        for item in part:
            grouped.setdefault(_name(item), []).append(item)
    return [_mappings(items) for items in grouped.values()]


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("name") or item.get("id") or item.get("url") or "")
