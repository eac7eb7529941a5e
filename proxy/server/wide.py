"""What concerns a server as a whole, and must be told once however many workers have seen it."""

from __future__ import annotations

from collections.abc import Callable

from proxy.clock import Clock
from proxy.events import (
    CircuitClosed,
    CircuitOpened,
    ConfigRejected,
    ConfigReloaded,
    Event,
    SystemDraining,
    SystemStarted,
    UpstreamRecovered,
    UpstreamUnhealthy,
)

# Of a worker's own start, drain and reload nobody need hear: the supervisor tells of the server's.
OWN = (SystemStarted, SystemDraining, ConfigReloaded, ConfigRejected)
MERGED = (UpstreamUnhealthy, UpstreamRecovered, CircuitOpened, CircuitClosed)
SERVER_WIDE = (*OWN, *MERGED)

_WINDOW = 60.0  # seconds in which an edge that was told is not told again, since other workers see it too


class Once:
    """Passes on the first of several workers' events about one thing.

    What is merged are edges between two states, so one is told again when another state was told since.

    :param publish: tells those who listen.
    """

    def __init__(self, clock: Clock, publish: Callable[[Event], None]) -> None:
        self._now = clock.monotonic
        self._publish = publish
        self._told: dict[tuple[str, str], tuple[str, float]] = {}  # by family and subject: the last edge, and when

    def heard(self, event: Event) -> None:
        """A worker has seen something."""
        if isinstance(event, OWN):
            return
        now = self._now()
        about = event.type.partition(".")[0], event.subject
        last, at = self._told.get(about, ("", -_WINDOW))
        if last == event.type and now - at < _WINDOW:
            return
        self._told = {known: edge for known, edge in self._told.items() if now - edge[1] < _WINDOW}
        self._told[about] = event.type, now
        self._publish(event)
