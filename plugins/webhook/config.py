"""What is written about webhooks, and what of it is refused."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, field_validator, model_validator

from plugins.webhook.filters import compile_filter
from plugins.webhook.formats import Format
from plugins.webhook.guard import admits, is_address, is_loopback
from plugins.webhook.signing import Secret
from proxy.api import (
    Duration,
    DurationOrZero,
    Event,
    EventClass,
    Percent,
    PluginConfig,
    Size,
    built_in_events,
    is_built_in,
)

_MINUTE, _HOUR = 60.0, 3600.0
_SCHEDULE = (
    *(0.0, 5.0, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
)


class Retry(PluginConfig):
    """When a delivery is tried, and tried again."""

    schedule: tuple[DurationOrZero, ...] = Field(default=_SCHEDULE, min_length=1, max_length=50)
    """The time before each attempt, counted from the one before; as many attempts are made as there are times."""
    jitter: Percent = 0.2
    """Each time is longer or shorter by up to this share, so that what failed together is not tried together."""


class Timeouts(PluginConfig):
    """How long an endpoint may take."""

    connect: Duration = 5.0
    """Until there is a connection, TLS included."""
    total: Duration = 15.0
    """Until the answer is whole."""


class PaceConfig(PluginConfig):
    """How much an endpoint is sent at once."""

    in_flight: PositiveInt = Field(default=10, le=1000)
    """Requests at once."""
    per_second: PositiveFloat = Field(default=50.0, le=100_000)
    """Requests in a second. After a recovery it begins with 5, and doubles every 10 seconds."""


def _checked_secret(text: str) -> str:
    if text != text.strip():
        raise ValueError("a secret has no space before or behind it")
    Secret(text)
    return text


SecretText = Annotated[str, AfterValidator(_checked_secret)]


class EndpointConfig(PluginConfig):
    """One receiver."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """Its name in commands, metrics and events. Deliveries belong to the name, not to the URL."""
    url: str
    """Where events are sent, by POST: https, or http to this machine."""
    secret: SecretText | tuple[SecretText, ...] = Field(repr=False)
    """What deliveries are signed with: `whsec_` and base64, or any text. While rotating a list, the new one first: the
    others sign as well for 24 hours from when the gateway has first seen it."""
    events: tuple[str, ...] = ()
    """Types, or globs such as `quota.*`, which leave out events of class C. None: all events of class A."""
    filter: dict[str, Any] = Field(default_factory=dict)
    """Conditions on the envelope, by path, all of which must hold: `{data.percent: {$gte: 80}}`."""
    format: Format = "cloudevents"
    """`cloudevents`: one event, as it is kept. `batch`: a list of up to 100. `slack`: a text, for a chat."""
    ordered: bool = False
    """One at a time, in order: no event is sent before those that came earlier are delivered or dead."""
    retry: Retry = Retry()
    """When a delivery is tried again."""
    timeouts: Timeouts = Timeouts()
    """How long it may take."""
    pace: PaceConfig = PaceConfig()
    """How much it is sent at once."""
    allow_private: bool = False
    """Whether it may be in a private network, or on this machine."""
    enabled: bool = True
    """Whether events are kept for it, and delivered."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        return checked_url(url)

    @field_validator("events")
    @classmethod
    def _check_events(cls, events: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in events:
            if is_built_in(pattern) or "." not in pattern:
                check_pattern(pattern, built_in_events())
        return events

    @field_validator("filter")
    @classmethod
    def _check_filter(cls, said: dict[str, Any]) -> dict[str, Any]:
        compile_filter(said)
        return said

    @field_validator("secret")
    @classmethod
    def _check_secret(cls, secret: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not secret:
            raise ValueError("a secret is not empty")
        return secret

    @property
    def doubts(self) -> Iterator[str]:
        """What an operator should know before the first event is lost in it."""
        if any(secret.is_short for secret in self.secrets):
            yield f"the secret of endpoint {self.id} is short: 24 bytes or more are advised"
        host = urlsplit(self.url).hostname or ""
        address = "127.0.0.1" if host == "localhost" else host
        if is_address(address) and not admits(address, private=self.allow_private):
            may = admits(address, private=True)
            remedy = 'unless it says "allow_private: true"' if may else "whatever it says"
            yield f"nothing is delivered to endpoint {self.id} at {host}, {remedy}"

    @cached_property
    def secrets(self) -> tuple[Secret, ...]:
        """The keys, the current one first."""
        return tuple(Secret(text) for text in ((self.secret,) if isinstance(self.secret, str) else self.secret))

    @cached_property
    def mark(self) -> str:
        """What the configuration is known by: another one enables an endpoint again."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @cached_property
    def key(self) -> str:
        """What the current secret is known by."""
        return hashlib.sha256(b"webhook secret\0" + self.secrets[0].key).hexdigest()[:16]

    def wants(self, kind: type[Event]) -> bool:
        """Whether it subscribes to events of a class, its filter aside."""
        if not self.events:
            return kind.klass is EventClass.A
        if kind.type in self.events:
            return True
        return kind.klass is not EventClass.C and any(fnmatchcase(kind.type, pattern) for pattern in self.events)


class Config(PluginConfig):
    """Who is told, and how long it is remembered."""

    process_wide: ClassVar[frozenset[str]] = frozenset({"endpoints", "source", "in_flight", "keep", "keep_at_most"})

    endpoints: tuple[EndpointConfig, ...] = ()
    """The receivers."""
    source: str = Field(default="/passerelle", min_length=1)
    """What events name as their source: a URI reference that tells your gateways apart."""
    in_flight: PositiveInt = 200
    """Requests to all endpoints at once."""
    keep: Duration = 30 * 86400.0
    """How long events, their attempts and dead letters are kept. What is pending is kept whatever its age."""
    keep_at_most: Size = 2 * 1024**3
    """What the outbox may hold; beyond it the oldest delivered events are forgotten first, then dead letters."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        ids = [endpoint.id for endpoint in self.endpoints]
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(f'two endpoints have the id "{name}"')
        return self


def checked_url(url: str) -> str:
    """A URL that may be delivered to. :raises ValueError: with the reason why not."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from error
    if not host or any(character <= " " or character == "\\" for character in url):
        raise ValueError("write a URL such as https://hooks.example.com/path")
    if "@" in parts.netloc:
        raise ValueError("a URL holds no user or password: what is secret belongs into `secret`")
    if parts.scheme == "http" and (host == "localhost" or is_loopback(host)):
        return url
    if parts.scheme != "https":
        raise ValueError("https is needed, unless it is on this machine")
    return url


def check_pattern(pattern: str, types: Iterable[str]) -> None:
    """:raises ValueError: when a type or a glob fits none of these types."""
    known = sorted(types)
    if any(fnmatchcase(name, pattern) for name in known):
        return
    close = difflib.get_close_matches(pattern, known, 1, 0.5)
    hint = f'did you mean "{close[0]}"?' if close else "`passerelle events schema` lists all there are"
    raise ValueError(f'no event is called "{pattern}": {hint}')
