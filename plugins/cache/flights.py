"""Requests for the same answer at the same time: one asks, the others wait for what comes of it.

A leader either brings an answer that others may have, or finds that it is nobody else's, or fails. In the last case
one of those who wait leads anew; should that fail too, all others are told, so that a broken origin is asked twice and
not a thousand times, one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from plugins.cache.stored import Stored
from proxy.api import ClientLeft, Exchange, GatewayError, Shared

REMEMBERED = 10.0  # seconds for which nobody waits for what turned out to be uncacheable
_MOST = 10_000  # such keys
_TRIES = 2  # leaders that may fail before everybody is told


class Flight:
    """One answer on its way.

    :ivar landed: done when its head is known, or it has failed.
    :ivar stored: the answer, its body still missing while `shared` is under way; None when it is nobody else's.
    :ivar shared: the body under way, which may be joined while it `keeps`.
    :ivar error: why it failed; ClientLeft when its leader's client went away.
    :ivar tries: leaders that have failed in a row, this one included.
    """

    __slots__ = ("_leader", "error", "key", "landed", "shared", "stored", "tries")

    def __init__(self, key: str, leader: Exchange, tries: int) -> None:
        self.key = key
        self._leader: Exchange | None = leader
        self.landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stored: Stored | None = None
        self.shared: Shared | None = None
        self.error: GatewayError | None = None
        self.tries = tries

    def join(self) -> None:
        """Somebody waits: it goes on although its leader's client may leave."""
        if self._leader is not None:
            self._leader.detach()

    def land(self, stored: Stored | None, shared: Shared | None = None, error: GatewayError | None = None) -> None:
        """It is known what comes of it."""
        self._leader = None
        self.stored, self.shared, self.error = stored, shared, error
        if not self.landed.done():
            self.landed.set_result(None)


class Flights:
    """All that are on their way in this process.

    :param now: monotonic seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._flights: dict[str, Flight] = {}
        self._alone: dict[str, float] = {}  # keys that turned out to be uncacheable, and until when that is believed

    def find(self, key: str) -> Flight | None:
        """The one that brings an answer for this key."""
        return self._flights.get(key)

    def alone(self, key: str) -> bool:
        """Whether nobody should wait for another one's answer, since it would not be for both."""
        until = self._alone.get(key)
        if until is None:
            return False
        if until > self._now():
            return True
        del self._alone[key]
        return False

    def lead(self, key: str, leader: Exchange, after: Flight | None = None) -> Flight:
        """Begin one.

        :param after: the one that failed before it.
        """
        flight = self._flights[key] = Flight(key, leader, 0 if after is None else after.tries)
        return flight

    def stored(self, flight: Flight, stored: Stored, shared: Shared | None = None) -> None:
        """It brings an answer for everybody; with a body under way it stays until `over`."""
        self._alone.pop(flight.key, None)
        flight.land(stored, shared)
        if shared is None or shared.ended:
            self.over(flight)

    def uncacheable(self, flight: Flight) -> None:
        """What it brings is nobody else's."""
        if len(self._alone) >= _MOST:
            self._alone.pop(next(iter(self._alone)))
        self._alone[flight.key] = self._now() + REMEMBERED
        flight.land(None)
        self.over(flight)

    def failed(self, flight: Flight, error: GatewayError | None) -> None:
        """It brings nothing.

        :param error: None when its leader's client went away, which says nothing of the origin.
        """
        if error is not None:
            flight.tries += 1
        flight.land(None, None, error or ClientLeft("the client that asked first has left"))
        self.over(flight)

    def over(self, flight: Flight) -> None:
        """Nobody joins it any more."""
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    def hopeless(self, flight: Flight) -> bool:
        """Whether it failed so often that nobody should lead in its place."""
        return flight.tries >= _TRIES

    @property
    def active(self) -> int:
        """How many are under way."""
        return len(self._flights)
