"""Counters, gauges and histograms light enough for every request, and their exposition for Prometheus.

The client library's own instruments take a lock and a method call or three for each change; here a change is an
addition to an attribute, since all of them are made on one loop. The library is used for what it is best at, the text
format, and is loaded by the first scrape.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Labels: TypeAlias = tuple[str, ...]
Reading: TypeAlias = Callable[[], float | Mapping[Labels, float]]

OTHER = "other"  # the label values of the child that takes what is beyond the limit

_NAME = re.compile(r"passerelle_[a-z0-9_]*[a-z0-9]")
_LABEL = re.compile(r"(?!__)[a-z_][a-z0-9_]*")
_SPILLED = "passerelle_metrics_spilled_total"

log = logging.getLogger("passerelle.metrics")


class CounterChild:
    """One time series that only grows; `child.value += 1` is the quickest way to count.

    :ivar value: the sum so far.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, by: float = 1) -> None:
        """Count; `by` must not be negative."""
        self.value += by


class GaugeChild:
    """One time series that goes up and down.

    :ivar value: the present value.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        """It is now so much."""
        self.value = value

    def add(self, by: float = 1) -> None:
        """It is more by so much, or less."""
        self.value += by


class HistogramChild:
    """One distribution.

    :ivar bounds: upper bounds of the buckets, inclusive; one more bucket takes what is above them all.
    :ivar counts: observations in each bucket, not cumulated.
    :ivar sum: of all observations.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Take note of a value, mostly seconds."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


Child = TypeVar("Child")


class Family(Generic[Child]):
    """All time series of one name.

    :ivar spilled: how often there was no room for label values, and the child `other` was given instead.
    """

    def __init__(self, name: str, about: str, labels: Labels, limit: int, make: Callable[[], Child]) -> None:
        _check(name, labels)
        self.name = name
        self.about = about
        self.labels = labels
        self.spilled = 0
        self._limit = limit
        self._make = make
        self._children: dict[Labels, Child] = {}
        if not labels:
            self.child()  # so that it is exposed as 0 before the first event

    @property
    def shape(self) -> tuple[object, ...]:
        """What two registrations of one name must agree on."""
        return type(self), self.labels

    def child(self, *values: str) -> Child:
        """The time series with these label values: the same object each time, to be kept by hot paths.

        Beyond the limit it is a common one, whose label values are all `other`.

        :raises ValueError: when there are not as many values as labels.
        """
        child = self._children.get(values)
        return self._admit(values) if child is None else child

    def children(self) -> list[tuple[Labels, Child]]:
        """Every time series with its label values."""
        return list(self._children.items())

    def _admit(self, values: Labels) -> Child:
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {len(values)} values")
        other = (OTHER,) * len(values)
        if len(self._children) >= self._limit and values != other:
            self.spilled += 1
            return self.child(*other)
        child = self._children[values] = self._make()
        return child


class Counter(Family[CounterChild]):
    """Something counted: requests, errors, bytes.

    :ivar function: read at each scrape in place of the children, for what is counted elsewhere.
    """

    def __init__(self, name: str, about: str, labels: Labels, limit: int) -> None:
        self.function: Reading | None = None
        if not name.endswith("_total"):
            raise ValueError(f"a counter's name ends in _total: {name!r}")
        super().__init__(name, about, labels, limit, CounterChild)

    def inc(self, *values: str, by: float = 1) -> None:
        """Count for these label values."""
        self.child(*values).value += by

    def expose(self) -> Metric:
        """The present values, for the exposition."""
        from prometheus_client.core import CounterMetricFamily

        metric = CounterMetricFamily(self.name, self.about, labels=self.labels)
        for values, value in _readings(self, self.function, self._limit):
            metric.add_metric(values, value)
        return metric


class Gauge(Family[GaugeChild]):
    """Something that goes up and down: connections, bytes held.

    :ivar function: read at each scrape instead of the children: a number, or with labels a mapping of label values to
        numbers.
    """

    def __init__(self, name: str, about: str, labels: Labels, limit: int) -> None:
        self.function: Reading | None = None
        super().__init__(name, about, labels, limit, GaugeChild)

    def set(self, value: float, *values: str) -> None:
        """It is now so much for these label values."""
        self.child(*values).value = value

    def readings(self) -> list[tuple[Labels, float]]:
        """The present values. What `function` gives beyond the limit is left out and counted as spilled."""
        return _readings(self, self.function, self._limit)

    def expose(self) -> Metric:
        """The present values, for the exposition."""
        from prometheus_client.core import GaugeMetricFamily

        metric = GaugeMetricFamily(self.name, self.about, labels=self.labels)
        for values, value in self.readings():
            metric.add_metric(values, value)
        return metric


