"""What an outbox can do, whatever it is kept in: the Repository pattern, so that files, memory and servers are alike.

All methods that wait may raise StoreUnavailable: nothing was changed then, and it may be tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from proxy.store.records import (
    Attempt,
    Backlog,
    Claim,
    Delivery,
    EndpointNotes,
    NewEvent,
    Outcome,
    Selection,
    StoredEvent,
)


class StoreUnavailable(Exception):
    """What is kept cannot be reached or changed now: a full disk, a file that is read-only, a lock that is held."""


class EventSource(Protocol):
    """Where events come from that are to be kept as soon as may be.

    Both methods may be called in another thread than the loop's, never two at once.
    """

    def take(self, sequence: int) -> Sequence[NewEvent]:
        """What waits now, a bounded number of events; after a failure, those of the last time again.

        :param sequence: the first one's; the following ones count on.
        """
        ...

    def settled(self, error: StoreUnavailable | None) -> None:
        """What was taken is kept, and will not be lost; or it is not, for this reason."""
        ...


class EventRepository(Protocol):
    """The events."""

    def feed(self, source: EventSource) -> Callable[[], None]:
        """Keep what a source has, from now until the store is closed.

        :returns: what the source calls, on the loop, when it has something. A failure is tried again by itself.
        """
        ...

    async def add(self, make: Callable[[int], NewEvent]) -> NewEvent:
        """Keep one event, given its sequence; return when it is safe."""
        ...

    async def get(self, event_id: str) -> StoredEvent | None:
        """One event, or None."""
        ...

    async def prune(self, before: float, most_bytes: int) -> int:
        """Forget some of the events that are owed to nobody: those older than a time, and while more than so many
        bytes are kept the oldest others, delivered ones first.

        :returns: how many; 0 when there is no more to do.
        """
        ...


class DeliveryRepository(Protocol):
    """Who is owed what. Times are seconds since the epoch."""

    async def claim(
        self, endpoint: str, owner: str, now: float, until: float, limit: int, *, ordered: bool = False
    ) -> Claim:
        """Lease deliveries that are due, the earliest first.

        A lease that is over is void, and so is one that ends later than a lease can: the clock was set back.

        :param until: when the lease ends.
        :param ordered: in the order of the events, and none before the one that stands first is settled.
        """
        ...

    async def settle(self, outcome: Outcome) -> bool:
        """Write down an attempt and what follows, and end the lease.

        :returns: False when the lease was another's by then: only the attempt was written down, and a success; and
            nothing at all where the event is not known any more, whoever has its sequence now.
        """
        ...

    async def next_due(self, endpoint: str) -> float | None:
        """When the earliest delivery is due that nobody has leased; None when nothing is pending."""
        ...

    async def release(self, owner: str) -> None:
        """End all leases of an owner."""
        ...

    async def replay(self, selection: Selection, now: float) -> int:
        """Make settled deliveries pending again, due now, with all their attempts before them.

        :returns: how many.
        """
        ...

    async def hurry(self, endpoint: str, now: float) -> int:
        """Have what an endpoint is owed later be due now, but for what is leased; attempts stay counted.

        :returns: how many.
        """
        ...

    async def find(self, selection: Selection, limit: int) -> Sequence[Delivery]:
        """Deliveries, the newest events first."""
        ...

    async def attempts(self, event_id: str, limit: int = 1000) -> Sequence[Attempt]:
        """What was tried for an event, the oldest first."""
        ...

    async def backlog(self) -> Mapping[str, Backlog]:
        """What is owed, by endpoint; without endpoints that nothing is known of."""
        ...


class EndpointRepository(Protocol):
    """Endpoints, and who delivers to them."""

    async def own(self, endpoint: str, owner: str, now: float, until: float) -> EndpointNotes | None:
        """Become the one who delivers to an endpoint, or stay it; None when another one is."""
        ...

    async def latest(self) -> float:
        """Until when anybody has ever been the one, at the latest: nobody's time is before that; 0.0 for never."""
        ...

    async def disown(self, owner: str) -> None:
        """Leave all endpoints to others."""
        ...

    async def save(self, endpoint: str, state: str) -> None:
        """Remember something of an endpoint."""
        ...

    async def ask(self, endpoint: str, asked: str) -> None:
        """Leave word for whoever delivers to an endpoint."""
        ...

    async def all(self) -> Sequence[EndpointNotes]:
        """Every endpoint of which something is known, by id."""
        ...


class Store(Protocol):
    """An outbox.

    :ivar events: what has happened.
    :ivar deliveries: who is to be told.
    :ivar endpoints: those who are.
    """

    @property
    def events(self) -> EventRepository: ...
    @property
    def deliveries(self) -> DeliveryRepository: ...
    @property
    def endpoints(self) -> EndpointRepository: ...

    async def close(self) -> None:
        """Keep what feeds still have, and let go of everything."""
        ...
