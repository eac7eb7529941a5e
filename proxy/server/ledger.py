"""What the workers of a server have counted, those included that are gone: sums that never fall.

What a worker has counted is known from the last time that it was asked. That goes on counting when it dies, and while
it does not answer; its gauges do not, since they tell of what is. What it counted after that is lost with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy.metrics import OTHER
from proxy.server.crew import Member
from proxy.server.merge import merge

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_COUNTED = ("counter", "histogram")
_MOST = 1000  # time series of one name that are kept of those who are gone; labels may come from clients


@dataclass(slots=True)
class _Known:
    """What was heard of a worker last."""

    requests: int = 0
    metrics: list[Metric] = field(default_factory=list)


class Ledger:
    """The sums of one server.

    :param most: time series of one name that are kept of workers that are gone; the rest shares one.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._last: dict[Member, _Known] = {}
        self._gone = _Known()

    def welcome(self, member: Member) -> None:
        """A worker begins to count."""
        self._last[member] = _Known()

    def forget(self, member: Member) -> None:
        """A worker is gone: what it had counted stays in the sums."""
        known, gone = self._last.pop(member, None), self._gone
        if known is not None:
            gone.requests += known.requests
            gone.metrics = merge([_bounded(metric, self._most) for metric in merge([gone.metrics, known.metrics])])

    def requests(self, answers: Mapping[Member, int]) -> int:
        """Exchanges that are over.

        :param answers: what the workers say that could be asked.
        """
        for member, count in answers.items():
            if member in self._last:  # whoever was forgotten meanwhile is in the sum already
                self._last[member].requests = count
        return self._gone.requests + sum(known.requests for known in self._last.values())

    def metrics(self, answers: Mapping[Member, list[Metric]]) -> list[Metric]:
        """Everybody's metrics as one set.

        :param answers: what the workers say that could be asked.
        """
        answers = {member: metrics for member, metrics in answers.items() if member in self._last}
        for member, metrics in answers.items():
            self._last[member].metrics = [metric for metric in metrics if metric.type in _COUNTED]
        silent = [known.metrics for member, known in self._last.items() if member not in answers]
        return merge([*answers.values(), *silent, self._gone.metrics])


def _bounded(metric: Metric, most: int) -> Iterable[Metric]:
    """A metric with so many time series at most: what is beyond is counted under `other`."""
    kept: set[tuple[str, ...]] = set()
    bounded = copy(metric)
    bounded.samples = []
    for sample in metric.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        if len(kept) < most:
            kept.add(tuple(labels.values()))
        if tuple(labels.values()) not in kept:
            sample = sample._replace(labels={**sample.labels, **dict.fromkeys(labels, OTHER)})
        bounded.samples.append(sample)
    return [bounded]
