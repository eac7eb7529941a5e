"""The whole configuration as one immutable value.

This is the contract between the file that an operator writes and the engine. Whatever stands here is either honoured
or refused by name (see `unsupported`); nothing is read and ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, PositiveInt, WithJsonSchema

from proxy.settings.error_models import ErrorPages
from proxy.settings.fields import (
    Cidr,
    HostName,
    Listed,
    Model,
    Name,
    NotEmpty,
    PlainOrigin,
    RedisUrl,
    Switch,
    UnderscoredName,
    port_of,
    split_url,
)
from proxy.settings.listener_models import Listener
from proxy.settings.plugin_models import PluginEntry, RoutePlugin
from proxy.settings.route_models import Route, SelfTest
from proxy.settings.units import Duration, DurationOrZero, Size, wrong
from proxy.settings.upstream_models import Upstream

# The chain of a file that has no `plugins` key.
DEFAULT_PLUGINS = tuple(PluginEntry.of(name) for name in ("request_id", "sanitize", "cache", "compress", "events"))


class Admin(Model):
    """The listener for operators: health, metrics, API."""

    listen: PlainOrigin = "http://127.0.0.1:9090"
    """Its address. Anything but loopback needs a token."""
    token: str = Field(default="", repr=False)
    """Bearer token that the API asks for; empty for none."""
    names: Annotated[tuple[HostName, ...], *Listed] = ()
    """Host names that it is reached by, beside `localhost`; addresses always do."""
    probes: PlainOrigin | None = None
    """One more address, for `/healthz` and `/readyz` alone."""

    @property
    def host(self) -> str:
        """Address to bind, without brackets."""
        return split_url(self.listen).hostname or ""

    @property
    def port(self) -> int:
        """Port to bind; 0 lets the system choose."""
        return port_of(self.listen)


class Limits(Model):
    """How large things may get before they are refused."""

    head: Size = 32 * 1024
    """A request's head in all: 431 beyond it."""
    fields: PositiveInt = 100
    """Header fields of a request: 431 beyond it."""
    target: Size = 8 * 1024
    """A request's target: 414 beyond it."""
    buffered_body: Size = 10 * 1024 * 1024
    """A body that a plugin must hold as a whole: 413 beyond it. Streamed bodies have no limit."""
    connections: PositiveInt = 10_000
    """Connections from clients at once, over all listeners; further ones wait in the backlog until others leave."""


class ClientTimeouts(Model):
    """How long a client may take."""

    head: Duration = 10.0
    """Until its request's head is complete: 408."""
    between_bytes: Duration = 60.0
    """The longest pause inside a request's body: 408. There is no limit on a whole upload."""
    keep_alive: Duration = 75.0
    """An idle connection is closed after this long."""
    slow_reader: Duration = 60.0
    """A client that takes no byte of its answer for this long is cut."""


class Dns(Model):
    """How the names of upstreams, and those that plugins ask for, are looked up."""

    ttl: Duration = 10.0
    """An answer is used for this long, then the name is looked up again."""
    stale: DurationOrZero = 300.0
    """While look-ups fail, the last answer serves for this long beyond that."""


class Drain(Model):
    """How a server stops."""

    delay: DurationOrZero = 0.0
    """Between saying that it is not ready and closing its listeners, for load balancers."""
    timeout: Duration = 30.0
    """What still runs after this long is cut."""


def _check_workers(value: object) -> int | str:
    if value == "auto":
        return "auto"
    count = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise wrong(f'"{value}" is not a number of workers', "write 1 or more, or auto")
    return count


_WORKERS_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}
Workers = Annotated[int | Literal["auto"], PlainValidator(_check_workers), WithJsonSchema(_WORKERS_SCHEMA)]


class Settings(Model):
    """Everything that a file says, with defaults for what it does not say."""

    also_written: ClassVar[tuple[str, ...]] = ("include",)  # keys that are gone once the files are merged

    listen: Annotated[tuple[Listener, ...], NotEmpty, *Listed] = (Listener(url="http://127.0.0.1:8080"),)
    """Where clients connect."""
    admin: Annotated[Admin | None, *Switch] = Admin()
    """The listener for operators; `false` for none."""
    workers: Workers = 1
    """Processes, or `auto` for one a core."""
    state: Path = Path(".passerelle")
    """Directory for what must outlive the process; made with mode 0700."""
    redis: RedisUrl = Field(default="", repr=False)
    """URL of a Redis server that several gateways share: `redis://`, `rediss://` (TLS) or `unix://`; empty for none.
    Caches have a second level in it, and are kept coherent by it; while it does not answer they do without."""
    trusted_proxies: Annotated[tuple[Cidr, ...], *Listed] = ()
    """Whose X-Forwarded-* fields are believed; nobody's by default."""
    forwarded_header: bool = False
    """Whether Forwarded (RFC 7239) is written for upstreams, and believed of trusted proxies before X-Forwarded-*."""
    allow_underscores: Annotated[tuple[UnderscoredName, ...], *Listed] = ()
    """Fields of requests that are passed on although there is a `_` in their names; all others such are dropped."""
    traceparent: bool = True
    """Whether upstreams get a W3C `traceparent` with every request: the client's where it is valid, else a new one,
    not sampled. `false` passes the client's field unseen and begins none, so that upstreams decide what is sampled."""
    limits: Limits = Limits()
    """How large requests may get."""
    timeouts: ClientTimeouts = ClientTimeouts()
    """How long clients may take. Upstreams have timeouts of their own."""
    dns: Dns = Dns()
    """How names are looked up."""
    drain: Drain = Drain()
    """How the server stops."""
    upstreams: dict[Name, Upstream] = Field(default_factory=dict)
    """Where requests go, by name."""
    plugins: tuple[PluginEntry, ...] = DEFAULT_PLUGINS
    """The chain of every route, outermost first; `[]` for none."""
    routes: tuple[Route, ...] = ()
    """Which requests go where. A file with one upstream and no routes sends everything there."""
    errors: ErrorPages = Field(default_factory=dict)
    """What the gateway's own error answers look like, by status (`404`) or class (`5xx`)."""
    tests: tuple[SelfTest, ...] = ()
    """What `check` verifies before the configuration is used."""

    @property
    def named_plugins(self) -> Iterator[PluginEntry | RoutePlugin]:
        """Every place where a plugin is named: in the chain, then on routes."""
        yield from self.plugins
        for route in self.routes:
            yield from route.plugins.values()

    @property
    def error_files(self) -> Iterator[Path]:
        """Every file that holds a template of an error page."""
        for errors in (self.errors, *(route.errors for route in self.routes)):
            yield from (page.file for pages in errors.values() for page in pages if page.file is not None)
