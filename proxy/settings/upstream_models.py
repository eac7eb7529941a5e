"""Where requests go: upstreams, their targets, and how much patience they are given.

Defaults are those that users of other proxies expect, except where those are unsafe: every wait has an end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, PositiveInt, field_validator, model_validator

from proxy.settings.fields import (
    HostName,
    Listed,
    Model,
    NotEmpty,
    Switch,
    TargetOrigin,
    is_address,
    is_loopback,
    port_of,
    split_url,
)
from proxy.settings.problems import suggestion
from proxy.settings.target_models import Balance, Breaker, Eject, Health
from proxy.settings.units import Duration, DurationOrZero, Percent, SizeOrZero, wrong

RETRY_CAUSES = ("connect", "reset", "timeout", "500", "502", "503", "504")

HostPolicy: TypeAlias = Literal["pass", "upstream"]
Resolve: TypeAlias = Literal["first", "all"]


class Target(Model):
    """One address of an upstream. A plain URL may stand for the whole."""

    url: TargetOrigin = Field(examples=["http://127.0.0.1:9001", "unix:/run/app.sock"])
    """`scheme://host:port`, or `unix:/path/of/a/socket`; without a path of requests."""
    weight: int = Field(default=1, ge=1, le=1000)
    """Its share of the requests, relative to the other targets."""
    resolve: Resolve | None = None
    """As the upstream's `resolve`, for this target alone."""

    @model_validator(mode="before")
    @classmethod
    def _accept_url(cls, value: object) -> object:
        return {"url": value} if isinstance(value, str) else value

    @property
    def path(self) -> str:
        """The path of a Unix socket; empty for an address."""
        return self.url.removeprefix("unix:") if self.url.startswith("unix:") else ""

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "http" if self.path else split_url(self.url).scheme

    @property
    def host(self) -> str:
        """Host name or address, without brackets; `localhost` for a Unix socket."""
        return "localhost" if self.path else split_url(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Port, the scheme's own one when none is written."""
        return 80 if self.path else port_of(self.url)

    @property
    def is_named(self) -> bool:
        """Whether it has addresses to look up, which may change."""
        return not (self.path or is_address(self.host) or is_loopback(self.host))

    @model_validator(mode="after")
    def _refuse_useless_resolve(self) -> Target:
        if self.resolve == "all" and not self.is_named:
            raise wrong("has no name that could resolve to several addresses", "remove resolve")
        return self


def _check_cause(value: object) -> object:
    if str(value) not in RETRY_CAUSES:
        raise wrong(f'"{value}" is no reason to try again', suggestion(str(value), RETRY_CAUSES))
    return int(str(value)) if str(value).isdigit() else str(value)


Cause = Annotated[Literal["connect", "reset", "timeout", 500, 502, 503, 504], BeforeValidator(_check_cause)]


class Pool(Model):
    """The connections to one upstream, all targets together."""

    max_connections: PositiveInt = 100
    """Connections at once; a request that finds all busy waits."""
    max_idle: int = Field(default=20, ge=0)
    """Idle connections kept; the rest is closed after 5 s of idleness."""
    idle_timeout: Duration = 60.0
    """An idle connection is closed after this long."""
    lifetime: Duration = 3600.0
    """A connection older than this is not used again; each has up to a tenth less, so that they do not end together."""
    max_requests: PositiveInt | None = None
    """Requests that a connection carries before it is closed: 1 for a new one each time, any number unless written."""
    queue: int = Field(default=1000, ge=0)
    """Requests that may wait for a connection; what comes beyond that is a 503."""
    queue_timeout: Duration = 5.0
    """How long each may wait, before it is a 503."""


class Timeouts(Model):
    """How long an upstream may take; each ends in a 504, but for that of tunnels."""

    connect: Duration = 5.0
    """Until the connection stands, TLS included."""
    first_byte: Duration = 60.0
    """From the end of the request to the first byte of the answer."""
    between_bytes: Duration = 60.0
    """The longest pause inside the answer."""
    total: Duration | None = None
    """From the request's head to the answer's last byte, over all tries, waits and queues; no limit unless written.
    An answer that is under way is cut; a tunnel is not."""
    tunnel_idle: Duration = 3600.0
    """A WebSocket, or any other tunnel after a 101, is closed when no byte has passed in either direction for this
    long; pings are bytes."""


class Backoff(Model):
    """How long to wait before a further try: a random time, up to a bound that doubles with each try."""

    base: Duration = 0.025
    """The bound before the first further try."""
    longest: Duration = Field(default=0.25, alias="max")
    """The bound is never higher."""


class UpstreamTls(Model):
    """How an https upstream is made sure of, and what it is shown. File names are those of PEM files."""

    ca: Path | None = None
    """The authorities that may sign its certificate, in the place of the system's."""
    server_name: HostName | None = None
    """The name that is asked for and that its certificate must be for; the target's host unless written."""
    certificate: Path | None = None
    """The gateway's own certificate and its chain, for an upstream that wants to know who asks."""
    key: Path | None = None
    """Its private key, unless that is in the same file."""
    verify: bool = True
    """`false` to talk to whoever answers: then neither the name nor the authority is looked at."""
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is spoken."""

    @model_validator(mode="after")
    def _check_key(self) -> UpstreamTls:
        if self.key is not None and self.certificate is None:
            raise wrong("has a key without a certificate", "write the certificate that the key belongs to")
        return self


class Retry(Model):
    """When a request is sent again."""

    attempts: int = Field(default=1, ge=0, le=10)
    """Further tries after the first one."""
    on: Annotated[tuple[Cause, ...], *Listed] = ("connect", "reset", "timeout", 502, 503, 504)
    """What is worth another try: `connect` (no connection), `reset` (it died before the answer was whole), `timeout`
    (the answer did not come in time), or a status: 500, 502, 503, 504. What may have been processed is sent again only
    when its method is idempotent."""
    budget: Percent = 0.2
    """Further tries at most, as a share of the requests of the last 10 s; ten a second are always allowed."""
    per_try_timeout: Duration | None = None
    """From the beginning of a try, queue and connection included, to the head of its answer; none unless written."""
    backoff: Annotated[Backoff | None, *Switch] = Backoff()
    """The wait before a further try; `false` for none."""
    buffer: SizeOrZero = Field(default=65536, le=1048576)
    """An upload of an idempotent method is kept up to this size while it is sent, so that it can be sent again; 0 for
    none."""
    hold: SizeOrZero = Field(default=65536, le=1048576)
    """An answer that says its length, up to this size, is held until it is whole where the request could be sent
    again, so that one that dies half-way is asked for anew; 0 for none."""


class Upstream(Model):
    """A service: one or more targets that can stand for each other."""

    targets: Annotated[tuple[Target, ...], NotEmpty, *Listed] = Field(examples=["[http://127.0.0.1:9001]"])
    """Where it runs."""
    balance: Balance = "round_robin"
    """How a target is chosen: `round_robin`, `least_busy`, `two_choices`, `{hash: ...}` or `{sticky: ...}`."""
    resolve: Resolve = "first"
    """What a target with a name stands for: `first`, one endpoint, at the first of its addresses that can be reached;
    or `all`, an endpoint for each address, which come and go with the answers of DNS."""
    slow_start: DurationOrZero = 0.0
    """A target that comes back begins with a tenth of its weight and has all of it after this long; `0s` is at once."""
    pool: Pool = Pool()
    """Connections kept to it."""
    timeouts: Timeouts = Timeouts()
    """How long it may take."""
    tls: UpstreamTls | None = None
    """How TLS is done with its https targets; the system's authorities and nothing else unless written."""
    retry: Annotated[Retry | None, *Switch] = Retry()
    """When to try again; `false` for never."""
    health: Annotated[Health | None, *Switch] = None
    """Active probes; off unless written."""
    eject: Annotated[Eject | None, *Switch] = Eject()
    """Passive ejection of failing targets; `false` for none."""
    breaker: Annotated[Breaker | None, *Switch] = None
    """Circuit breaker; off unless written."""
    host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9\[][A-Za-z0-9.:_\[\]-]*$")
    """The Host field sent: `pass` (the client's), `upstream` (the target's own), or a literal. Unless written, `pass`,
    but `upstream` for an https target that is named by DNS."""

    strict: bool = True
    """`false` for a legacy server: the heads of its answers may have lines that end in LF alone, folded lines, white
    space before a colon, and control bytes in values, which become spaces. Clients get them in order. What tells the
    framing of an answer, and NUL anywhere in a head, is held to the rules all the same."""

    def host_for(self, target: Target) -> str:
        """Return `pass`, `upstream`, or the literal Host to send to this target."""
        if self.host is not None:
            return self.host
        return "upstream" if target.scheme == "https" and not is_address(target.host) else "pass"

    def resolve_for(self, target: Target) -> Resolve:
        """Return what a target with a name stands for."""
        return target.resolve or self.resolve

    @model_validator(mode="after")
    def _refuse_useless_resolve(self) -> Upstream:
        if self.resolve == "all" and not any(target.is_named for target in self.targets):
            raise wrong("has no target whose name could resolve to several addresses", "remove resolve")
        return self

    @model_validator(mode="after")
    def _refuse_useless_tls(self) -> Upstream:
        if self.tls is not None and all(target.scheme != "https" for target in self.targets):
            raise wrong("has tls, but no target with https", "write the targets with https, or remove tls")
        return self

    @field_validator("targets", mode="after")
    @classmethod
    def _refuse_twins(cls, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        urls = [target.url for target in targets]
        twins = sorted({url for url in urls if urls.count(url) > 1})
        if twins:
            raise wrong(f"{twins[0]} is listed twice", "give it a weight instead")
        return targets


class RouteTimeouts(Model):
    """What a route asks of its upstream instead of the upstream's own timeouts."""

    connect: Duration | None = None
    """Until the connection stands, TLS included."""
    first_byte: Duration | None = None
    """From the end of the request to the first byte of the answer."""
    between_bytes: Duration | None = None
    """The longest pause inside the answer."""
    total: Duration | None = None
    """From the request's head to the answer's last byte, over all tries."""
    tunnel_idle: Duration | None = None
    """The longest time without a byte in a WebSocket or another tunnel."""

    def over(self, base: Timeouts) -> Timeouts:
        """Return `base` with the values written here in its place."""
        written: dict[str, Any] = {key: value for key, value in self if value is not None}
        return base.model_copy(update=written)
