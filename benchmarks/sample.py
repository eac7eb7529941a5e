"""One run's figures, and the one line of JSON in which both loads hand them over.

wrk prints rounded figures for people; its script and the paced load print exact ones here, with the errors by kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

MARK = "load-result "
ERRORS = ("connect", "read", "write", "status", "timeout")


class RunFailed(Exception):
    """A run whose figures must not be used: the load broke off or some answers were not what was asked for."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one peer. Latencies are in milliseconds, `cpu_seconds` is what the proxy's processes used.

    Of large answers `requests` counts parts as well.
    """

    requests: float
    seconds: float
    bytes: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    cpu_seconds: float | None = None

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds

    @property
    def busy(self) -> float | None:
        """The share of its core that the proxy used, 1.0 being all of it."""
        return None if self.cpu_seconds is None else self.cpu_seconds / self.seconds

    @property
    def cpu_per_request_us(self) -> float | None:
        """Microseconds of the proxy's CPU for each answer."""
        return None if self.cpu_seconds is None else self.cpu_seconds * 1e6 / self.requests

    @property
    def cpu_per_gb(self) -> float | None:
        """Seconds of the proxy's CPU for each 10^9 bytes answered."""
        return None if self.cpu_seconds is None else self.cpu_seconds * 1e9 / self.bytes

    def as_json(self) -> dict[str, float | int | None]:
        """Return the fields for the file of raw figures."""
        return {**asdict(self), "rate": round(self.rate, 1)}


def parse_result(output: str, *, parts: bool = False) -> Sample:
    """Read what a load printed; `parts` takes answers for some that did not end in the time of the run.

    Raises:
        RunFailed: when there is no result, no answer at all, or any error: a status above 399 counts as one.
    """
    line = next((line for line in output.splitlines() if line.startswith(MARK)), None)
    if line is None:
        raise RunFailed(f"the load gave no result: {output.strip()[-200:]}")
    figures: Mapping[str, int] = json.loads(line.removeprefix(MARK))
    errors = {kind: figures[kind] for kind in ERRORS if figures[kind]}
    if errors:
        raise RunFailed("errors: " + ", ".join(f"{count} {kind}" for kind, count in errors.items()))
    if not figures["bytes" if parts else "requests"] or not figures["microseconds"]:
        raise RunFailed("not one request was answered")
    quantiles = {f"{name}_ms": figures[name] / 1e3 for name in ("p50", "p90", "p99", "max")}
    return Sample(figures["requests"], figures["microseconds"] / 1e6, figures["bytes"], **quantiles)
