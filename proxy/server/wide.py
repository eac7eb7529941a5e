"""What concerns a server as a whole, and must be told once however many workers have seen it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.clock import Clock
from proxy.events import (
    ApiError,
    CacheCorrupt,
    CachePurged,
    CircuitClosed,
    CircuitOpened,
    ConfigRejected,
    ConfigReloaded,
    Event,
    PluginError,
    RateLimited,
    RequestBlocked,
    SystemDraining,
    SystemStarted,
    UpstreamRecovered,
    UpstreamUnhealthy,
)
from proxy.events.merging import Merger

# Of a worker's own start, drain and reload nobody need hear: the supervisor tells of the server's.
OWN = (SystemStarted, SystemDraining, ConfigReloaded, ConfigRejected)
MERGED = (UpstreamUnhealthy, UpstreamRecovered, CircuitOpened, CircuitClosed)
# Those that fold: each worker sends what it has folded for a moment, and they are folded on here.
FOLDED = (ApiError, CacheCorrupt, CachePurged, PluginError, RateLimited, RequestBlocked)
SERVER_WIDE = (*OWN, *MERGED, *FOLDED)

MERGE_EVERY = 10.0  # seconds between two events about one subject that fold
MERGE_HERE = 1.0  # the same in each of several workers, so that a storm does not fill the channel

_WINDOW = 60.0  # seconds in which an edge that was told is not told again, since other workers see it too


class Once:
    """Passes on the first of several workers' events about one thing.

    What is merged are edges between two states, so one is told again when another state was told since.

    :param publish: tells those who listen.
    """

    def __init__(self, clock: Clock, publish: Callable[[Event], None]) -> None:
        self._now = clock.monotonic
        self._publish = publish
        self._merger = Merger(clock.monotonic, publish, publish, MERGE_EVERY)
        self._timer: asyncio.TimerHandle | None = None
        self._told: dict[tuple[str, str], tuple[str, float]] = {}  # by family and subject: the last edge, and when

    def heard(self, event: Event) -> None:
        """A worker has seen something."""
        if isinstance(event, OWN):
            return
        if event.folds:
            self._fold(event)
            return
        now = self._now()
        about = event.type.partition(".")[0], event.subject
        last, at = self._told.get(about, ("", -_WINDOW))
        if last == event.type and now - at < _WINDOW:
            return
        self._told = {known: edge for known, edge in self._told.items() if now - edge[1] < _WINDOW}
        self._told[about] = event.type, now
        self._publish(event)

    def _fold(self, event: Event) -> None:
        self._merger.take(event)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MERGE_HERE, self._advance)

    def _advance(self) -> None:
        """Tell what is due, and look again as long as there is anything."""
        self._merger.advance()
        self._timer = asyncio.get_running_loop().call_later(MERGE_HERE, self._advance) if len(self._merger) else None

    def close(self) -> None:
        """Tell what is left: nobody looks any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._merger.flush()
