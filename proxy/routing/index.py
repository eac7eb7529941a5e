"""The index behind the router: finds the best path among thousands as fast as among one.

A path's segment boundaries are walked from the longest to the shortest, with one dictionary look-up at each; what
follows a `{name}` is a smaller index of the same kind. Routes carry their place in the order of precedence as a
rank, so that two candidates are compared by one integer.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from proxy.message import Request
from proxy.routing.route import Route

T = TypeVar("T")
Ranked = tuple[int, Route[T]]


class Table(Generic[T]):
    """Routes by path. They must be inserted in the order of precedence."""

    __slots__ = ("_exact", "_longest", "_nodes", "_parameters")

    def __init__(self) -> None:
        self._exact: dict[str, list[Ranked[T]]] = {}
        self._nodes: dict[str, Node[T]] = {}
        self._longest = 0  # a client's path may have thousands of boundaries: none beyond this is looked at
        self._parameters = False

    def insert(self, rank: int, route: Route[T], literals: tuple[str, ...]) -> None:
        """Add a route; `literals` is what is left of its pattern's."""
        first = literals[0]
        if len(literals) > 1:
            self._parameters = True
            self._node(first).follow().insert(rank, route, literals[1:])
        elif not route.pattern.star:
            self._exact.setdefault(first, []).append((rank, route))
        else:
            cut = first.rindex("/") + 1
            self._node(first[:cut]).insert(rank, route, first[cut:])

    def _node(self, prefix: str) -> Node[T]:
        self._longest = max(self._longest, len(prefix))
        return self._nodes.setdefault(prefix, Node())

    def find(self, path: str, request: Request) -> Ranked[T] | None:
        """The best route for a normalised path, with its rank."""
        hits = self._exact.get(path)
        best = None if hits is None else _first(hits, request)
        if best is not None:
            return best  # nothing has more literal characters than the whole path
        nodes = self._nodes
        end = path.rfind("/", 0, self._longest)
        while end >= 0:
            node = nodes.get(path[: end + 1])
            if node is not None:
                found = node.only or node.find(path, end + 1, request)
                if found is not None and (best is None or found[0] < best[0]):
                    best = found
                if best is not None and not self._parameters:
                    return best  # what is left is shorter
            end = path.rfind("/", 0, end)
        return best


class Node(Generic[T]):
    """What hangs on one prefix that ends in a slash.

    :ivar only: the route of whatever begins with the prefix, where nothing else hangs on it; None: `find` it.
    """

    __slots__ = ("_after", "_lengths", "_prefixes", "only")

    def __init__(self) -> None:
        self._prefixes: dict[str, list[Ranked[T]]] = {}  # by what stands between the slash and the `*`
        self._lengths: list[int] = []
        self._after: Table[T] | None = None
        self.only: Ranked[T] | None = None

    def insert(self, rank: int, route: Route[T], tail: str) -> None:
        """Add a prefix route: `tail` is its text after the slash, empty for `/…/*`."""
        self._prefixes.setdefault(tail, []).append((rank, route))
        self._lengths = sorted({len(key) for key in self._prefixes}, reverse=True)
        self._settle()

    def follow(self) -> Table[T]:
        """The index of what follows a parameter that stands here."""
        if self._after is None:
            self._after = Table()
            self._settle()
        return self._after

    def _settle(self) -> None:
        """Know again whether there is a choice; of several routes here the first that fits is taken."""
        first = self._prefixes[""][0] if self._prefixes.keys() == {""} else None
        self.only = first if first is not None and first[1].unconditional and self._after is None else None

    def find(self, path: str, at: int, request: Request) -> Ranked[T] | None:
        """The best route for a path whose first `at` characters led here."""
        best = self._find_prefix(path, at, request)
        if self._after is None or path[at : at + 1] in ("", "/"):
            return best
        cut = path.find("/", at)
        found = self._after.find(path[cut:] if cut >= 0 else "", request)
        return found if found is not None and (best is None or found[0] < best[0]) else best

    def _find_prefix(self, path: str, at: int, request: Request) -> Ranked[T] | None:
        for length in self._lengths:
            hits = self._prefixes.get(path[at : at + length])
            if hits is not None:
                found = _first(hits, request)
                if found is not None:
                    return found
        return None


def _first(hits: list[Ranked[T]], request: Request) -> Ranked[T] | None:
    for hit in hits:
        if hit[1].unconditional or hit[1].admits(request):
            return hit
    return None
