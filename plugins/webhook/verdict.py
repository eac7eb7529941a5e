"""What follows from an attempt: whether the event is delivered, tried again and when, or given up."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

from proxy.api import Due

_PAUSING = frozenset((429, 503))
_PATIENT = frozenset((408, 425, 429))  # refusals that are not about the event
_ALIKE = 3  # equal refusals in a row, and the event is to blame
_LEAST, _MOST = 60.0, 86400.0  # seconds of a pause


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint did.

    :ivar status: 0 when there was no answer.
    :ivar error: what went wrong, in words; empty for an answer.
    :ivar retry_after: the field of that name.
    """

    status: int = 0
    error: str = ""
    retry_after: str = ""
    answer: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether it took what it was sent: redirects are not followed, so they are failures."""
        return 200 <= self.status < 300

    @property
    def words(self) -> str:
        """Why it is a failure; empty for a success."""
        return "" if self.is_success else self.error or f"answered {self.status}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows for one delivery.

    :ivar next_at: for `pending`: when it is tried again.
    :ivar why: for `dead`: the reason.
    """

    then: Literal["pending", "done", "dead"]
    next_at: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When attempts are made.

    :ivar delays: seconds from a failure to the next attempt; the first is the one before the first attempt.
    :ivar jitter: the share by which each is longer or shorter at random.
    """

    delays: Sequence[float]
    jitter: float
    randomness: random.Random = field(default_factory=random.Random)

    def after(self, attempts: int) -> float | None:
        """Seconds until the next attempt, after so many; None when that was the last."""
        if attempts >= len(self.delays):
            return None
        return self.delays[attempts] * (1 + self.jitter * self.randomness.uniform(-1, 1))


def judge(due: Due, reply: Reply, now: float, schedule: Schedule, *, paused_until: float, others_pass: bool) -> Verdict:
    """What follows for a delivery.

    :param paused_until: when the endpoint may be asked again.
    :param others_pass: whether the endpoint has taken other events since this one first failed.
    """
    if reply.is_success:
        return Verdict("done")
    if _is_poison(due, reply) and others_pass:
        return Verdict("dead", why=f"refused {_ALIKE} times with {reply.status} while others were taken")
    delay = schedule.after(due.attempts + 1)
    if delay is None:
        return Verdict("dead", why=f"attempt {due.attempts + 1} was the last: {reply.words}")
    return Verdict("pending", max(now + delay, paused_until))


def _is_poison(due: Due, reply: Reply) -> bool:
    if not 400 <= reply.status < 500 or reply.status in _PATIENT:
        return False
    return due.status == reply.status and due.alike + 1 >= _ALIKE


def pause(reply: Reply, now: float) -> float:
    """Seconds for which an endpoint asks to be left alone; 0.0 when it does not.

    :param now: seconds since the epoch, for a date in Retry-After (RFC 9110 section 10.2.3).
    """
    if reply.is_success or not (reply.retry_after or reply.status in _PAUSING):
        return 0.0
    return min(_MOST, max(_LEAST, _seconds(reply.retry_after, now)))


def _seconds(text: str, now: float) -> float:
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now
