"""Which requests go where, and the expectations by which a file tests itself."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from proxy.settings.error_models import ErrorPages
from proxy.settings.fields import FieldName, Listed, MatchHost, Method, Model, Name, UrlPath
from proxy.settings.plugin_models import RoutePlugin
from proxy.settings.units import wrong
from proxy.settings.upstream_models import RouteTimeouts

_REQUEST_FORM = 'write a method and a URL, such as "GET http://example.com/"'


class Match(Model):
    """Conditions that must all hold. One that is not written always holds."""

    host: Annotated[tuple[MatchHost, ...], *Listed] = ()
    """Hosts, any of which will do: `api.example.com`, with a port where that matters, or `*.example.com`."""
    path: UrlPath = "/*"
    """A path: `/a/b` exactly, `/api/*` for everything below it, `{name}` for one segment."""
    methods: Annotated[tuple[Method, ...], *Listed] = ()
    """Methods, any of which will do."""
    headers: dict[FieldName, str] = Field(default_factory=dict)
    """Header fields that must have exactly these values; `*` for any value."""


class PathEdit(Model):
    """What the upstream sees as the path."""

    strip: UrlPath | None = None
    """A prefix to take away: `/api` makes `/api/x` `/x`."""
    rewrite: UrlPath | None = None
    """The new path, with the `{name}`s of `match.path` and `{rest}` for what its `*` stood for."""

    @model_validator(mode="after")
    def _one_of_them(self) -> PathEdit:
        if self.strip is not None and self.rewrite is not None:
            raise wrong("strip and rewrite exclude each other", "keep one of them")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether the path is passed on as it came."""
        return self.strip is None and self.rewrite is None


class Route(Model):
    """Requests that are treated alike."""

    name: Name = Field(examples=["api"])
    """Unique; stands in logs, metrics and tests."""
    match: Match = Match()
    """Which requests; all, unless written."""
    path: PathEdit = PathEdit()
    """How the path is changed on the way to the upstream."""
    upstream: Name | None = None
    """The upstream that answers; needed unless a plugin of the route answers."""
    plugins: dict[str, RoutePlugin] = Field(default_factory=dict)
    """Plugins for this route: options to set, `false` to switch off, or one more."""
    timeouts: RouteTimeouts = RouteTimeouts()
    """Patience with the upstream on this route, where it differs."""
    errors: ErrorPages = Field(default_factory=dict)
    """Error answers on this route, where they differ from those for all."""
    priority: int = 0
    """Decides between routes whose paths are equally long; the higher one wins."""

    def plugin(self, id: str) -> RoutePlugin | None:  # noqa: A002 (the word that the file uses)
        """Return what the route says of the plugin with that id, however it names it; None when it says nothing."""
        return next((plugin for plugin in self.plugins.values() if plugin.id == id), None)


def _check_request(value: str) -> str:
    method, _, url = value.strip().partition(" ")
    if not url or not method.isupper():
        raise wrong(f'"{value}" is not a request', _REQUEST_FORM)
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong(f'"{url.strip()}" is not an http URL', _REQUEST_FORM)
    return f"{method} {url.strip()}"


class Expect(Model):
    """What must come of a test's request; what is not written is not looked at."""

    route: str | None = None
    """Name of the route that takes it."""
    upstream: str | None = None
    """Name of the upstream that it would go to."""
    status: int | None = Field(default=None, ge=100, le=599)
    """Status of an answer that is made without asking an upstream: by a plugin, or 404 when no route matches."""
    target: str | None = None
    """Path and query that the upstream would see."""
    headers: dict[FieldName, str | None] = Field(default_factory=dict)
    """Fields of the answer when a plugin answers, else of the request that the upstream would see.
    Null: no such field."""
    cache: Literal["eligible", "bypass", "hit"] | None = None
    """What the cache would do."""

    @model_validator(mode="after")
    def _expect_something(self) -> Expect:
        if not self.model_fields_set:
            raise wrong("expects nothing", "write route, upstream, status, target or headers")
        return self


class SelfTest(Model):
    """A request and what must come of it; `check` and every reload run it without sending anything."""

    request: Annotated[str, AfterValidator(_check_request)] = Field(examples=["GET http://example.com/"])
    """Method and URL."""
    headers: dict[FieldName, str] = Field(default_factory=dict)
    """Header fields of the request."""
    expect: Expect = Field(examples=["{route: api}"])
    """What must come of it."""

    @property
    def method(self) -> str:
        """Method of the request."""
        return self.request.partition(" ")[0]

    @property
    def url(self) -> str:
        """Absolute URL of the request."""
        return self.request.partition(" ")[2]
