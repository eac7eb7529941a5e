"""The table of the admin API: rooms and plugins add routes, the listener looks them up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel

from proxy.build.runtime import AdminTable
from proxy.plugin import AdminHandler

PREFIX = "/api/v1"

_METHOD = re.compile(r"[A-Z]+")
_PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~-]+")


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """One row of the table.

    :ivar path: below the host, with the prefix: `/api/v1/caches/{name}`.
    :ivar gives: the model of its answer, or the name of one in `proxy.server.models`, which is loaded when somebody
        asks; None where that is not known, or no JSON.
    :ivar takes: the model of the body that it wants, or such a name.
    :ivar query: parameters of the query, with what they mean.
    :ivar refusals: statuses of its own, beside those that the listener answers by itself.
    :ivar telling: those of them that carry an answer of `gives`.
    :ivar kind: content type of the answer, where it is no JSON.
    """

    method: str
    path: str
    handler: AdminHandler
    summary: str
    gives: type[BaseModel] | str | None = None
    takes: type[BaseModel] | str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    refusals: tuple[int, ...] = ()
    telling: tuple[int, ...] = ()
    kind: str = ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the path's `{name}` parts, in order."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def shape(self) -> tuple[str, ...]:
        """The path's segments with the names of parameters left out: what two routes must not share."""
        return tuple(_PARAMETER.sub("{}", self.path).split("/"))

    def read(self, path: str) -> dict[str, str] | None:
        """The parameters that a raw path gives, percent-decoded; None when it does not fit."""
        parts, segments = self.path.split("/"), path.split("/")
        if len(parts) != len(segments):
            return None
        found: dict[str, str] = {}
        for part, segment in zip(parts, segments, strict=True):
            name = _PARAMETER.fullmatch(part)
            if name is not None and segment:
                found[name[1]] = unquote(segment)
            elif part != segment:
                return None
        return found


class AdminRoutes:
    """:see: `proxy.build.runtime.AdminTable`.

    :param others: tables that hold routes which this one must not take.
    """

    def __init__(self, others: Iterable[AdminRoutes] = ()) -> None:
        self._routes: dict[tuple[str, tuple[str, ...]], AdminRoute] = {}
        self._others = tuple(others)
        self._layers: tuple[AdminRoutes, ...] = ()

    def layer(self, beside: Iterable[AdminTable]) -> AdminRoutes:
        """:see: `proxy.build.runtime.AdminTable.layer`."""
        return AdminRoutes((self, *(table for table in beside if isinstance(table, AdminRoutes))))

    def show(self, layers: Iterable[AdminTable]) -> None:
        """:see: `proxy.build.runtime.AdminTable.show`."""
        self._layers = tuple(table for table in layers if isinstance(table, AdminRoutes))

    def route(self, method: str, path: str, handler: AdminHandler, summary: str = "", **more: Any) -> None:
        """Answer `method /api/v1/<path>`.

        :param method: upper-case; GET also answers HEAD.
        :param more: further attributes of the `AdminRoute`.
        :param path: `caches/{name}`, with or without a slash before it, with or without the prefix.
        :raises ValueError: when that route is taken, or method or path are malformed.
        """
        inner = "/" + path.removeprefix(PREFIX).strip("/")
        route = AdminRoute(method, PREFIX + inner.rstrip("/"), handler, summary, **more)
        _check(route, inner)
        key = method, route.shape
        for table in (self, *self._others):
            if key in table._routes:
                raise ValueError(f"the admin route {method} {table._routes[key].path} is taken")
        self._routes[key] = route

    def find(self, method: str, path: str) -> tuple[AdminRoute, dict[str, str]] | None:
        """The route for a method and a raw path, with the path's parameters; literal segments beat parameters."""
        fitting = [(route, found) for route, found in self._fitting(path) if route.method == method]
        return min(fitting, key=lambda item: len(item[1]), default=None)

    def methods(self, path: str) -> list[str]:
        """What may be asked of a path, for Allow; empty when there is nothing there."""
        found = {route.method for route, _ in self._fitting(path)}
        return sorted(found | {"HEAD"} if "GET" in found else found)

    def __iter__(self) -> Iterator[AdminRoute]:
        return iter(sorted(self._all(), key=lambda route: (route.path, route.method)))

    def _all(self) -> Iterator[AdminRoute]:
        for table in (self, *self._layers):
            yield from table._routes.values()

    def _fitting(self, path: str) -> Iterator[tuple[AdminRoute, dict[str, str]]]:
        for route in self._all():
            found = route.read(path)
            if found is not None:
                yield route, found


def _check(route: AdminRoute, inner: str) -> None:
    """:raises ValueError: for what could never be asked for."""
    if _METHOD.fullmatch(route.method) is None or route.method == "HEAD":
        raise ValueError(f"not a method for an admin route: {route.method!r}")
    segments = inner[1:].split("/") if inner != "/" else []
    if not all(_PARAMETER.fullmatch(segment) or _LITERAL.fullmatch(segment) for segment in segments):
        raise ValueError(f"not a path for an admin route: {inner!r}")
    if len(set(route.parameters)) < len(route.parameters):
        raise ValueError(f"two parameters of one name: {inner!r}")
