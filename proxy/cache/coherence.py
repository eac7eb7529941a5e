"""What gateways on one Redis tell each other, and what one must not forget while it cannot tell it.

Every change in the shared store is published in the step that makes it, and every gateway then drops its own copy.
Notices are not repeated: one that was not listening does not know what it missed, so what it holds is worth nothing
once it listens again. A purge that the store could not be told of is owed: until it is, what it concerns is not taken
from there.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum

from proxy.cache.purge import Purge, Scope
from proxy.clock import Clock

CHANNEL = b"passerelle:cache:1"  # the number is that of the messages' format
COUNTER = b"passerelle:cache:purges"

_OWED = 1000  # purges; more of them become one of everything in their cache
_BARRED = 10.0  # seconds after which a sweep that told of no end has none
_HEAD = struct.Struct(">8sccH")
_SCOPES: dict[Scope, bytes] = {"key": b"k", "tag": b"t", "prefix": b"p"}
_NAMES: dict[bytes, Scope] = {code: scope for scope, code in _SCOPES.items()}


class Change(Enum):
    """What befell the entries that a notice names."""

    STORED = b"s"  # a new value is there; copies of the old one are outdated
    GONE = b"g"
    GOING = b"b"  # they will be gone soon: from now on they count for nothing
    SWEPT = b"e"  # that has been done


@dataclass(frozen=True, slots=True)
class Notice:
    """What one gateway tells the others.

    :ivar number: of the purge, counted by the server; 0 when it is none.
    :ivar node: who tells.
    """

    number: int
    node: bytes
    change: Change
    purge: Purge


def read_notice(data: bytes) -> Notice:
    """:raises ValueError: for what no gateway of this version has written."""
    number, _, rest = data.partition(b" ")
    try:
        node, scope, change, length = _HEAD.unpack_from(rest)
        body = rest[_HEAD.size :]
        if len(body) < length:
            raise ValueError("it is cut")
        return Notice(int(number), node, Change(change), Purge(body[:length], _NAMES[scope], body[length:]))
    except (struct.error, KeyError) as error:
        raise ValueError("this is no notice") from error


class Coherence:
    """One gateway's part in it.

    :param clock: for how long a sweep is waited for.
    :ivar number: of the purge that it has heard of last.
    :ivar listening: whether it hears of changes now.
    :ivar owed: purges that the store was not told of.
    """

    def __init__(self, clock: Clock) -> None:
        self.node = secrets.token_bytes(8)
        self.number = 0
        self.listening = False
        self.owed: dict[Purge, None] = {}
        self.changed: Callable[[Notice], None] = _nobody
        self._now = clock.monotonic
        self._barred: dict[Purge, float] = {}

    def last(self) -> int:
        """`number`, asked for when something is sent."""
        return self.number

    def message(self, purge: Purge, change: Change = Change.GONE) -> bytes:
        """A notice, but for its number, which the server puts before it."""
        head = _HEAD.pack(self.node, _SCOPES[purge.scope], change.value, len(purge.namespace))
        return head + purge.namespace + purge.what

    def heard(self, data: bytes) -> None:
        """Something was published."""
        try:
            notice = read_notice(data)
        except ValueError:
            return  # of another version, or somebody else's
        if notice.number:
            self.number = notice.number
        if notice.node == self.node:
            return
        if notice.change is Change.GOING:
            self._barred[notice.purge] = self._now() + _BARRED
        elif notice.change is Change.SWEPT:
            self._barred.pop(notice.purge, None)
        self.changed(notice)

    def told(self, number: int) -> None:
        """A purge of one's own got this number. If it is the next one, nothing came in between."""
        if number == self.number + 1:
            self.number = number

    def owe(self, purge: Purge) -> None:
        """Remember a purge that could not be told."""
        if len(self.owed) >= _OWED:
            self.owed = dict.fromkeys(Purge(known.namespace, "prefix", b"") for known in self.owed)
        self.owed[purge] = None

    def blocks(self, name: bytes, key: bytes, tags: Collection[str]) -> bool:
        """Whether what the store holds under a key is to be taken for purged."""
        if not self.owed and not self._barred:
            return False
        now = self._now()
        self._barred = {purge: until for purge, until in self._barred.items() if until > now}
        return any(purge.namespace == name and purge.meets(key, tags) for purge in (*self.owed, *self._barred))


def _nobody(notice: Notice) -> None:
    """Nobody holds copies yet."""
