"""How an upstream's targets are chosen among, and how they are watched.

What takes a target out is generous, and what it costs is bounded: a gateway that believes every sign of weakness is an
outage of its own.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    WithJsonSchema,
    field_validator,
)

from proxy.settings.fields import FieldName, Listed, Model, NotEmpty
from proxy.settings.problems import suggestion
from proxy.settings.units import Duration, DurationOrZero, Percent, wrong

BALANCERS = ("round_robin", "least_busy", "two_choices")


class HashBy(Model):
    """Send equal requests to the same target."""

    hash: str = Field(pattern=r"^(header|cookie|query):.+$|^(client|path)$", examples=["header:X-User"])
    """What to hash: `header:NAME`, `cookie:NAME`, `query:NAME`, `client` (its address) or `path`."""


def _check_balancer(value: object) -> object:
    if value not in BALANCERS:
        raise wrong(f'"{value}" is not a way to balance', suggestion(str(value), BALANCERS))
    return value


Balancer = Annotated[Literal["round_robin", "least_busy", "two_choices"], BeforeValidator(_check_balancer)]


class StickyCookie(Model):
    """A cookie of the gateway's own that keeps a client with its target."""

    cookie: FieldName = Field(examples=["app_target"])
    """Its name."""
    max_age: DurationOrZero = 0.0
    """How long browsers keep it; `0s` is until they are closed."""
    secret: str = ""
    """What the target's name in it is hashed with: at least 16 characters, the same for gateways that share clients.
    Unless written, one is drawn at each start, and clients are spread anew after it."""
    otherwise: Balancer = "round_robin"
    """How a target is chosen for a client without the cookie."""

    @field_validator("secret", mode="after")
    @classmethod
    def _refuse_short(cls, secret: str) -> str:
        if 0 < len(secret) < 16:
            raise wrong("is too short to be secret", "write at least 16 characters, or none")
        return secret


class Sticky(Model):
    """Send a client to the target that it was sent to first."""

    sticky: StickyCookie
    """By which cookie."""


def _balance_kind(value: object) -> str:
    if isinstance(value, Sticky) or (isinstance(value, dict) and "sticky" in value):
        return "~sticky"
    return "~hash" if isinstance(value, dict | HashBy) else "~name"


Balance = Annotated[
    Annotated[Balancer, Tag("~name")] | Annotated[HashBy, Tag("~hash")] | Annotated[Sticky, Tag("~sticky")],
    Discriminator(_balance_kind),
]


def _check_status(value: object) -> str:
    found = re.fullmatch(r"([1-5]\d\d)(?:-([1-5]\d\d))?", str(value).strip())
    if found is None or (found[2] is not None and found[2] < found[1]):
        raise wrong(f'"{value}" is no status and no range of statuses', 'write it as 204 or "200-299"')
    return found[0]


def _check_pattern(value: str) -> str:
    try:
        re.compile(value.encode())
    except re.error as error:
        raise wrong(f"is not a regular expression: {error}") from None
    return value


StatusRange = Annotated[
    str,
    BeforeValidator(_check_status),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": r"^[1-5]\d\d(-[1-5]\d\d)?$"}, {"type": "integer"}]}),
]


class Health(Model):
    """Probes that take a target out before a request finds it dead."""

    path: str = Field(default="/", pattern=r"^/[!-~]*$")
    """Path of the probe, which may have a query."""
    method: Literal["GET", "HEAD", "OPTIONS"] = "GET"
    """Its method."""
    status: Annotated[tuple[StatusRange, ...], NotEmpty, *Listed] = ("200-399",)
    """Which statuses are healthy: `204`, `200-299`, or a list of such."""
    body: Annotated[str, AfterValidator(_check_pattern)] | None = None
    """A regular expression that the first 64 KiB of the answer must match somewhere; a longer answer is none."""
    host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9\[][A-Za-z0-9.:_\[\]-]*$")
    """The Host field of the probe; unless written, the target's own."""
    every: Duration = 10.0
    """Between two probes of a target."""
    jitter: Percent = 0.1
    """Share by which that varies, so that probes of many gateways do not come together."""
    timeout: Duration = 2.0
    """A probe that takes longer has failed."""
    fall: PositiveInt = 3
    """Failures in a row until a target is taken out."""
    rise: PositiveInt = 2
    """Successes in a row until it is back."""


class Eject(Model):
    """Take a target out that fails real requests: by connections that fail, resets, malformed or incomplete answers,
    timeouts, and the statuses 502, 503 and 504."""

    after: PositiveInt = 5
    """Failures in a row."""
    lasting: Duration = Field(default=30.0, alias="for")
    """How long it stays out; doubles each time, up to 5 minutes, and is forgotten step by step while it behaves. A
    target that refused connections is back as soon as it takes one."""
    at_most: Percent = 0.5
    """Share of the targets that may be out, rounded down: of a single target none is."""
    failure_ratio: Percent = Field(default=0.5, gt=0)
    """Share of failures that also takes it out."""
    of_at_least: PositiveInt = 20
    """Requests that must have been counted for that."""
    within: Duration = 10.0
    """The span over which they are counted; it begins with a failure."""


class Breaker(Model):
    """Stop asking an upstream that mostly fails."""

    failure_ratio: Percent = Field(default=0.5, gt=0)
    """Share of failures that opens the breaker; what is one is as for `eject`."""
    of_at_least: PositiveInt = 20
    """Requests that must have been counted before it may open."""
    within: Duration = 10.0
    """The span over which requests are counted; it begins with a failure."""
    open: Duration = 5.0
    """How long it stays open, and requests are answered 503, before one goes through as a probe."""
