"""What came of a scenario, and the verdicts on its bars.

A missed bar is a sentence in the report, not an exception: bars are for people to weigh, and hiding one would make the
rest of the table worthless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.sample import Sample
from benchmarks.scenarios import DIRECT, SUBJECT, AddedBar, Bar, RateBar, Scenario
from benchmarks.stats import Spread, ratio, spread


@dataclass(slots=True)
class PeerResult:
    """The runs of one peer: `samples` by round, what failed and why, and why there is nothing at all if so."""

    name: str
    version: str = ""
    samples: dict[int, Sample] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    absent: str | None = None
    crashed: bool = False

    def spread(self, measure: Callable[[Sample], float | None]) -> Spread | None:
        """Summarise `measure` over the runs that have it."""
        values = [value for value in map(measure, self.samples.values()) if value is not None]
        return spread(values)

    @property
    def rate(self) -> Spread | None:
        return self.spread(lambda sample: sample.rate)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One bar held against the figures; `met` is None when a peer that it needs has none."""

    text: str
    met: bool | None

    def line(self) -> str:
        """Return the sentence that is printed and written."""
        word = {True: "met", False: "MISSED", None: "not judged"}[self.met]
        return f"{word}: {self.text}"


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    scenario: Scenario
    peers: Mapping[str, PeerResult]

    @property
    def crashed(self) -> list[str]:
        """Return the names of the peers that died while they were measured."""
        return [peer.name for peer in self.peers.values() if peer.crashed]

    def ratio_to(self, name: str) -> float | None:
        """Return the subject's median rate over that of the peer `name`."""
        return ratio(self._rate(SUBJECT), self._rate(name))

    def paired_ratios(self, name: str) -> Spread | None:
        """Summarise subject over peer round by round, so that what disturbs both runs of a round cancels."""
        ours, theirs = self._samples(SUBJECT), self._samples(name)
        return spread([ours[turn].rate / theirs[turn].rate for turn in sorted(ours.keys() & theirs.keys())])

    def added_ms(self, name: str, percentile: str) -> float | None:
        """Return the milliseconds that `name` adds to the origin's own at `percentile`, as a difference of medians."""
        through, direct = (self._latency(peer, percentile) for peer in (name, DIRECT))
        return None if through is None or direct is None else through.median - direct.median

    def verdicts(self) -> list[Verdict]:
        """Hold every bar of the scenario against the figures."""
        return [self._judge(bar) for bar in self.scenario.bars]

    def _judge(self, bar: Bar) -> Verdict:
        return self._judge_rate(bar) if isinstance(bar, RateBar) else self._judge_added(bar)

    def _judge_rate(self, bar: RateBar) -> Verdict:
        subject = f"{self.scenario.name} vs {bar.against}"
        found = self.ratio_to(bar.against)
        if found is None:
            return Verdict(f"{subject}: no figure of {self._without_rate(bar.against)}", None)
        met = found >= bar.minimum
        return Verdict(f"{subject} {found:.2f} {'>=' if met else '<'} {bar.minimum:g}", met)

    def _judge_added(self, bar: AddedBar) -> Verdict:
        subject = f"{self.scenario.name} {bar.percentile} added"
        found = self.added_ms(SUBJECT, bar.percentile)
        if found is None:
            return Verdict(f"{subject}: no figure of {self._without_rate(DIRECT)}", None)
        met = found <= bar.most_ms
        return Verdict(f"{subject} {found:.3f} ms {'<=' if met else '>'} {bar.most_ms:g} ms", met)

    def _without_rate(self, other: str) -> str:
        return " or ".join(name for name in (SUBJECT, other) if self._rate(name) is None)

    def _samples(self, name: str) -> Mapping[int, Sample]:
        return self.peers[name].samples if name in self.peers else {}

    def _rate(self, name: str) -> Spread | None:
        return self.peers[name].rate if name in self.peers else None

    def _latency(self, name: str, percentile: str) -> Spread | None:
        if name not in self.peers:
            return None
        return self.peers[name].spread(lambda sample: sample.p50_ms if percentile == "p50" else sample.p99_ms)
