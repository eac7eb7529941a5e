"""The router: finds the route for a request, and can say why.

`find` is on every request's way, so it works on indexes made beforehand; `consider` answers people, and walks all
routes with the same patterns and the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from typing import Generic, TypeVar

from proxy.errors import BadRequest
from proxy.message import Request
from proxy.routing.index import Table
from proxy.routing.paths import plain_path, readings
from proxy.routing.reasons import why_lost, why_not
from proxy.routing.route import Considered, Route

T = TypeVar("T")
Precedence = tuple[int, int, int, int]

_MEMO_SIZE = 1024  # hosts whose tables are remembered
_LONGEST_HOST = 260  # a name of 253 characters (RFC 1035 section 2.3.4) and its port


class Router(Generic[T]):
    """Finds routes; immutable once made.

    :param routes: in the order of the file.
    """

    def __init__(self, routes: Sequence[Route[T]]) -> None:
        self._routes = sorted(routes, key=precedence)
        self._tables: dict[str, Table[T]] = {}
        for rank, route in enumerate(self._routes):
            for host in dict.fromkeys(route.hosts) or ("",):
                self._tables.setdefault(host, Table()).insert(rank, route, route.pattern.literals)
        self._ports = any(":" in host.rpartition("]")[2] for host in self._tables)
        self._anywhere = tuple(self._tables.values()) if self._tables.keys() <= {""} else None
        self._only = self._anywhere[0] if self._anywhere else None
        self._memo: dict[str, tuple[Table[T], ...]] = {}

    @property
    def routes(self) -> list[Route[T]]:
        """All routes, in the order of precedence among routes of one host; not to be changed."""
        return self._routes

    def find(self, request: Request) -> Route[T] | None:
        """The route that takes a request, or None.

        :raises BadRequest: for a path that is malformed, or that an upstream may read as one of another route.
        """
        path = plain_path(request.target)
        if path is None:
            return self._find_careful(request)
        found = None if self._only is None else self._only.find(path, request)
        return self._look(path, request) if found is None else found[1]

    def consider(self, request: Request) -> list[Considered[T]]:
        """Every route in the order of precedence for this request, and what became of it.

        :raises BadRequest: as `find` does.
        """
        winner = self.find(request)
        path = _rooted(readings(request.target)[0])
        names = list(host_names(request))

        def place(route: Route[T]) -> int:
            return min((names.index(host) for host in route.hosts or ("",) if host in names), default=len(names))

        considered = []
        for route in sorted(self._routes, key=place):  # stable: keeps the precedence among equal hosts
            reason = "" if route is winner else why_not(route, request, path, fits_host=place(route) < len(names))
            if not reason and winner is not None and route is not winner:
                reason = why_lost(route, winner, closer_host=place(winner) < place(route))
            considered.append(Considered(route, route is winner, reason or "the first that fits"))
        return considered

    def ties(self) -> list[tuple[Route[T], Route[T]]]:
        """Pairs of routes between which, for some request, only the order in the file decides."""
        rivals: dict[tuple[Precedence, str], list[Route[T]]] = {}
        for route in self._routes:
            rivals.setdefault((precedence(route), route.pattern.fixed), []).append(route)
        pairs = chain.from_iterable(combinations(equals, 2) for equals in rivals.values())
        return [(one, other) for one, other in pairs if _meet(one, other)]

    def _look(self, path: str, request: Request) -> Route[T] | None:
        for table in self._anywhere or self._tables_for(request):
            found = table.find(path, request)
            if found is not None:
                return found[1]
        return self._look("/", request) if path == "*" else None

    def _find_careful(self, request: Request) -> Route[T] | None:
        path, other, climbs, odd = readings(request.target)
        route = self._look(path, request)
        if not odd:
            return route
        refused = odd if route is None else odd - route.allow
        if "nul" in refused:
            raise BadRequest("the request path holds an encoded NUL")
        if refused and other != path and self._look(other, request) is not route:
            raise BadRequest("the request path can be read in two ways that lead to different routes")
        if climbs and "dots" in refused and route is not None and route.rewrite is not None:
            raise BadRequest("the request path holds '..' on a route that rewrites paths")
        return route

    def _tables_for(self, request: Request) -> tuple[Table[T], ...]:
        """The tables that may hold a route for the request's host, the closest first."""
        key = f"{request.scheme}|{request.host}" if self._ports else request.host
        tables = self._memo.get(key)
        if tables is None:
            tables = tuple(self._tables[name] for name in host_names(request) if name in self._tables)
            if len(key) <= _LONGEST_HOST:
                self._remember(key, tables)
        return tables

    def _remember(self, key: str, tables: tuple[Table[T], ...]) -> None:
        if len(self._memo) >= _MEMO_SIZE:
            self._memo.clear()
        self._memo[key] = tables


def precedence(route: Route[T]) -> Precedence:
    """What routes of one host are sorted by; equal ones stay in the order of the file."""
    return -route.pattern.length, route.pattern.kind, -route.priority, -route.conditions


def host_names(request: Request) -> Iterator[str]:
    """The keys under which routes for the request's host may stand, the closest first, `""` (any host) last."""
    name, port = _split_host(request)
    yield f"{name}:{port}"
    yield name
    dot = name.find(".") if len(name) <= _LONGEST_HOST and not name.startswith("[") else -1
    while dot >= 0:
        yield f"*{name[dot:]}:{port}"
        yield f"*{name[dot:]}"
        dot = name.find(".", dot + 1)
    yield ""


def _split_host(request: Request) -> tuple[str, str]:
    """Lower-case name without a final dot, and the port that was meant."""
    host = request.host.lower()
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, ""
    return name.removesuffix("."), port or ("443" if request.scheme == "https" else "80")


def _rooted(path: str) -> str:
    """`*` (of OPTIONS) is looked up as the root."""
    return "/" if path == "*" else path


def _meet(one: Route[T], other: Route[T]) -> bool:
    """Whether some request fits both routes, which are of equal precedence."""
    return (
        not set(one.hosts or ("",)).isdisjoint(other.hosts or ("",))
        and one.pattern.overlaps(other.pattern)
        and _share_methods(one.match.methods, other.match.methods)
        and not _exclude_each_other(one.match.headers, other.match.headers)
    )


def _share_methods(one: frozenset[str], other: frozenset[str]) -> bool:
    return not one or not other or not one.isdisjoint(other)


def _exclude_each_other(one: Sequence[tuple[str, str]], other: Sequence[tuple[str, str]]) -> bool:
    """Whether both want one field to have two different values."""
    wanted = {name.lower(): value for name, value in one}
    return any(
        "*" not in (value, wanted.get(name.lower(), "*")) and wanted[name.lower()] != value for name, value in other
    )
