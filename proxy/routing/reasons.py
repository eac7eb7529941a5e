"""Why a route did not take a request, in words for people.

The sentences never hold a field's value as the client sent it: it may be a credential.
"""

from __future__ import annotations

from typing import TypeVar

from proxy.message import Request
from proxy.routing.route import Route

T = TypeVar("T")


def why_not(route: Route[T], request: Request, path: str, *, fits_host: bool) -> str:
    """Why a route does not fit a request at all; empty when it does."""
    if not fits_host:
        return f"host {request.host or '(none)'} is {_none_of(route.hosts)}"
    if not route.pattern.matches(path):
        return f"path {path} does not fit {route.match.path}"
    if route.match.methods and request.method not in route.match.methods:
        return f"method {request.method} is {_none_of(sorted(route.match.methods))}"
    missing = route.missing_field(request)
    if missing is None:
        return ""
    name, value = missing
    return f"field {name} is not {value}" if name in request.headers else f"field {name} is missing"


def why_lost(route: Route[T], winner: Route[T], *, closer_host: bool) -> str:
    """Why a route that fits came second."""
    return f"lost to `{winner.name}`: {_advantage(route, winner, closer_host)}"


def _advantage(route: Route[T], winner: Route[T], closer_host: bool) -> str:
    if closer_host:
        return f"its host {', '.join(winner.hosts)} is closer"
    if winner.pattern.length != route.pattern.length:
        return f"its path {winner.match.path} is longer"
    if winner.pattern.kind != route.pattern.kind:
        return f"its path {winner.match.path} is more definite"
    if winner.priority != route.priority:
        return f"its priority {winner.priority} is higher"
    if winner.conditions != route.conditions:
        return "it has more conditions"
    return "it stands earlier in the file"


def _none_of(names: tuple[str, ...] | list[str]) -> str:
    return f"not {names[0]}" if len(names) == 1 else f"none of {', '.join(names)}"
