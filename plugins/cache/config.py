"""What the cache can be told to do: its options, for the whole process and for a route."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from plugins._fields import checked_name
from proxy.api import Duration, DurationOrZero, PluginConfig, Size

MIB = 1024 * 1024

_STORABLE = frozenset(range(200, 600)) - {206, 304, 416}
_READS = frozenset({"GET", "HEAD", "POST", "QUERY", "SEARCH", "REPORT", "PROPFIND"})


def _name(text: str) -> str:
    return checked_name(text).lower()


def _method(text: str) -> str:
    if text not in _READS:
        raise ValueError(f"answers to {text} cannot be stored; methods are among {', '.join(sorted(_READS))}")
    return text


def _status(status: int) -> int:
    if status not in _STORABLE:
        raise ValueError(f"{status} is not a status whose answers are stored whole")
    return status


def _network(text: str) -> str:
    return str(ip_network(text))


Network = Annotated[str, AfterValidator(_network)]
FieldName = Annotated[str, AfterValidator(_name)]
Method = Annotated[str, AfterValidator(_method)]
Status = Annotated[int, AfterValidator(_status)]


class _Part(PluginConfig):
    """A section of the options."""


class Allow(_Part):
    """These parameters alone."""

    allow: tuple[str, ...]
    """Names of the parameters that tell answers apart; the others are not part of the key."""


class Deny(_Part):
    """All parameters but these."""

    deny: tuple[str, ...]
    """Names of parameters that make no difference, such as utm_source."""


class KeyParts(_Part):
    """What tells one stored answer from another, beside scheme, path and what the answer's Vary names."""

    query: Literal["all", "none", "sorted"] | Allow | Deny = "all"
    """Which part of the query: all as it is written, none, all in the order of their names, or some parameters."""
    headers: tuple[FieldName, ...] = ()
    """Request fields whose values are part of the key."""
    cookies: tuple[str, ...] = ()
    """Cookies whose values are part of the key."""
    host: bool = True
    """Whether each host has answers of its own; `false` only where all hosts of a route are one site."""


class Config(PluginConfig):
    """What is stored, for how long, and what counts as the same request."""

    process_wide: ClassVar[frozenset[str]] = frozenset({"memory", "max_object", "shared", "refreshes", "purgers"})

    memory: Size = 64 * MIB
    """Bytes of memory for stored answers, overhead included; the least recently used go first."""
    max_object: Size = 4 * MIB
    """Bytes of the largest body that is stored; larger ones only pass through."""
    shared: bool | None = None
    """Whether answers are shared through Redis; not written: where `redis` is configured."""
    ttl: Duration | None = None
    """How long an answer is fresh that says nothing of its freshness; never over no-store or private."""
    force_ttl: Duration | None = None
    """How long every answer is fresh, whatever it says itself, no-store and private included. Use it with care."""
    statuses: tuple[Status, ...] | None = None
    """Statuses whose answers may be stored; not written: all that say how long they are fresh, and those that RFC 9110
    section 15.1 calls heuristically cacheable."""
    methods: tuple[Method, ...] = ("GET", "HEAD")
    """Methods whose answers may come from the cache. With POST the request's body is part of the key."""
    key: KeyParts = KeyParts()
    """What tells answers apart."""
    vary_limit: int = Field(default=16, ge=1, le=256)
    """Variants of one URL that are kept; the oldest goes first."""
    bypass: tuple[FieldName, ...] = ()
    """Request fields in whose presence the cache stands aside: nothing is taken from it and nothing stored."""
    ignore_client_no_cache: bool = False
    """Whether clients cannot make the gateway ask upstream: no-cache, no-store, max-age and min-fresh of requests count
    for nothing."""
    heuristic: bool = True
    """Whether an answer that tells only when it was last modified is fresh for a tenth of its age, one day at most
    (RFC 9111 section 4.2.2)."""
    grace: DurationOrZero = 0.0
    """How long a stale answer is used while a new one is fetched, or when that fails, where the answer itself does not
    say (RFC 5861)."""
    set_cookie: Literal["refuse", "store"] = "refuse"
    """Whether answers that set cookies are stored although they are not marked as public."""
    wait: DurationOrZero = 10.0
    """How long a request waits for the answer that another one has asked for already; 0 asks at once."""
    refreshes: int = Field(default=64, ge=0)
    """Answers that are refreshed in the background at the same time, at most."""
    purgers: tuple[Network, ...] = ()
    """Networks whose clients may send PURGE; nobody by default."""
