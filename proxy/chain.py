"""A route's plugins, folded once into tuples of hooks.

Only hooks that a plugin overrides are in the tuples, so a plugin costs nothing in the phases it does not use. The
engine's loops over them do nothing but call: whose hook runs is worked out only when somebody asks, from where the
loop's iterator stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import length_hint
from typing import Any, TypeAlias

from proxy.exchange import Exchange
from proxy.plugin import Plugin, Rank

Hook: TypeAlias = Callable[[Exchange], Any]  # whoever runs it looks at what it gives: a plugin may give anything
Place: TypeAlias = tuple[int, Hook]


class Hooks(tuple[Hook, ...]):
    """Hooks of one phase in the order in which they run, of which there is at least one.

    :ivar places: the numbers of their plugins, in the same order.
    """

    places: tuple[int, ...]
    _parts: dict[tuple[int, int], Hooks | None]  # no more than there are pairs of plugins

    @classmethod
    def of(cls, places: Iterable[Place]) -> Hooks | None:
        """Those of (number, hook); None when there is none, since asking for that is cheaper than an empty loop."""
        given = tuple(places)
        if not given:
            return None
        made = cls(hook for _, hook in given)
        made.places = tuple(number for number, _ in given)
        made._parts = {}
        return made

    def at(self, steps: Iterator[Hook]) -> int:
        """Whose hook runs.

        :param steps: an iterator over these that has given one.
        """
        return self.places[-1 - length_hint(steps)]

    def between(self, floor: int, ceiling: int) -> Hooks | None:
        """Those of the plugins inside of number `floor` and outside of number `ceiling`."""
        try:
            return self._parts[floor, ceiling]
        except KeyError:
            part = Hooks.of(place for place in self.pairs() if floor < place[0] < ceiling)
            self._parts[floor, ceiling] = part
            return part

    def pairs(self) -> Iterator[Place]:
        """Each with the number of its plugin."""
        return zip(self.places, self, strict=True)


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
    """One route's hooks. Plugins are numbered from the outside, beginning with 0; None where no plugin has the hook.

    :ivar inward: on_request, outermost first.
    :ivar attempts: on_attempt, outermost first.
    :ivar outward: on_response, innermost first.
    :ivar complete: on_complete, innermost first.
    """

    __slots__ = ("attempts", "complete", "inward", "links", "outward")

    def __init__(self, links: Sequence[Link]) -> None:
        self.links = tuple(links)
        self.inward = Hooks.of(self._overridden("on_request"))
        self.attempts = Hooks.of(self._overridden("on_attempt"))
        self.outward = Hooks.of(self._overridden("on_response")[::-1])
        self.complete = Hooks.of(self._overridden("on_complete")[::-1])

    def _overridden(self, name: str) -> list[Place]:
        base = getattr(Plugin, name)
        return [
            (index, getattr(link.plugin, name))
            for index, link in enumerate(self.links)
            if getattr(type(link.plugin), name) is not base
        ]

    def inward_behind(self, cursor: int) -> Hooks | None:
        """`inward`, without the plugins up to `cursor`."""
        return self.inward and self.inward.between(cursor, len(self.links))

    def attempts_behind(self, cursor: int) -> Hooks | None:
        """`attempts`, without the plugins up to `cursor`."""
        return self.attempts and self.attempts.between(cursor, len(self.links))

    def complete_inside(self, floor: int) -> Hooks | None:
        """`complete`, of the plugins inside of `floor`."""
        return self.complete and self.complete.between(floor, len(self.links))

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
