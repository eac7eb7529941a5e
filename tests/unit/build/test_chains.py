"""Chains: the common one, and what a route makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.build import Built
from proxy.plugin import Plugin
from proxy.settings import SettingsError

Make = Callable[[str], Built]

HEAD = "upstreams: {app: {targets: [http://127.0.0.1:9001]}}\n"


def chain(built: Built, route: int = 0) -> dict[str, Plugin[Any]]:
    return {link.id: link.plugin for link in built.snapshot.plans[route].chain.links}


def with_route(plugins: str, route: str) -> str:
    there = "{name: b, upstream: app, match: {path: /b}}"
    return f"{HEAD}plugins: {plugins}\nroutes: [{{name: a, upstream: app, plugins: {route}}}, {there}]\n"


async def test_a_route_without_wishes_shares_the_instances(make: Make) -> None:
    built = make(with_route("[request_id, events]", "{}"))
    assert [plugin is link.plugin for plugin, link in zip(chain(built).values(), built.links, strict=True)] == [
        True
    ] * 2


async def test_options_of_a_route_are_set_over_those_of_the_chain(make: Make) -> None:
    built = make(
        with_route(
            "[{headers: {request: {set: {A: b}}, response: {remove: [Server]}}}]",
            "{headers: {request: {set: {C: d}}}}",
        )
    )
    here, there = chain(built)["headers"].config, chain(built, 1)["headers"].config
    assert (here.request.set, here.response.remove) == ({"C": "d"}, ["Server"])
    assert there.request.set == {"A": "b"}


async def test_a_plugin_that_a_route_adds_takes_its_place_by_rank(make: Make) -> None:
    built = make(with_route("[request_id, events]", "{headers: {request: {set: {A: b}}}}"))
    assert list(chain(built)) == ["request_id", "headers", "events"]
    assert list(chain(built, 1)) == ["request_id", "events"]


async def test_two_routes_that_add_one_plugin_share_what_it_starts(make: Make) -> None:
    text = (
        HEAD + "plugins: []\nroutes:\n"
        "- {name: a, upstream: app, plugins: {headers: {request: {set: {A: b}}}}}\n"
        "- {name: b, upstream: app, match: {path: /b}, plugins: {headers: {request: {set: {C: d}}}}}\n"
    )
    built = make(text)
    assert len(built.links) == 1
    assert [chain(built, i)["headers"].config.request.set for i in (0, 1)] == [{"A": "b"}, {"C": "d"}]


async def test_a_plugin_is_switched_off_by_its_id(make: Make) -> None:
    built = make(with_route("[request_id, {headers: {}, id: stamp}, events]", "{stamp: false, events: false}"))
    assert list(chain(built)) == ["request_id"]


@pytest.mark.parametrize(
    ("plugins", "route", "says"),
    [
        (
            "[{headers: {}, id: stamp}]",
            "{stmp: false}",
            'no plugin "stmp" is in the chain to switch off; did you mean "stamp"?',
        ),
        ("[headers]", "{headers: {requst: {}}}", 'unknown key; did you mean "request"?'),
        ("[]", "{nothing: {}}", 'no plugin is called "nothing"'),
        ("[./broken.py]", "{}", "broken.py does not run: line 3: ValueError: on import"),
        ("[./strict.py]", "{}", "the plugin refuses these options: not these"),
        ("[./exits.py]", "{}", "the plugin refuses these options: no key"),
        ("[./wide.py]", "{wide: {size: 1}}", "belongs to the whole process and cannot differ by route"),
        ("[]", "{./wide.py: {size: 1}}", "belongs to the whole process and cannot differ by route"),
        ("[./cache.py, ./guard.py]", "{}", '"guard" (limits) stands inside the cache "cache"'),
        ("[./odd.py]", "{}", "Plugin[...] takes a PluginConfig"),
    ],
)
async def test_what_cannot_be_is_refused(make: Make, tmp_path: Path, plugins: str, route: str, says: str) -> None:
    begin = "from typing import ClassVar\nfrom proxy.api import *\n"
    files = {
        "broken": "raise ValueError('on import')",
        "strict": "class P(Plugin[PluginConfig]):\n    def configured(self):\n        raise ValueError('not these')",
        "exits": "class P(Plugin[PluginConfig]):\n    def configured(self):\n        raise SystemExit('no key')",
        "wide": "class Config(PluginConfig):\n    process_wide: ClassVar = frozenset({'size'})\n    size: int = 0\n"
        "class P(Plugin[Config]):\n    pass",
        "cache": "class P(Plugin[PluginConfig]):\n    rank = Rank.CACHE",
        "guard": "class P(Plugin[PluginConfig]):\n    rank = Rank.LIMITS",
        "odd": "class P(Plugin[int]):\n    pass",
    }
    for name, body in files.items():
        (tmp_path / f"{name}.py").write_text(f"{begin}{body}\n")
    with pytest.raises(SettingsError) as refused:
        make(with_route(plugins, route))
    assert any(says in problem.render() for problem in refused.value.problems)


async def test_what_start_makes_is_shared_with_the_routes_twins(make: Make, tmp_path: Path) -> None:
    (tmp_path / "keeps.py").write_text(
        "from proxy.api import *\n\nclass Config(PluginConfig):\n    name: str = 'all'\n\n"
        "class Keeps(Plugin[Config]):\n    async def start(self, services):\n        self.made = object()\n"
    )
    built = make(with_route("[./keeps.py]", "{keeps: {name: here}}"))
    await built.start()
    here, there = chain(built)["keeps"], chain(built, 1)["keeps"]
    assert (here.config.name, there.config.name) == ("here", "all")
    assert vars(here)["made"] is vars(there)["made"]
