"""The outbox: events that are owed to somebody, kept until they are delivered.

The one in a file is in `proxy.store.sqlite`, which is loaded by those who keep something.
"""

from proxy.store.memory import MemoryStore
from proxy.store.records import (
    Attempt,
    Backlog,
    Claim,
    Delivery,
    Due,
    EndpointNotes,
    NewEvent,
    Outcome,
    Selection,
    State,
    StoredEvent,
)
from proxy.store.repositories import (
    DeliveryRepository,
    EndpointRepository,
    EventRepository,
    EventSource,
    Store,
    StoreUnavailable,
)

__all__ = [
    "Attempt",
    "Backlog",
    "Claim",
    "Delivery",
    "DeliveryRepository",
    "Due",
    "EndpointNotes",
    "EndpointRepository",
    "EventRepository",
    "EventSource",
    "MemoryStore",
    "NewEvent",
    "Outcome",
    "Selection",
    "State",
    "Store",
    "StoreUnavailable",
    "StoredEvent",
]
