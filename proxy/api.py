"""All that a plugin may import. Whatever is not here may change without notice.

The outbox is loaded when a plugin asks for a part of it: few keep one, and its classes are a fortieth of a start.
"""

import importlib
from typing import TYPE_CHECKING

from proxy.body import Body, Filter
from proxy.cache import (
    Cache,
    Cached,
    CachedStats,
    CacheStats,
    Codec,
    CorruptEntry,
    LevelStats,
    NotStorable,
    Values,
    cached,
    close_caches,
)
from proxy.chain import Chain, Link
from proxy.clock import Clock
from proxy.codings import (
    Accepted,
    CodingError,
    Limits,
    Malformed,
    TooMuch,
    accepted,
    applied,
    blame,
    can_decode,
    choose,
    decode,
    decoded,
    decoding,
    installed,
)
from proxy.errors import (
    BadRequest,
    BodyTooLarge,
    ClientError,
    ClientLeft,
    Fault,
    GatewayError,
    UpstreamError,
)
from proxy.events import (
    ApiError,
    Brake,
    CachePurged,
    Event,
    EventBus,
    EventClass,
    LogsRotated,
    RequestBlocked,
    RequestCompleted,
    WebhookDeliveryDead,
    WebhookEndpointDisabled,
    WebhookEndpointFailing,
    WebhookEndpointRecovered,
    WebhookTest,
    built_in_events,
    is_built_in,
    known_events,
)
from proxy.exchange import Endpoint, Exchange, Key, Recoder
from proxy.headers import HOP_BY_HOP, Headers, Rendered
from proxy.kept import Allowance
from proxy.message import Request, Response
from proxy.metrics import Metrics
from proxy.peer import ClientCertificate, Peer
from proxy.plugin import Admin, AdminRequest, Answer, Command, GuardedHttp, Http, Plugin, PluginConfig, Rank, Services
from proxy.routing import PathSet
from proxy.settings.asked import AskedName, AskedUrl, AskedValue
from proxy.settings.fields import FileName
from proxy.settings.secrets import MASK, is_secret_field
from proxy.settings.units import Duration, DurationOrZero, Percent, Size
from proxy.shared import Shared
from proxy.waiting import Failed, Later

if TYPE_CHECKING:
    from proxy.store import (
        Backlog,
        Delivery,
        Due,
        EndpointNotes,
        MemoryStore,
        NewEvent,
        Outcome,
        Selection,
        Store,
        StoredEvent,
        StoreUnavailable,
    )
else:

    def __getattr__(name: str) -> object:
        """A part of the outbox: all else that is listed below is here already (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(importlib.import_module("proxy.store"), name)
        return found


__all__ = [
    "HOP_BY_HOP",
    "MASK",
    "Accepted",
    "Admin",
    "AdminRequest",
    "Allowance",
    "Answer",
    "ApiError",
    "AskedName",
    "AskedUrl",
    "AskedValue",
    "Backlog",
    "BadRequest",
    "Body",
    "BodyTooLarge",
    "Brake",
    "Cache",
    "CachePurged",
    "CacheStats",
    "Cached",
    "CachedStats",
    "Chain",
    "ClientCertificate",
    "ClientError",
    "ClientLeft",
    "Clock",
    "Codec",
    "CodingError",
    "Command",
    "CorruptEntry",
    "Delivery",
    "Due",
    "Duration",
    "DurationOrZero",
    "Endpoint",
    "EndpointNotes",
    "Event",
    "EventBus",
    "EventClass",
    "Exchange",
    "Failed",
    "Fault",
    "FileName",
    "Filter",
    "GatewayError",
    "GuardedHttp",
    "Headers",
    "Http",
    "Key",
    "Later",
    "LevelStats",
    "Limits",
    "Link",
    "LogsRotated",
    "Malformed",
    "MemoryStore",
    "Metrics",
    "NewEvent",
    "NotStorable",
    "Outcome",
    "PathSet",
    "Peer",
    "Percent",
    "Plugin",
    "PluginConfig",
    "Rank",
    "Recoder",
    "Rendered",
    "Request",
    "RequestBlocked",
    "RequestCompleted",
    "Response",
    "Selection",
    "Services",
    "Shared",
    "Size",
    "Store",
    "StoreUnavailable",
    "StoredEvent",
    "TooMuch",
    "UpstreamError",
    "Values",
    "WebhookDeliveryDead",
    "WebhookEndpointDisabled",
    "WebhookEndpointFailing",
    "WebhookEndpointRecovered",
    "WebhookTest",
    "accepted",
    "applied",
    "blame",
    "built_in_events",
    "cached",
    "can_decode",
    "choose",
    "close_caches",
    "decode",
    "decoded",
    "decoding",
    "installed",
    "is_built_in",
    "is_secret_field",
    "known_events",
]
