"""What the admin API says and takes, as models: the answers are made of them, and so is their description.

They hold plain data only, so that one process may ask another for them.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, Strict

from proxy.described import Described
from proxy.settings.asked import AskedName, AskedUrl, AskedValue


class Said(Described):
    """Base of all: nothing beyond what is described."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Problem(Said):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


class IndexRoute(Said):
    """One thing that can be asked."""

    method: str
    path: str
    summary: str


class Index(Said):
    """What there is to ask for."""

    version: str
    revision: str
    routes: list[IndexRoute]


class Fault(Said):
    """Something that is wrong with a configuration, or doubtful."""

    severity: Literal["error", "warning"]
    file: str
    line: int
    column: int
    path: list[str | int]
    message: str
    remedy: str


class ReloadAnswer(Said):
    """What came of a reload."""

    ok: bool
    """False when it was refused: then nothing has changed."""
    cause: str
    """`signal`, `admin` or `file`."""
    at: float
    """Unix time at which it was over."""
    seconds: float
    revision: str
    """Of what is served since."""
    previous: str
    changes: list[str]
    """What is different, a line each."""
    problems: list[Fault]
    """Why it was refused, and what is doubtful."""


class WorkerSaid(Said):
    """One of several processes."""

    index: int
    pid: int
    uptime_seconds: float


class Status(Said):
    """Figures of the moment."""

    version: str
    revision: str
    state: Literal["starting", "serving", "draining"]
    ready: bool
    uptime_seconds: float
    listen: list[str]
    connections: int
    requests_active: int
    requests_total: int
    generations: int
    """Configurations on which requests still run."""
    reload: ReloadAnswer | None
    """The last one; null before the first."""
    redis: Literal["none", "up", "down"] = "none"
    """The Redis that gateways share. While it is down caches do without."""
    workers: list[WorkerSaid] = Field(default=[])
    """The processes that serve, where there are several."""


class RouteMatch(Said):
    """Conditions of a route."""

    host: list[str]
    path: str
    methods: list[str]
    headers: dict[str, str]


class TimeoutsSaid(Said):
    """Patience with an upstream, in seconds."""

    connect: float
    first_byte: float
    between_bytes: float


class RouteSaid(Said):
    """A route."""

    name: str
    match: RouteMatch
    priority: int
    path: dict[str, str]
    upstream: str | None
    plugins: list[str]
    timeouts: TimeoutsSaid
    active: int
    """Requests under way."""


class Routes(Said):
    """Every route, in the order of precedence."""

    routes: list[RouteSaid]


class ConnectionsSaid(Said):
    """Connections to an upstream."""

    busy: int
    idle: int
    max: int


class PoolTotals(Said):
    """What became of requests for a connection, since the upstream is as it is."""

    created: int
    reused: int
    waited: int


class TargetSaid(Said):
    """One target of an upstream."""

    url: str
    """What it is known by."""
    state: Literal["ready", "draining", "ejected", "unhealthy"]
    weight: int
    """As it counts now."""
    configured_weight: int
    active: int
    """Requests under way."""
    answers: int
    failures: int
    """Those of the answers and tries that speak against it."""


class UpstreamSaid(Said):
    """An upstream."""

    name: str
    breaker: Literal["off", "closed", "half_open", "open"]
    targets: list[TargetSaid]
    connections: ConnectionsSaid
    queued: int
    """Requests that wait for a connection."""
    totals: PoolTotals


class Upstreams(Said):
    """Every upstream."""

    upstreams: list[UpstreamSaid]


def _number(value: object) -> object:
    """JSON's numbers only; 3.0 is one that is whole, as its schema has it."""
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


class WeightWanted(Said):
    """Another weight for a target; null for the one that is configured."""

    weight: Annotated[int | None, BeforeValidator(_number)] = Field(ge=1, le=1000)


class PluginSaid(Said):
    """A plugin that runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    id: str
    name: str
    kind: str = Field(serialization_alias="class")
    rank: str
    on_error: str
    hooks: list[str]


class Plugins(Said):
    """Every plugin, in the order of the file."""

    plugins: list[PluginSaid]


class Config(Said):
    """The effective configuration; secrets are masked."""

    revision: str
    files: list[str]
    config: dict[str, Any]


class Asked(Said):
    """A request to explain."""

    method: str = Field(pattern=r"^[A-Z]{1,32}$", examples=["GET"])
    url: AskedUrl
    """Absolute."""
    headers: list[tuple[AskedName, AskedValue]] = Field(default_factory=list, max_length=100)
    """Name and value of each field."""
    client: Annotated[IPv4Address, Strict()] | Annotated[IPv6Address, Strict()] = IPv4Address("127.0.0.1")
    """The address that it comes from."""


class Explained(Said):
    """What would happen to a request; nothing is sent."""

    model_config = ConfigDict(extra="allow")

    request: str
    client: str
    route: str | None


Level = Literal["debug", "info", "warning", "error", "critical"]


class Levels(Said):
    """The least severe records that each logger lets pass; null where it goes by the one above it."""

    levels: dict[str, Level | None]


class LevelWanted(Said):
    """Another level for one logger; null to go by the one above it."""

    level: Level | None
