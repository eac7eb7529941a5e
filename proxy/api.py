"""All that a plugin may import. Whatever is not here may change without notice."""

from proxy.body import Body, Filter
from proxy.cache import Cache, CacheStats, Codec, CorruptEntry, LevelStats
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
from proxy.events import ApiError, Event, EventBus, EventClass, LogsRotated, RequestCompleted
from proxy.exchange import Endpoint, Exchange, Key
from proxy.headers import Headers
from proxy.message import Request, Response
from proxy.metrics import Metrics
from proxy.peer import ClientCertificate, Peer
from proxy.plugin import Admin, AdminRequest, Answer, Command, Http, Plugin, PluginConfig, Rank, Services
from proxy.routing import PathSet
from proxy.settings.units import Duration, DurationOrZero, Percent, Size
from proxy.shared import Budget, Shared

__all__ = [
    "Accepted",
    "Admin",
    "AdminRequest",
    "Answer",
    "ApiError",
    "BadRequest",
    "Body",
    "BodyTooLarge",
    "Budget",
    "Cache",
    "CacheStats",
    "Chain",
    "ClientCertificate",
    "ClientError",
    "ClientLeft",
    "Clock",
    "Codec",
    "CodingError",
    "Command",
    "CorruptEntry",
    "Duration",
    "DurationOrZero",
    "Endpoint",
    "Event",
    "EventBus",
    "EventClass",
    "Exchange",
    "Fault",
    "Filter",
    "GatewayError",
    "Headers",
    "Http",
    "Key",
    "LevelStats",
    "Limits",
    "Link",
    "LogsRotated",
    "Malformed",
    "Metrics",
    "PathSet",
    "Peer",
    "Percent",
    "Plugin",
    "PluginConfig",
    "Rank",
    "Request",
    "RequestCompleted",
    "Response",
    "Services",
    "Shared",
    "Size",
    "TooMuch",
    "UpstreamError",
    "accepted",
    "applied",
    "blame",
    "can_decode",
    "choose",
    "decode",
    "decoded",
    "decoding",
    "installed",
]
