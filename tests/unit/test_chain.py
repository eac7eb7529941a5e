"""Chains: what is folded into them, where a route's plugins are placed, and what must not stand inside a cache."""

from __future__ import annotations

import pytest

from proxy.api import Exchange, Plugin, PluginConfig, Rank, Response
from proxy.chain import Chain, Hooks, Link, misplaced, place


class Bare(Plugin[PluginConfig]):
    """No hook at all."""


class Inward(Plugin[PluginConfig]):
    def on_request(self, exchange: Exchange) -> None:
        """One hook."""


class Outward(Inward):
    """One more, on the way out."""

    def on_response(self, exchange: Exchange) -> Response | None:
        return None

    def on_attempt(self, exchange: Exchange) -> None:
        """Before a try."""

    def on_complete(self, exchange: Exchange) -> None:
        """At the end."""


def ranked(name: str) -> Link:
    """A link whose id is `rank` or `rank.suffix`."""
    rank = Rank[name.partition(".")[0].upper()]
    return Link(name, name, type("P", (Plugin,), {"rank": rank})(PluginConfig()))


def ids(links: list[Link]) -> str:
    return " ".join(link.id for link in links)


def test_only_hooks_that_are_overridden_are_in_a_chain() -> None:
    plugins = [Bare(PluginConfig()), Inward(PluginConfig()), Outward(PluginConfig()), Outward(PluginConfig())]
    chain = Chain([Link(str(i), "p", plugin) for i, plugin in enumerate(plugins)])
    found = [None if hooks is None else hooks.places for hooks in phases(chain)]
    assert found == [(1, 2, 3), (2, 3), (3, 2), (3, 2)]
    assert chain.inward is not None
    assert chain.inward[0] == plugins[1].on_request
    assert repr(chain) == "<Chain ['0', '1', '2', '3']>"
    assert repr(chain.links[0]) == "<Link 0>"


def phases(chain: Chain) -> list[Hooks | None]:
    return [chain.inward, chain.attempts, chain.outward, chain.complete]


def test_a_phase_without_a_hook_has_none_also_in_part() -> None:
    chain = Chain([Link("0", "p", Bare(PluginConfig()))])
    assert phases(chain) == [None, None, None, None]
    assert chain.inward_behind(0) is None
    assert chain.attempts_behind(0) is None
    assert chain.complete_inside(0) is None


def test_parts_of_a_chain_keep_order_and_numbers() -> None:
    chain = Chain([Link(str(i), "p", Outward(PluginConfig())) for i in range(4)])
    behind, stamps, told = chain.inward_behind(1), chain.attempts_behind(2), chain.complete_inside(0)
    assert behind is not None
    assert list(behind.pairs()) == [(2, chain.links[2].plugin.on_request), (3, chain.links[3].plugin.on_request)]
    assert stamps is not None
    assert stamps.places == (3,)
    assert told is not None
    assert told.places == (3, 2, 1)
    assert chain.inward_behind(3) is None


@pytest.mark.parametrize(
    ("floor", "ceiling", "numbers"),
    [(-1, 4, (3, 2, 1, 0)), (0, 3, (2, 1)), (2, 4, (3,)), (1, 2, None), (-1, 0, None), (3, 4, None)],
)
def test_a_part_lies_between_two_plugins_and_is_made_once(
    floor: int, ceiling: int, numbers: tuple[int, ...] | None
) -> None:
    outward = Chain([Link(str(i), "p", Outward(PluginConfig())) for i in range(4)]).outward
    assert outward is not None
    part = outward.between(floor, ceiling)
    assert (None if part is None else part.places) == numbers
    assert outward.between(floor, ceiling) is part


def test_an_iterator_tells_whose_hook_runs() -> None:
    outward = Chain([Link(str(i), "p", Outward(PluginConfig())) for i in range(3)]).outward
    assert outward is not None
    steps = iter(outward)
    assert [outward.at(steps) for _ in steps] == [2, 1, 0]
    assert outward.at(steps) == 0  # the last that ran, when all have


@pytest.mark.parametrize(
    ("there", "added", "placed"),
    [
        ("", "cache identity", "identity cache"),
        ("identity cache events", "limits", "identity limits cache events"),
        ("identity cache events", "cache.b", "identity cache cache.b events"),
        ("sanitize events", "rewrite.a rewrite.b", "sanitize rewrite.a rewrite.b events"),
        ("events cache", "rewrite", "rewrite events cache"),
        ("cache events", "events.b", "cache events events.b"),
        ("cache", "", "cache"),
    ],
)
def test_a_routes_plugins_take_their_place_by_rank(there: str, added: str, placed: str) -> None:
    chain, more = [ranked(name) for name in there.split()], [ranked(name) for name in added.split()]
    assert ids(place(chain, more)) == placed
    assert ids(chain) == there


@pytest.mark.parametrize(
    ("chain", "found"),
    [
        ("identity limits cache", []),
        ("cache rewrite events", []),
        ("cache identity", ["identity inside cache"]),
        ("cache.a limits cache.b identity", ["limits inside cache.a", "identity inside cache.a"]),
        ("", []),
    ],
)
def test_identity_and_limits_must_not_stand_inside_a_cache(chain: str, found: list[str]) -> None:
    pairs = misplaced([ranked(name) for name in chain.split()])
    assert [f"{link.id} inside {cache.id}" for link, cache in pairs] == found
