"""The outbox: events that are owed to somebody, kept until they are delivered."""

from proxy.store.file import NotUsable
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
from proxy.store.sqlite import SqliteStore

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
    "NotUsable",
    "Outcome",
    "Selection",
    "SqliteStore",
    "State",
    "Store",
    "StoreUnavailable",
    "StoredEvent",
]
