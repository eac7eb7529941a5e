"""What the outbox keeps, as plain values: events, what is owed to whom, and what was tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["pending", "done", "dead"]


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be kept, and to whom it is owed.

    :ivar id: unique; the same each time that it is offered.
    :ivar time: when it was published, seconds since the epoch.
    :ivar body: the bytes that are delivered; made once.
    :ivar endpoints: ids of those that are to get it, and when each is due, seconds since the epoch.
    """

    id: str
    type: str
    subject: str
    time: float
    body: bytes
    endpoints: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is kept.

    :ivar sequence: rises with every event of the store.
    """

    sequence: int
    id: str
    type: str
    subject: str
    time: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that was claimed: it is the claimer's alone until its lease ends.

    :ivar attempts: used up so far.
    :ivar status: of the last answer, 0 when there was none.
    :ivar alike: how many times in a row that was the status.
    :ivar failed_since: when it first failed, seconds since the epoch; 0.0 when it never did.
    """

    event: StoredEvent
    endpoint: str
    attempts: int = 0
    status: int = 0
    alike: int = 0
    failed_since: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed.

    :ivar next_at: when the next one is due that could not be claimed now, seconds since the epoch; None for never.
    """

    due: tuple[Due, ...]
    next_at: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt, and what follows from it.

    :ivar then: `pending` for another attempt at `next_at`.
    :ivar at: when it began, seconds since the epoch.
    :ivar status: of the answer, 0 when there was none.
    :ivar error: in words; empty when all is well.
    :ivar answer: the first bytes of the answer's content.
    """

    due: Due
    owner: str
    then: State
    next_at: float
    at: float
    duration_ms: float
    status: int = 0
    error: str = ""
    answer: bytes = b""

    @property
    def alike(self) -> int:
        """How many times in a row this was the status, this one included."""
        return self.due.alike + 1 if self.status == self.due.status and self.due.attempts else 1

    @property
    def failed_since(self) -> float:
        """When the delivery first failed."""
        return 0.0 if self.then == "done" else self.due.failed_since or self.at


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event's way to one endpoint.

    :ivar next_at: when it is tried next; only where it is pending.
    :ivar settled_at: when it came to its end; 0.0 while pending.
    :ivar error: why the last attempt failed.
    """

    event_id: str
    type: str
    subject: str
    time: float
    endpoint: str
    state: State
    attempts: int
    next_at: float
    settled_at: float
    status: int
    error: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was sent, or tried to."""

    event_id: str
    endpoint: str
    at: float
    duration_ms: float
    status: int
    error: str
    answer: bytes


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is owed to one endpoint.

    :ivar oldest: when the oldest event that is pending was published, seconds since the epoch; 0.0 for none.
    """

    pending: int = 0
    dead: int = 0
    oldest: float = 0.0


@dataclass(frozen=True, slots=True)
class EndpointNotes:
    """What is remembered of an endpoint over restarts.

    :ivar owner: who delivers to it until `owned_until`; empty for nobody.
    :ivar state: the owner's notes; empty at first.
    :ivar asked: what an operator asked for last; empty at first.
    """

    id: str
    owner: str
    owned_until: float
    state: str
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which deliveries are meant: those that fit everything that is said; an empty value says nothing.

    :ivar type: a type, or a glob of types.
    :ivar since: events published from then on, seconds since the epoch.
    :ivar until: events published before then.
    """

    event_id: str = ""
    endpoint: str = ""
    type: str = ""
    state: State | Literal[""] = ""
    since: float = 0.0
    until: float = 0.0
