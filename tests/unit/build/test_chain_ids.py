"""One id, one plugin: what a route names must be what the chain, or another route, has under that name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.build import Built
from proxy.settings import SettingsError

Make = Callable[[str], Built]

HEAD = "upstreams: {app: {targets: [http://127.0.0.1:9001]}}\n"
PLUGIN = "from proxy.api import *\n\nclass P(Plugin[PluginConfig]):\n    "


def text(plugins: str, *routes: str) -> str:
    each = [f"{{name: r{i}, upstream: app, match: {{path: /{i}}}, plugins: {said}}}" for i, said in enumerate(routes)]
    return f"{HEAD}plugins: {plugins}\nroutes: [{', '.join(each)}]\n"


def refused(make: Make, text: str) -> list[str]:
    with pytest.raises(SettingsError) as error:
        make(text)
    return [problem.render() for problem in error.value.problems]


@pytest.mark.parametrize(
    ("plugins", "routes"),
    [
        ("[headers]", ["{./headers.py: {}}"]),
        ("[./a/tool.py]", ["{./b/tool.py: {}}"]),
        ("[]", ["{headers: {}}", "{./headers.py: {}}"]),
        ("[]", ["{./a/tool.py: {}}", "{./b/tool.py: {}}"]),
    ],
)
async def test_two_plugins_of_one_id_are_refused(make: Make, tmp_path: Path, plugins: str, routes: list[str]) -> None:
    for name in ("headers.py", "a/tool.py", "b/tool.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{PLUGIN}pass\n")
    (found,) = refused(make, text(plugins, *routes))
    assert "is the id of another plugin" in found
    assert "an id of its own" in found


async def test_two_entries_of_the_chain_with_one_id_are_refused(make: Make) -> None:
    assert any("headers" in found for found in refused(make, text("[headers, headers]", "{}")))


async def test_a_file_that_the_chain_has_under_its_name_is_the_same_plugin(make: Make, tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(f"{PLUGIN}pass\n")
    built = make(text("[./tool.py]", "{./tool.py: {}}", "{tool: {}}"))
    chains = [plan.chain.links for plan in built.snapshot.plans]
    assert chains[0][0].plugin is chains[1][0].plugin


async def test_a_plugin_whose_last_hook_would_wait_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text(f"{PLUGIN}async def on_complete(self, exchange):\n        pass\n")
    (found,) = refused(make, text("[./late.py]", "{}"))
    assert "on_complete is asynchronous" in found


@pytest.mark.parametrize("error", ["OSError", "SystemExit"])
async def test_a_plugin_that_does_not_start_stops_those_before_it(make: Make, tmp_path: Path, error: str) -> None:
    (tmp_path / "first.py").write_text(
        f"{PLUGIN}async def start(self, services):\n        self.running = True\n"
        "    async def stop(self):\n        self.running = False\n"
    )
    start = f"async def start(self, services):\n        raise {error}('no disk')\n"
    (tmp_path / "second.py").write_text(f"{PLUGIN}{start}")
    built = make(text("[./first.py, ./second.py]", "{}"))
    with pytest.raises(SettingsError, match=f'"second" does not start: {error}: no disk'):
        await built.start()
    assert vars(built.links[0].plugin)["running"] is False


@pytest.mark.parametrize(("way", "says"), [("__init__", "not this way"), ("for_route", "not here")])
async def test_a_plugin_may_refuse_its_options_anywhere(make: Make, tmp_path: Path, way: str, says: str) -> None:
    (tmp_path / "picky.py").write_text(
        "from proxy.api import *\n\nclass Config(PluginConfig):\n    at: int = 0\n\n"
        f"class P(Plugin[Config]):\n    def {way}(self, config):\n        raise ValueError('{says}')\n"
    )
    (found,) = refused(make, text("[./picky.py]", "{picky: {at: 1}}"))
    assert f"the plugin refuses these options: {says}" in found
