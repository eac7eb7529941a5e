"""Which requests go where, and the expectations by which a file tests itself."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from proxy.settings.error_models import ErrorPages
from proxy.settings.fields import FieldName, Listed, MatchHost, Method, Model, Name, NotEmpty, UrlPath
from proxy.settings.plugin_models import RoutePlugin
from proxy.settings.problems import nearest
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


ERROR_CAUSES = ("connect", "reset", "timeout", "unavailable", "invalid", "5xx")


def _check_error_cause(value: object) -> object:
    text = str(value)
    if text in ERROR_CAUSES or (text.isdigit() and 500 <= int(text) <= 599):
        return text
    near = nearest(text, ERROR_CAUSES)
    remedy = f'did you mean "{near}"?' if near else f"choose from 500 to 599, {', '.join(ERROR_CAUSES)}"
    raise wrong(f'"{value}" is no failure of an upstream', remedy)


ErrorCause = Annotated[str, BeforeValidator(_check_error_cause), WithJsonSchema({"type": ["string", "integer"]})]
FieldText = Annotated[str, Field(pattern=r"^[\t -~]*$")]


class ErrorAnswer(Model):
    """A fixed answer in the place of a failure."""

    status: int = Field(default=503, ge=200, le=599)
    """Its status."""
    body: str = ""
    """Its text, sent as UTF-8 of the type `text/plain` unless the fields say another."""
    headers: dict[FieldName, FieldText] = Field(default_factory=dict)
    """Its fields."""

    @model_validator(mode="after")
    def _bodiless(self) -> ErrorAnswer:
        if self.status in (204, 205, 304) and self.body:
            raise wrong(f"the status {self.status} goes without a body", "remove the body")
        return self


class OnError(Model):
    """What a route does instead of answering with its upstream's failure, once retries are of no avail."""

    respond: ErrorAnswer | None = None
    """A fixed answer."""
    upstream: Name | None = None
    """Another upstream, asked once with its own targets, timeouts and retries."""
    when: Annotated[tuple[ErrorCause, ...], NotEmpty, *Listed] = (
        "connect",
        "reset",
        "timeout",
        "unavailable",
        "invalid",
        "502",
        "503",
        "504",
    )
    """The failures that lead here: `connect`, `reset` and `timeout` as for `retry.on`, `unavailable` (no target can
    take it, or the queue is full), `invalid` (what came is not HTTP), a status of the upstream from 500 to 599, or
    `5xx` for all of these."""

    @model_validator(mode="after")
    def _one_of_them(self) -> OnError:
        if (self.respond is None) == (self.upstream is None):
            raise wrong("needs one of respond and upstream", 'write "upstream: NAME", or "respond: {status: 503}"')
        return self

    @property
    def causes(self) -> frozenset[str]:
        """The failures, each status by itself."""
        every = map(str, range(500, 600)) if "5xx" in self.when else ()
        return frozenset((*self.when, *every)) - {"5xx"}


Oddity: TypeAlias = Literal["dots", "slashes", "nul"]


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
    on_error: OnError | None = None
    """What to do instead of answering with the upstream's failure."""
    allow: Annotated[tuple[Oddity, ...], *Listed] = ()
    """What paths may hold that is refused otherwise: `dots` (`..` that would lead to another route, or on a route that
    changes paths), `slashes` (`%2F`, `%5C` and backslashes that would), `nul` (`%00`). Only for an upstream that takes
    paths literally: one that decodes them could be led past the rules of other routes."""
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
    """What the cache would do: `eligible` when the answer may be stored or come from the cache, `bypass` when it
    has nothing to do with the request, `hit` when it is there already, which only a running gateway knows."""

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
