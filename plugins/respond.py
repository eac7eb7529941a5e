"""Answer without an upstream: a fixed text, JSON, or a redirect.

    routes:
      - {name: gone, match: {path: /old/*}, plugins: {respond: {status: 410, body: "gone\\n"}}}
      - {name: version, match: {path: /version}, plugins: {respond: {json: {version: 3}}}}
      - {name: moved, match: {path: /docs}, plugins: {respond: {redirect: /manual, status: 308}}}
      - name: secure
        match: {host: www.example.com}
        plugins: {respond: {redirect: "https://${exchange.request.host}${exchange.request.path}"}}

`body` and `json` are sent as they stand, as UTF-8. A redirect leads to a path of the same host or to an http URL. It
and the values of `headers` may hold `${exchange.NAME}`: `id`, `route`, `peer.host`, `peer.port`, `request.method`,
`request.scheme`, `request.host`, `request.path` and `request.query`. What a client sends cannot choose another host:
only `${exchange.request.host}`, which is what the client itself asked for, may stand in that place, and a path that
begins with several slashes is given one. Facts are percent-encoded as their place in the URL wants; a `?` behind which
nothing is left goes too.

An answer is made before the request's body is read, and for every method; HEAD gets it without the body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self
from urllib.parse import quote

from pydantic import Field, field_validator, model_validator

from plugins._fields import FieldValue, RequestValue, ResponseName, compiled, write
from plugins._templates import ON_REQUEST, Fact, Template, literals
from proxy.api import BadRequest, Body, Exchange, Headers, Plugin, PluginConfig, Rank, Rendered, Response

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BODILESS = frozenset({204, 205, 304})

_URL_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
_PATH = r"\$\{exchange\.request\.path\}"
_SCHEME = r"(?:https?|\$\{exchange\.request\.scheme\})"
_AUTHORITY = r"(?:[A-Za-z0-9.\-:\[\]]+|\$\{exchange\.request\.host\})"
_START = re.compile(rf"/(?!/)|{_PATH}|{_SCHEME}://{_AUTHORITY}(?=[/?#]|{_PATH}|\Z)")


class Config(PluginConfig):
    """One kind of answer: `body` (the usual, also when only `status` is written), `json` or `redirect`."""

    status: int | None = Field(default=None, ge=200, le=599)
    """Status code; 200 when not written, 302 for a redirect."""
    body: str | None = None
    """Text of the answer."""
    data: Any = Field(default=None, alias="json")
    """Value to send as JSON."""
    redirect: str | None = None
    """Where to redirect: a path, or an http URL."""
    content_type: FieldValue | None = None
    """Type of body or JSON; text/plain; charset=utf-8 or application/json when not written."""
    headers: dict[ResponseName, RequestValue] = Field(default_factory=dict)
    """Further fields of the answer."""

    @field_validator("data")
    @classmethod
    def _check_data(cls, value: Any) -> Any:
        _as_json(value)
        return value

    @field_validator("redirect")
    @classmethod
    def _check_redirect(cls, url: str | None) -> str | None:
        if url is not None:
            _Location(url)
        return url

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        kinds = [name for name in ("body", "json", "redirect") if name in self.written]
        if len(kinds) > 1:
            raise ValueError(f"an answer is of one kind, not of {len(kinds)}: {', '.join(kinds)}")
        if not kinds and self.status is None:
            raise ValueError("no answer is written; write status, body, json or redirect")
        if self.redirect is None:
            self._check_content()
        else:
            self._check_only_redirect()
        return self

    def _check_content(self) -> None:
        if self.status in _REDIRECTS and not self.names("location"):
            raise ValueError(f"the status {self.status} leads somewhere; write redirect")
        if self.status in _BODILESS and (self.body or "json" in self.written):
            raise ValueError(f"the status {self.status} goes without a body")
        if self.content_type is not None and self.names("content-type"):
            raise ValueError("content_type and headers both tell the type")

    def _check_only_redirect(self) -> None:
        if self.status is not None and self.status not in _REDIRECTS:
            raise ValueError(f"a redirect has the status 301, 302, 303, 307 or 308, not {self.status}")
        if self.content_type is not None:
            raise ValueError("a redirect has no body, and so no content_type")
        if self.names("location"):
            raise ValueError("redirect and headers both tell the Location")

    @property
    def written(self) -> frozenset[str]:
        """The options that were written, by the names they are written by; null is nothing but for `json`."""
        told = {"json" if name == "data" else name for name in self.model_fields_set}
        return frozenset(told - {name for name in ("body", "redirect") if getattr(self, name) is None})

    def names(self, key: str) -> bool:
        """Whether `headers` holds a field of that lower-case name."""
        return any(name.lower() == key for name in self.headers)


class Respond(Plugin[Config]):
    """Answers by itself, always in the same way."""

    rank = Rank.REWRITE
    answers = True
    pure: ClassVar[bool] = True

    def configured(self) -> None:
        config = self.config
        data = _as_json(config.data) if "json" in config.written else (config.body or "").encode()
        self._status = config.status or (200 if config.redirect is None else 302)
        self._body = Body(data)  # in memory and never changed in place: all answers share it
        headers = Headers()
        self._location: _Location | None = None
        if config.redirect is not None:
            self._location = _Location(config.redirect)
        kind = config.content_type or self._usual_type(data)
        if kind and not config.names("content-type"):
            headers["Content-Type"] = kind
        self._fields = compiled(config.headers, ON_REQUEST)
        self._wire = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        self._block = headers.encode()

    def _usual_type(self, data: bytes) -> str:
        if "json" in self.config.written:
            return "application/json"
        return "text/plain; charset=utf-8" if data else ""

    def on_request(self, exchange: Exchange) -> Response:
        headers = Rendered.of(self._wire, self._block, False)
        if self._fields:
            write(headers, self._fields, exchange)
        if self._location is not None:
            headers.push("Location", "location", self._location.render(exchange))
        return Response(self._status, headers, self._body)

    def describe(self, exchange: Exchange) -> str:
        if self._location is not None:
            return f"redirects with {self._status} to {self._location.text}"
        return f"answers {self._status} with {self._body.size} bytes"


def _as_json(value: Any) -> bytes:
    """:raises ValueError: for what JSON cannot say (RFC 8259), such as infinity."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError):
        raise ValueError("cannot be written as JSON") from None


