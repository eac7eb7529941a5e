"""A route's plugins, folded once into tuples of hooks.

Only hooks that a plugin overrides are in the tuples, so a plugin costs nothing in the phases it does not use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from proxy.exchange import Exchange
from proxy.plugin import Answer, Plugin, Rank

Hook: TypeAlias = Callable[[Exchange], Answer | Awaitable[Answer]]
AttemptHook: TypeAlias = Callable[[Exchange], Awaitable[None] | None]


class Link:
    """One place in a chain.

    :ivar id: unique within the configuration; the plugin's name unless the entry carries another.
    :ivar name: the plugin's name, or its file's.
    :ivar plugin: the instance as this route sees it.
    """

    __slots__ = ("id", "name", "plugin")

    def __init__(self, id: str, name: str, plugin: Plugin[Any]) -> None:  # noqa: A002 (the field's name)
        self.id = id
        self.name = name
        self.plugin = plugin

    def __repr__(self) -> str:
        return f"<Link {self.id}>"


class Chain:
    """One route's hooks. Plugins are numbered from the outside, beginning with 0.

    :ivar inward: (index, on_request), outermost first.
    :ivar attempts: (index, on_attempt), outermost first.
    :ivar outward: (index, on_response), innermost first.
    :ivar complete: (index, on_complete), innermost first.
    """

    __slots__ = ("attempts", "complete", "inward", "links", "outward")

    def __init__(self, links: Sequence[Link]) -> None:
        self.links = tuple(links)
        self.inward: tuple[tuple[int, Hook], ...] = self._hooks("on_request")
        self.attempts: tuple[tuple[int, AttemptHook], ...] = self._hooks("on_attempt")
        self.outward: tuple[tuple[int, Hook], ...] = self._hooks("on_response")[::-1]
        self.complete: tuple[tuple[int, Callable[[Exchange], None]], ...] = self._hooks("on_complete")[::-1]

    def _hooks(self, name: str) -> tuple[tuple[int, Any], ...]:
        base = getattr(Plugin, name)
        return tuple(
            (index, getattr(link.plugin, name))
            for index, link in enumerate(self.links)
            if getattr(type(link.plugin), name) is not base
        )

    def inward_behind(self, cursor: int) -> list[tuple[int, Hook]]:
        """`inward`, without the plugins up to `cursor`."""
        return [place for place in self.inward if place[0] > cursor]

    def attempts_behind(self, cursor: int) -> list[tuple[int, AttemptHook]]:
        """`attempts`, without the plugins up to `cursor`."""
        return [place for place in self.attempts if place[0] > cursor]

    def outward_between(self, cursor: int, floor: int) -> list[tuple[int, Hook]]:
        """`outward`, from the plugin outside of `cursor` to the one inside of `floor`."""
        return [place for place in self.outward if floor < place[0] < cursor]

    def complete_inside(self, floor: int) -> list[tuple[int, Callable[[Exchange], None]]]:
        """`complete`, of the plugins inside of `floor`."""
        return [place for place in self.complete if place[0] > floor]

    def __repr__(self) -> str:
        return f"<Chain {[link.id for link in self.links]}>"


def place(chain: Sequence[Link], added: Sequence[Link]) -> list[Link]:
    """Put the plugins that a route adds where their rank belongs: before the first of a higher rank.

    :param chain: the chain of every route, outermost first, as the operator wrote it.
    :param added: in the route's order.
    :returns: a new list; neither argument is changed.
    """
    placed = list(chain)
    for link in added:
        at = next((i for i, other in enumerate(placed) if other.plugin.rank > link.plugin.rank), len(placed))
        placed.insert(at, link)
    return placed


def misplaced(chain: Sequence[Link]) -> list[tuple[Link, Link]]:
    """Identity and limits that stand inside a cache, where a hit would pass them by.

    :returns: pairs of (the plugin that stands too far in, the cache before it); empty when the chain is safe.
    """
    found = []
    cache: Link | None = None
    for link in chain:
        if link.plugin.rank == Rank.CACHE and cache is None:
            cache = link
        elif cache is not None and link.plugin.rank <= Rank.LIMITS:
            found.append((link, cache))
    return found
