"""A route: what it matches, and what travels with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from proxy.message import Request
from proxy.routing.patterns import PathPattern, parse_host
from proxy.routing.rewrite import Rewrite

T = TypeVar("T")


@dataclass(slots=True, frozen=True)
class Match:
    """The conditions of a route, as they stand in the file; all must hold.

    :ivar hosts: host patterns of which one must fit; empty means any host.
    :ivar path: path pattern.
    :ivar methods: upper-case methods; empty means any. `HEAD` is not implied by `GET`.
    :ivar headers: fields that must be there: (name, exact value), the value `*` meaning any.
    """

    hosts: tuple[str, ...] = ()
    path: str = "/*"
    methods: frozenset[str] = frozenset()
    headers: tuple[tuple[str, str], ...] = ()


class Route(Generic[T]):
    """One route.

    :ivar name: its name in logs, metrics and `explain`.
    :ivar payload: what the engine hangs on it: the compiled chain, the upstream.
    :ivar rewrite: how the target changes on the way out, or None.
    :ivar allow: what its paths may hold that is refused otherwise: `dots`, `slashes`, `nul`.
    :ivar pattern: the compiled path pattern.
    :ivar hosts: host patterns in the form they are looked up by.
    :raises ValueError: when a pattern is malformed.
    """

    __slots__ = (
        "_fields",
        "allow",
        "hosts",
        "match",
        "name",
        "pattern",
        "payload",
        "priority",
        "rewrite",
        "unconditional",
    )

    def __init__(
        self,
        name: str,
        match: Match,
        payload: T,
        *,
        priority: int = 0,
        rewrite: Rewrite | None = None,
        allow: frozenset[str] = frozenset(),
    ) -> None:
        self.name = name
        self.match = match
        self.payload = payload
        self.priority = priority
        self.rewrite = rewrite
        self.allow = allow
        self.pattern = PathPattern(match.path)
        self.hosts = tuple(map(parse_host, match.hosts))
        self.unconditional = not match.methods and not match.headers  # spares nearly every look-up a call
        self._fields = tuple((name.lower(), value) for name, value in match.headers)

    @property
    def conditions(self) -> int:
        """How many conditions it has beyond host and path."""
        return len(self.match.headers) + bool(self.match.methods)

    def admits(self, request: Request) -> bool:
        """Whether method and fields fit."""
        methods = self.match.methods
        if methods and request.method not in methods:
            return False
        return self.missing_field(request) is None

    def missing_field(self, request: Request) -> tuple[str, str] | None:
        """The first (lower-case name, value) that the request lacks, or None."""
        for name, value in self._fields:
            found = request.headers.getall(name)
            if not found or (value != "*" and value not in found):
                return name, value
        return None

    def rewritten(self, target: str) -> str:
        """The target that the upstream is asked for."""
        return target if self.rewrite is None else self.rewrite.apply(target)

    def __repr__(self) -> str:
        return f"<Route {self.name} {' '.join((*self.hosts, self.match.path))}>"


@dataclass(slots=True, frozen=True)
class Considered(Generic[T]):
    """One line of the answer to "why this route?"."""

    route: Route[T]
    won: bool
    reason: str
