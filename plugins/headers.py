"""Set, add and remove header fields, on the way in and on the way out.

    plugins:
      - headers:
          request:
            set: {X-Env: prod, X-Route: "${exchange.route}"}   # in place of what the client sent
            remove: [X-Debug]
          response:
            add: {X-Served-By: "${exchange.endpoint}"}         # beside what the upstream sent
            remove: [Server]

Fields are removed first, then set, then added. Rules of the response also apply to answers that the gateway makes
itself, wherever this plugin stands before the one that makes them. A route that writes `request` or `response` takes
the place of the whole of it.

Values may hold `${exchange.NAME}`: `id`, `route`, `peer.host`, `peer.port`, `request.method`, `request.scheme`,
`request.host`, `request.path` and `request.query`; where clients show certificates `peer.certificate.subject`,
`.issuer`, `.names`, `.serial` and `.fingerprint`; those of the response also `upstream`, `endpoint` and
`response.status`, which a request cannot know yet. A field whose `${exchange.NAME}` leave nothing of its value is not
written; under `set`, what was there goes all the same. `$$$${exchange.id}` in YAML stands for the text
`${exchange.id}`.

`Host` under `request.set` is the Host that the upstream gets, unless the upstream's own `host` option says another;
the route is found by that of the client, which the upstream still sees as X-Forwarded-Host. Fields that frame a message
or belong to one connection are the gateway's own and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, TypeVar

from pydantic import Field, field_validator

from plugins._fields import RequestName, RequestValue, ResponseName, ResponseValue, compiled, write
from plugins._templates import ON_REQUEST, ON_RESPONSE, Fact
from proxy.api import Exchange, Headers, Plugin, PluginConfig, Rank

Names = TypeVar("Names", dict[str, str], list[str])

_HOST = re.compile(r"(?:[A-Za-z0-9\-._~%]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class RequestRules(PluginConfig):
    """Rules for the request's fields."""

    set: dict[RequestName, RequestValue] = Field(default_factory=dict)
    """Fields in place of those of the same name."""
    add: dict[RequestName, RequestValue] = Field(default_factory=dict)
    """Fields beside those of the same name."""
    remove: list[RequestName] = Field(default_factory=list)
    """Names of fields to take away."""

    @field_validator("set")
    @classmethod
    def _check_set(cls, fields: dict[str, str]) -> dict[str, str]:
        for name, value in fields.items():
            if name.lower() == "host" and _HOST.fullmatch(value) is None:
                raise ValueError("the value of Host must be a plain host name, with a port or without")
        return _distinct(fields)

    @field_validator("add", "remove")
    @classmethod
    def _check_others(cls, fields: Names) -> Names:
        if any(name.lower() == "host" for name in fields):
            raise ValueError("a request has exactly one Host: it can only be set")
        return fields


class ResponseRules(PluginConfig):
    """Rules for the answer's fields."""

    set: dict[ResponseName, ResponseValue] = Field(default_factory=dict)
    """Fields in place of those of the same name."""
    add: dict[ResponseName, ResponseValue] = Field(default_factory=dict)
    """Fields beside those of the same name."""
    remove: list[ResponseName] = Field(default_factory=list)
    """Names of fields to take away."""

    @field_validator("set")
    @classmethod
    def _check_set(cls, fields: dict[str, str]) -> dict[str, str]:
        return _distinct(fields)


class Config(PluginConfig):
    """What to do on the way in, and on the way out."""

    request: RequestRules = RequestRules()
    """Rules for what the upstream sees."""
    response: ResponseRules = ResponseRules()
    """Rules for what the client sees."""


class HeaderRules(Plugin[Config]):
    """Sets, adds and removes header fields by fixed rules."""

    rank = Rank.REWRITE
    pure: ClassVar[bool] = True

    def configured(self) -> None:
        request = self.config.request
        hosts = [value for name, value in request.set.items() if name.lower() == "host"]
        self._host = hosts[0] if hosts else ""
        self._request = _Rules(request, ON_REQUEST)
        self._response = _Rules(self.config.response, ON_RESPONSE)

    def on_request(self, exchange: Exchange) -> None:
        if self._host:
            exchange.request.host = self._host
        self._request.apply(exchange.request.headers, exchange)

    def on_response(self, exchange: Exchange) -> None:
        if exchange.response is not None:
            self._response.apply(exchange.response.headers, exchange)

    def describe(self, exchange: Exchange) -> str:
        """Names only: a value may be a credential."""
        told = [("request", _told(self.config.request)), ("response", _told(self.config.response))]
        return "; ".join(f"{side}: {what}" for side, what in told if what)


class _Rules:
    """One side's rules, compiled: what goes, and what is appended then."""

    __slots__ = ("_gone", "_written")

    def __init__(self, rules: RequestRules | ResponseRules, facts: Mapping[str, Fact]) -> None:
        self._gone = tuple(name.lower() for name in (*rules.remove, *rules.set))
        plain = {name: value for name, value in rules.set.items() if name.lower() != "host"}
        self._written = compiled(plain, facts) + compiled(rules.add, facts)

    def apply(self, headers: Headers, exchange: Exchange) -> None:
        for key in self._gone:
            headers.remove(key)
        if self._written:
            write(headers, self._written, exchange)


def _told(rules: RequestRules | ResponseRules) -> str:
    said = (("removes", rules.remove), ("sets", list(rules.set)), ("adds", list(rules.add)))
    return ", ".join(f"{verb} {', '.join(names)}" for verb, names in said if names)


def _distinct(fields: dict[str, str]) -> dict[str, str]:
    seen: dict[str, str] = {}
    for name in fields:
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            raise ValueError(f"the same field stands there twice, as {other} and as {name}")
    return fields
