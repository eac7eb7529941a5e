"""Many events of one kind about one subject, told as few: the first at once, the rest together now and then.

What fails a thousand times a second must not be told a thousand times a second. The first of a (type, subject) goes on
at once, since that is what somebody waits for; what follows within the window is folded into one that counts, and is
told when the window ends.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.events.kinds import Event

SUBJECTS = 10_000  # windows open at once; what is beyond is lost, the newest first


class _Window:
    """What came of one subject since the last that was told."""

    __slots__ = ("ends", "folded")

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.folded: Event | None = None


class Merger:
    """Folds events.

    :param now: a clock that never goes back, in seconds.
    :param tell: is given what is to be told.
    :param lost: is given what found no room.
    :param window: seconds.
    """

    def __init__(
        self, now: Callable[[], float], tell: Callable[[Event], None], lost: Callable[[Event], None], window: float
    ) -> None:
        self._now = now
        self._tell = tell
        self._lost = lost
        self._window = window
        self._open: dict[tuple[str, str], _Window] = {}  # in the order in which they end

    def __len__(self) -> int:
        return len(self._open)

    def take(self, event: Event) -> None:
        """Tell an event, or fold it into what will be told."""
        about = event.type, event.subject
        window = self._open.get(about)
        if window is None:
            if len(self._open) >= SUBJECTS:
                self._lost(event)
                return
            self._open[about] = _Window(self._now() + self._window)
            self._tell(event)
        elif window.folded is None:
            window.folded = event
        else:
            window.folded.fold(event)

    def advance(self) -> None:
        """Tell what is due; to be called now and then."""
        now = self._now()
        due = []
        for about, window in self._open.items():
            if window.ends > now:
                break
            due.append((about, window))
        for about, window in due:
            del self._open[about]
            if window.folded is not None:
                self._open[about] = _Window(now + self._window)
                self._tell(window.folded)

    def flush(self) -> None:
        """Tell all that was folded, since nobody will call `advance` any more."""
        windows, self._open = self._open, {}
        for window in windows.values():
            if window.folded is not None:
                self._tell(window.folded)
