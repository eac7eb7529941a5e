"""How an endpoint is doing: when it is left alone for a while, and when for good.

Two things are apart. The breaker spares an endpoint that fails now, and costs no event an attempt; disabling gives one
up that has done nothing but fail for days. Both outlast a restart, and go over to whichever process delivers next.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from operator import attrgetter
from typing import Any, TypeAlias

_IN_A_ROW = 10  # failures that open the breaker
_SHARE, _OF_AT_LEAST, _WITHIN = 0.7, 10, 300.0  # or this share of at least so many within so many seconds
_OPEN, _LONGEST = 30.0, 600.0  # seconds that it is open: at first, and at most
_LONGEST_PAUSE = 86400.0
_FAILING = 4  # failures in a row that are told of
_GIVEN_UP, _AT_LEAST = 120 * 3600.0, 20  # seconds of nothing but failure, and attempts in them
_REMEMBERED = 1000  # results
_ROTATION = 86400.0  # seconds for which the secrets before the current one sign as well
_KEPT = ("config", "asked", "key", "rotated", "last_success")  # by an endpoint that begins anew
_FLEETING = ("last_status", "last_success")  # not kept for their own sake

Mark: TypeAlias = "tuple[object, ...]"


@dataclass(slots=True)
class Notes:
    """What is remembered; plain values, times in seconds since the epoch.

    :ivar failures: in a row.
    :ivar since: when that row began; 0.0 while all is well.
    :ivar told: whether `webhook.endpoint.failing` was.
    :ivar opened: how many times in a row the breaker has opened.
    :ivar until: when it lets the next probe through; 0.0 while it is closed.
    :ivar paused: until when the endpoint asked to be left alone.
    :ivar disabled: why nothing is delivered any more; empty when it is.
    :ivar config: what the endpoint's configuration was then.
    :ivar asked: what an operator asked for that was heeded.
    :ivar key: what its current secret is known by.
    :ivar rotated: since when that is the current one.
    """

    failures: int = 0
    since: float = 0.0
    told: bool = False
    opened: int = 0
    until: float = 0.0
    paused: float = 0.0
    disabled: str = ""
    config: str = ""
    asked: str = ""
    key: str = ""
    rotated: float = 0.0
    last_status: int = 0
    last_success: float = 0.0

    @classmethod
    def of(cls, text: str) -> Notes:
        """Notes as they were kept; fresh ones when there are none, or none that can be read."""
        try:
            found: dict[str, Any] = json.loads(text) if text else {}
            names = {item.name for item in fields(cls)}
            return cls(**{name: value for name, value in found.items() if name in names})
        except (ValueError, TypeError, AttributeError):
            return cls()


_LASTING: Callable[[Notes], Mark] = attrgetter(*(item.name for item in fields(Notes) if item.name not in _FLEETING))


class Health:
    """The judgement about one endpoint.

    :param config: a mark of its configuration: another one than the notes tell of enables it again.
    :ivar anew: whether it did.
    """

    def __init__(self, text: str = "", config: str = "") -> None:
        self.notes = Notes.of(text)
        self._recent: deque[tuple[float, bool]] = deque(maxlen=_REMEMBERED)
        self.anew = self.notes.config != config
        if self.anew:
            self.enable()
            self.notes.config = config

    def text(self) -> str:
        """The notes, to be kept."""
        return json.dumps(asdict(self.notes))

    @property
    def mark(self) -> Mark:
        """What changes when the notes are worth keeping: not with every success."""
        return _LASTING(self.notes)

    @property
    def is_probing(self) -> bool:
        """Whether the breaker is not closed, so that one request at a time may try."""
        return self.notes.opened > 0

    def wait(self, now: float) -> float:
        """Seconds for which the endpoint is left alone; 0.0 when something may be sent."""
        notes = self.notes
        return max(0.0, min(notes.until - now, _LONGEST), min(notes.paused - now, _LONGEST_PAUSE))

    def succeeded(self, now: float, status: int) -> Notes | None:
        """It has taken a delivery. :returns: what was known of its failing, when that was told and is over."""
        notes, before = self.notes, None
        if notes.told:
            before = Notes(**asdict(notes))
        self._recent.append((now, True))
        notes.failures, notes.since, notes.told = 0, 0.0, False
        notes.opened, notes.until, notes.paused = 0, 0.0, 0.0
        notes.last_status, notes.last_success = status, now
        return before

    def failed(self, now: float, status: int, pause: float) -> bool:
        """It has not. :returns: whether that is to be told: it is failing since now."""
        notes = self.notes
        self._recent.append((now, False))
        notes.failures += 1
        notes.since = notes.since or now
        notes.last_status = status
        notes.paused = max(notes.paused, now + pause) if pause else notes.paused
        if self._opens(now):
            notes.until = now + min(_LONGEST, _OPEN * 2.0 ** min(notes.opened, 10))
            notes.opened += 1
        if notes.told or notes.failures < _FAILING:
            return False
        notes.told = True
        return True

    def _opens(self, now: float) -> bool:
        """Whether this failure opens the breaker, or opens it again; those under way when it opened do not."""
        notes = self.notes
        if notes.opened:
            return now >= notes.until
        if notes.failures >= _IN_A_ROW:
            return True
        recent = [ok for at, ok in self._recent if now - at <= _WITHIN]
        return len(recent) >= _OF_AT_LEAST and recent.count(False) >= _SHARE * len(recent)

    def given_up(self, now: float, status: int) -> str:
        """Why nothing more is to be delivered; empty when something is."""
        notes = self.notes
        if status == 410:
            return "it answered 410: it is gone"
        if notes.failures >= _AT_LEAST and now - notes.since >= _GIVEN_UP:
            return f"nothing but failures for {_GIVEN_UP / 3600:.0f} hours"
        return ""

    def disable(self, why: str) -> None:
        """Deliver nothing any more."""
        self.notes.disabled = why

    def enable(self) -> None:
        """Begin anew."""
        self.notes = Notes(**{name: getattr(self.notes, name) for name in _KEPT})
        self._recent.clear()

    def rotate(self, key: str, now: float) -> bool:
        """Take note of the current secret. :returns: whether it is another one than before."""
        if self.notes.key == key:
            return False
        self.notes.key, self.notes.rotated = key, now
        return True

    def rotating(self, now: float) -> bool:
        """Whether the secrets before the current one sign as well."""
        return now < rotates_until(self.notes)


def rotates_until(notes: Notes) -> float:
    """When a secret that is not the current one any more is valid no longer, seconds since the epoch."""
    return notes.rotated + _ROTATION
