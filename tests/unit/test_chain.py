"""Chains: what is folded into them, where a route's plugins are placed, and what must not stand inside a cache."""

from __future__ import annotations

import pytest

from proxy.api import Exchange, Plugin, PluginConfig, Rank, Response
from proxy.chain import Chain, Link, misplaced, place


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
    assert [index for index, _ in chain.inward] == [1, 2, 3]
    assert [index for index, _ in chain.attempts] == [2, 3]
    assert [index for index, _ in chain.outward] == [3, 2]
    assert [index for index, _ in chain.complete] == [3, 2]
    assert chain.inward[0][1] == plugins[1].on_request
    assert repr(chain) == "<Chain ['0', '1', '2', '3']>"
    assert repr(chain.links[0]) == "<Link 0>"


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
