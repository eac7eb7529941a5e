"""What holds requests back for a moment when they make events faster than those can be kept.

Events of class A are not to be lost, and the room for them is bounded. So when it is nearly used up, new requests wait
until there is room again. But a proxy is there for its requests: they never wait longer than a second in all, and where
nothing can be kept at all they do not wait, since that would save no event.
"""

from __future__ import annotations

from collections.abc import Callable

MOST = 1.0  # seconds that requests wait in all, until everything is kept again
_LATE = 0.1  # seconds between two calls of `advance`: so much earlier it ends, never later


class Brake:
    """Has new requests wait.

    :param now: a clock that never goes back, in seconds.
    :ivar apply: told whether new requests are to wait; set by whoever reads them.
    :ivar held: whether they wait now.
    :ivar seconds: for which they have waited, ever.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.apply: Callable[[bool], None] = _nothing
        self.held = False
        self.seconds = 0.0
        self._now = now
        self._since = 0.0
        self._left = MOST
        self._pressing: set[object] = set()

    def press(self, who: object) -> None:
        """Somebody runs out of room. Requests wait, unless they have waited long enough."""
        self._pressing.add(who)
        if not self.held and self._left > _LATE:
            self.held, self._since = True, self._now()
            self.apply(True)

    def ease(self, who: object, *, empty: bool) -> None:
        """Somebody has room again.

        :param empty: whether all is kept: only then requests may be made to wait for another second.
        """
        self._pressing.discard(who)
        if self._pressing:
            return
        self._release()
        if empty:
            self._left = MOST

    def advance(self) -> None:
        """Let requests go on that have waited long enough; to be called now and then."""
        if self.held and self._now() - self._since >= self._left - _LATE:
            self._release()

    def _release(self) -> None:
        if not self.held:
            return
        waited = self._now() - self._since
        self.held = False
        self.seconds += waited
        self._left -= waited
        self.apply(False)


def _nothing(_: bool) -> None:
    """Where nobody reads requests, none are to wait."""