class Histogram(Family[HistogramChild]):
    """A distribution, mostly of seconds.

    :ivar buckets: upper bounds, inclusive, rising; the one without bound is implied.
    """

    def __init__(self, name: str, about: str, buckets: tuple[float, ...], labels: Labels, limit: int) -> None:
        if not buckets or list(buckets) != sorted(set(buckets)) or buckets[-1] == inf:
            raise ValueError(f"{name}: buckets are finite bounds that rise: {buckets}")
        if "le" in labels:
            raise ValueError(f"{name}: the label le is the buckets' own")
        self.buckets = buckets
        super().__init__(name, about, labels, limit, lambda: HistogramChild(buckets))

    @property
    def shape(self) -> tuple[object, ...]:
        """The buckets count too."""
        return *super().shape, self.buckets

    def observe(self, value: float, *values: str) -> None:
        """Take note of a value for these label values."""
        self.child(*values).observe(value)

    def expose(self) -> Metric:
        """The present values, for the exposition."""
        from prometheus_client.core import HistogramMetricFamily

        metric = HistogramMetricFamily(self.name, self.about, labels=self.labels)
        bounds = [*(str(float(bound)) for bound in self.buckets), "+Inf"]
        for values, child in self.children():
            metric.add_metric(values, list(zip(bounds, accumulate(child.counts), strict=True)), child.sum)
        return metric


AnyFamily: TypeAlias = Counter | Gauge | Histogram
F = TypeVar("F", Counter, Gauge, Histogram)


class Metrics:
    """The metrics of a process; an object, so that two gateways in one test do not share them.

    Asking for a name again gives the same family, so that a reload goes on counting.

    :param limit: how many time series one name may have. Label values may come from clients, and memory must not.
    """

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._families: dict[str, AnyFamily] = {}

    def counter(
        self,
        name: str,
        help: str,  # noqa: A002 (Prometheus's word)
        labels: Sequence[str] = (),
        function: Reading | None = None,
    ) -> Counter:
        """Something that only grows; its name ends in `_total`.

        :param function: read at each scrape, for what is counted elsewhere; see `gauge`.
        :raises ValueError: when the name is malformed, or taken by another kind or other labels.
        """
        counter = self._family(Counter(name, help, tuple(labels), self._limit))
        counter.function = function or counter.function
        return counter

    def gauge(
        self,
        name: str,
        help: str,  # noqa: A002 (Prometheus's word)
        labels: Sequence[str] = (),
        function: Reading | None = None,
    ) -> Gauge:
        """Something that goes up and down.

        :param function: read at each scrape: gives a number, or with labels a mapping of label values to numbers. The
            one given last counts.
        :raises ValueError: when the name is malformed, or taken by another kind or other labels.
        """
        gauge = self._family(Gauge(name, help, tuple(labels), self._limit))
        gauge.function = function or gauge.function
        return gauge

    def histogram(
        self,
        name: str,
        help: str,  # noqa: A002 (Prometheus's word)
        buckets: Sequence[float],
        labels: Sequence[str] = (),
    ) -> Histogram:
        """A distribution.

        :param buckets: upper bounds, inclusive and rising, without the infinite one.
        :raises ValueError: when name or buckets are malformed, or the name is taken by something of another shape.
        """
        return self._family(Histogram(name, help, tuple(buckets), tuple(labels), self._limit))

    def functions(self) -> dict[str, Reading | None]:
        """What each gauge is read by now: to be handed to `restore` when something that followed is undone."""
        return {name: family.function for name, family in self._families.items() if isinstance(family, Gauge)}

    def restore(self, functions: Mapping[str, Reading | None]) -> None:
        """Read every gauge by what it was read by then; one that has come since by nothing."""
        for name, family in self._families.items():
            if isinstance(family, Gauge):
                family.function = functions.get(name)

    def exposition(self) -> tuple[bytes, str]:
        """Everything in Prometheus's text format, and its content type.

        The first call loads the client library, which takes some 50 ms.
        """
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
        from prometheus_client.registry import CollectorRegistry

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def collect(self) -> Iterator[Metric]:
        """What the client library asks of a collector: a gauge whose function raises is left out and logged."""
        for family in self._families.values():
            try:
                yield family.expose()
            except Exception as error:
                log.error("no reading of %s", family.name, exc_info=error)
        yield self._spilled()

    def _family(self, new: F) -> F:
        known = self._families.setdefault(new.name, new)
        if not isinstance(known, type(new)) or known.shape != new.shape:
            raise ValueError(f"{new.name} is already a metric of another kind, other labels or other buckets")
        return known

    def _spilled(self) -> Metric:
        """How much the limit has cost, by name."""
        spilled = Counter(_SPILLED, "Look-ups that had to share the time series `other`.", ("metric",), self._limit)
        for family in self._families.values():
            if family.spilled:
                spilled.inc(family.name, by=family.spilled)
        return spilled.expose()


def _readings(
    family: Family[CounterChild] | Family[GaugeChild], function: Reading | None, limit: int
) -> list[tuple[Labels, float]]:
    if function is None:
        return [(values, child.value) for values, child in family.children()]
    given = function()
    found: list[tuple[Labels, float]] = list(given.items()) if isinstance(given, Mapping) else [((), given)]
    family.spilled += max(0, len(found) - limit)
    return found[:limit]


def _check(name: str, labels: Labels) -> None:
    """:raises ValueError: for names that Prometheus would refuse, or that are not ours to give."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"a metric's name is lower-case and begins with passerelle_: {name!r}")
    wrong = [label for label in labels if _LABEL.fullmatch(label) is None]
    if wrong or len(set(labels)) < len(labels):
        raise ValueError(f"{name}: labels are different lower-case words: {labels}")
