"""What has happened, as typed events, and the bus that carries them."""

from proxy.events.bus import EventBus, EventStream, Handler, Kind
from proxy.events.kinds import (
    ApiError,
    CircuitClosed,
    CircuitOpened,
    ConfigRejected,
    ConfigReloaded,
    Event,
    EventClass,
    EventsDropped,
    LogsRotated,
    PluginError,
    RequestCompleted,
    SystemDraining,
    SystemStarted,
    UpstreamRecovered,
    UpstreamUnhealthy,
    WorkerDied,
)

__all__ = [
    "ApiError",
    "CircuitClosed",
    "CircuitOpened",
    "ConfigRejected",
    "ConfigReloaded",
    "Event",
    "EventBus",
    "EventClass",
    "EventStream",
    "EventsDropped",
    "Handler",
    "Kind",
    "LogsRotated",
    "PluginError",
    "RequestCompleted",
    "SystemDraining",
    "SystemStarted",
    "UpstreamRecovered",
    "UpstreamUnhealthy",
    "WorkerDied",
]
