"""What is told of requests that were refused, of what was used up, and of what was thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from proxy.events.kinds import Event, EventClass


@dataclass(slots=True, eq=False)
class RequestBlocked(Event):
    """A rule refused a request, or would have (`mode` is `observe`).

    `where` is the part in which it was found: query, header, or the name of a field of the body.
    """

    type: ClassVar[str] = "request.blocked"
    klass: ClassVar[EventClass] = EventClass.B
    folds: ClassVar[bool] = True

    rule: str
    where: str
    mode: str
    route: str
    client: str
    count: int = 1

    @property
    def subject(self) -> str:
        return f"{self.route} {self.rule}"


@dataclass(slots=True, eq=False)
class RateLimited(Event):
    """A client was answered 429 by the gateway itself: `limit` requests in `window_s` seconds were used up."""

    type: ClassVar[str] = "rate.limit"
    klass: ClassVar[EventClass] = EventClass.B
    folds: ClassVar[bool] = True

    policy: str
    limit: int
    window_s: float
    retry_after: float
    key: str
    count: int = 1

    @property
    def subject(self) -> str:
        return f"{self.policy} {self.key}"


@dataclass(slots=True, eq=False)
class QuotaLow(Event):
    """A quota has come to 80 or 95 per cent; told once for each threshold and period."""

    type: ClassVar[str] = "quota.low"
    klass: ClassVar[EventClass] = EventClass.A

    quota: str
    meter: str
    limit: float
    used: float
    percent: float
    period: str

    @property
    def subject(self) -> str:
        return f"{self.quota} {self.period}"


@dataclass(slots=True, eq=False)
class QuotaExceeded(Event):
    """A quota is used up; told once for each period."""

    type: ClassVar[str] = "quota.exceeded"
    klass: ClassVar[EventClass] = EventClass.A

    quota: str
    meter: str
    limit: float
    used: float
    percent: float
    period: str

    @property
    def subject(self) -> str:
        return f"{self.quota} {self.period}"


@dataclass(slots=True, eq=False)
class CachePurged(Event):
    """Answers were thrown out of a cache: `count` of them, by what `scope` says."""

    type: ClassVar[str] = "cache.purged"
    klass: ClassVar[EventClass] = EventClass.B
    folds: ClassVar[bool] = True

    scope: str
    count: int

    @property
    def subject(self) -> str:
        return self.scope