def _encoded(fact: Fact, safe: str) -> Fact:
    """A fact percent-encoded, but for `safe` (RFC 3986 section 2.1)."""
    return lambda exchange: quote(fact(exchange), safe=safe, encoding="latin-1", errors="replace")


def _host(exchange: Exchange) -> str:
    if not exchange.request.host:
        raise BadRequest("the request names no host, which its answer needs")
    return exchange.request.host


def _path(exchange: Exchange) -> str:
    """The path; `*` (of OPTIONS) is the root."""
    return "/" + exchange.request.path.removeprefix("*").removeprefix("/")


_IN_PATH: Mapping[str, Fact] = {
    **{name: _encoded(fact, "/:@") for name, fact in ON_REQUEST.items()},
    "request.path": _encoded(_path, "/:@!$&'()*+,;=%~"),
    "request.host": _encoded(_host, "!$&'()*+,;=%~:[]"),
    "request.query": _encoded(ON_REQUEST["request.query"], "/:@!$&'()*+,;=%~?"),
}
_IN_QUERY: Mapping[str, Fact] = {
    **{name: _encoded(fact, "/:@") for name, fact in ON_REQUEST.items()},
    "request.query": _IN_PATH["request.query"],
}


class _Location:
    """Where a redirect leads.

    :ivar text: as it was written.
    :raises ValueError: when it is no path and no http URL, or leaves the host to what a client sends.
    """

    __slots__ = ("_head", "_is_path", "_literal", "_mark", "_tail", "text")

    def __init__(self, text: str) -> None:
        _check_url(text)
        head, self._mark, tail = text.partition("?")
        self._head = Template(head, _IN_PATH)
        self._tail = Template(tail, _IN_QUERY)
        self._literal = "" if self._head.names or self._tail.names else text
        self._is_path = not re.match(rf"{_SCHEME}:", text)
        self.text = text

    def render(self, exchange: Exchange) -> str:
        """The value of Location. :raises BadRequest: when it needs a host and the request names none."""
        if self._literal:
            return self._literal
        head, tail = self._head.render(exchange), self._tail.render(exchange)
        if self._is_path:
            head = "/" + head.lstrip("/")  # `//name` would be another host (RFC 3986 section 4.2)
        return head + self._mark + tail if tail else head


def _check_url(text: str) -> None:
    plain = literals(text)
    if _URL_CHARACTERS.fullmatch(plain) is None:
        raise ValueError("a redirect's URL holds a character that must be percent-encoded")
    if _START.match(text) is None:
        raise ValueError('a redirect leads to a path, such as "/new", or to a URL with a host of yours')
