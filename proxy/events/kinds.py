"""The facts that are told, as classes: what an event is, and the catalogue of the gateway's own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, ClassVar

_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_OWN = __name__.rpartition(".")[0] + "."
FAMILIES = frozenset(
    ("api", "cache", "circuit", "config", "plugin", "quota", "rate", "request", "system", "upstream", "webhook")
)


class EventClass(Enum):
    """What may be done to an event for want of room."""

    A = "A"  # never merged, never dropped while it can be written down
    B = "B"  # the first of a subject at once, the following merged; the newest dropped when full
    C = "C"  # the oldest dropped when full


@dataclass(slots=True, eq=False)
class Event:
    """Something that has happened; the base of all events.

    A kind of event is a dataclass with slots which names its `type` (words with dots between, the first of them the
    plugin's own) and its `klass`; its docstring is its reference page, its fields are its data.

    :ivar time: when it was published, seconds since the epoch; 0.0 before.
    """

    type: ClassVar[str]
    klass: ClassVar[EventClass]
    folds: ClassVar[bool] = False  # whether several about one subject are told as one, which has a `count`

    time: float = field(default=0.0, init=False, repr=False)

    def __init_subclass__(cls) -> None:
        """:raises TypeError: when a kind lacks its type, class or docstring, or takes a name of the catalogue."""
        name = getattr(cls, "type", "")
        if not isinstance(name, str) or _TYPE.fullmatch(name) is None:
            raise TypeError(f"{cls.__name__}: an event's type is words with dots between, such as shop.order.paid")
        if not isinstance(getattr(cls, "klass", None), EventClass) or not cls.__doc__:
            raise TypeError(f"{cls.__name__}: an event names its klass and has a docstring")
        family = name.partition(".")[0]
        if not cls.__module__.startswith(_OWN) and family in FAMILIES:
            raise TypeError(f"{cls.__name__}: {family}.* is the gateway's own; begin the type with the plugin's name")

    @property
    def subject(self) -> str:
        """What it is about: events of one type and subject may be merged; empty when there is only one subject."""
        return ""

    def fold(self, later: Any) -> None:
        """Stand for a later event of the same type and subject as well; only for kinds that fold, by their `count`."""
        folded: Any = self
        folded.count += later.count

    def data(self) -> dict[str, Any]:
        """Its fields by name, of types that JSON knows."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "time"}


@dataclass(slots=True, eq=False)
class RequestCompleted(Event):
    """An exchange is over, however it ended.

    `status` is 499 when the client left. `first_byte_ms` is None when no answer began; `bytes_in` and `bytes_out`
    count content, without heads and framing. `attempts` counts the tries at upstreams; `fallback` is the upstream that
    `on_error` asked instead, `respond` for a fixed answer, or empty.
    """

    type: ClassVar[str] = "request.completed"
    klass: ClassVar[EventClass] = EventClass.C

    request_id: str
    route: str
    method: str
    status: int
    upstream: str
    duration_ms: float
    first_byte_ms: float | None
    bytes_in: int
    bytes_out: int
    cache: str = ""
    tenant: str = ""
    attempts: int = 0
    fallback: str = ""

    @property
    def subject(self) -> str:
        return self.route


@dataclass(slots=True, eq=False)
class ApiError(Event):
    """An exchange was answered by a 5xx, from the upstream or from the gateway itself.

    `error` is the gateway's code for what failed, empty when the upstream answered so by itself. An event may stand
    for `count` such answers, of which the first and the last are named.
    """

    type: ClassVar[str] = "api.error"
    klass: ClassVar[EventClass] = EventClass.B
    folds: ClassVar[bool] = True

    route: str
    upstream: str
    status: int
    error: str
    first_request_id: str
    last_request_id: str
    count: int = 1

    @property
    def subject(self) -> str:
        return self.route

    def fold(self, later: Any) -> None:
        self.last_request_id = later.last_request_id
        Event.fold(self, later)  # a class with slots has no super() without arguments


@dataclass(slots=True, eq=False)
class CacheCorrupt(Event):
    """An entry in the shared store could not be read, and counted as a miss: cut, altered, or not written by a gateway.

    `key` is cut to 200 characters. An event may stand for `count` such entries, of which the first is named.
    """

    type: ClassVar[str] = "cache.corrupt"
    klass: ClassVar[EventClass] = EventClass.B
    folds: ClassVar[bool] = True

    cache: str
    key: str
    reason: str
    count: int = 1

    @property
    def subject(self) -> str:
        return self.cache


@dataclass(slots=True, eq=False)
class PluginError(Event):
    """A plugin's hook, or a subscriber to events, raised.

    `request_id` is empty when it was not in an exchange. An event may stand for `count` such failures, of which the
    first is told.
    """

    type: ClassVar[str] = "plugin.error"
    klass: ClassVar[EventClass] = EventClass.B
    folds: ClassVar[bool] = True

    plugin: str
    error: str
    request_id: str = ""
    count: int = 1

    @property
    def subject(self) -> str:
        return self.plugin


@dataclass(slots=True, eq=False)
class SystemStarted(Event):
    """The gateway is ready: it listens on the URLs in `listen`, under the configuration `revision`."""

    type: ClassVar[str] = "system.started"
    klass: ClassVar[EventClass] = EventClass.A

    version: str
    revision: str
    listen: tuple[str, ...]


@dataclass(slots=True, eq=False)
class WorkerDied(Event):
    """A worker process ended although nobody had told it to; what it was at is lost, and a successor is started.

    `worker` is its number, `reason` its exit code or the signal that killed it.
    """

    type: ClassVar[str] = "system.worker_died"
    klass: ClassVar[EventClass] = EventClass.A

    worker: int
    pid: int
    reason: str

    @property
    def subject(self) -> str:
        return str(self.worker)


@dataclass(slots=True, eq=False)
class SystemDraining(Event):
    """The gateway takes no new connections; `active` exchanges have `limit_s` seconds to end."""

    type: ClassVar[str] = "system.draining"
    klass: ClassVar[EventClass] = EventClass.A

    active: int
    limit_s: float


@dataclass(slots=True, eq=False)
class LogsRotated(Event):
    """Log files were moved away, says USR1: whoever writes one opens it anew. Each process tells for itself."""

    type: ClassVar[str] = "system.logs_rotated"
    klass: ClassVar[EventClass] = EventClass.C


@dataclass(slots=True, eq=False)
class ConfigReloaded(Event):
    """A changed configuration is served: new exchanges begin on `revision`, those under way end on `previous`.

    `summary` names what is different, a line each; it is empty when nothing was.
    """

    type: ClassVar[str] = "config.reloaded"
    klass: ClassVar[EventClass] = EventClass.A

    revision: str
    previous: str
    summary: tuple[str, ...]


@dataclass(slots=True, eq=False)
class ConfigRejected(Event):
    """A changed configuration was refused; `revision` goes on being served, untouched.

    `summary` holds what is wrong, a line for each problem, with file, line and column.
    """

    type: ClassVar[str] = "config.rejected"
    klass: ClassVar[EventClass] = EventClass.A

    revision: str
    summary: tuple[str, ...]


@dataclass(slots=True, eq=False)
class EventsDropped(Event):
    """Events were lost for want of room since the last such notice: `dropped` counts them by type."""

    type: ClassVar[str] = "system.events_dropped"
    klass: ClassVar[EventClass] = EventClass.A

    dropped: dict[str, int]


@dataclass(slots=True, eq=False)
class UpstreamUnhealthy(Event):
    """A target takes no more requests: its probes fail, or it was ejected because real requests failed.

    `reason` says which in words. An event stands for an edge that lasted: of a target that flaps, one is told in ten
    seconds at most, and the last state always is.
    """

    type: ClassVar[str] = "upstream.unhealthy"
    klass: ClassVar[EventClass] = EventClass.B

    upstream: str
    endpoint: str
    reason: str

    @property
    def subject(self) -> str:
        return f"{self.upstream} {self.endpoint}"


@dataclass(slots=True, eq=False)
class UpstreamRecovered(Event):
    """A target of which `upstream.unhealthy` told takes requests again; `reason` says how that was found."""

    type: ClassVar[str] = "upstream.recovered"
    klass: ClassVar[EventClass] = EventClass.B

    upstream: str
    endpoint: str
    reason: str

    @property
    def subject(self) -> str:
        return f"{self.upstream} {self.endpoint}"


@dataclass(slots=True, eq=False)
class CircuitOpened(Event):
    """An upstream's circuit breaker has opened: its requests are answered 503 at once.

    `endpoint` is empty, since the breaker stands before all of them. As with `upstream.unhealthy`, one edge is told in
    ten seconds at most.
    """

    type: ClassVar[str] = "circuit.opened"
    klass: ClassVar[EventClass] = EventClass.B

    upstream: str
    endpoint: str
    reason: str

    @property
    def subject(self) -> str:
        return self.upstream


@dataclass(slots=True, eq=False)
class CircuitClosed(Event):
    """A circuit breaker of which `circuit.opened` told lets requests through again, since its probe succeeded."""

    type: ClassVar[str] = "circuit.closed"
    klass: ClassVar[EventClass] = EventClass.B

    upstream: str
    endpoint: str
    reason: str

    @property
    def subject(self) -> str:
        return self.upstream
