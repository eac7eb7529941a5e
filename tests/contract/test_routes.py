"""Several routes over real sockets: options of their own, what was started shared, plugins placed by rank."""

from __future__ import annotations

import pytest

from proxy.exchange import Exchange
from proxy.plugin import Plugin, PluginConfig, Rank, Services
from proxy.settings import SettingsError
from proxy.testing import running

CONFIG = """
listen: [http://127.0.0.1:0]
admin: false
upstreams: {app: {targets: ["${UPSTREAM}"]}}
plugins: [tag: {word: all}, guard]
routes:
  - {name: plain, match: {path: /plain}, upstream: app}
  - {name: own, match: {path: /own}, upstream: app, plugins: {tag: {word: own}}}
  - {name: off, match: {path: /off}, upstream: app, plugins: {tag: false}}
  - {name: more, match: {path: /more}, upstream: app, plugins: {who: {}}}
"""


class Config(PluginConfig):
    word: str = ""


class Tag(Plugin[Config]):
    """Writes its word and counts, for all routes together."""

    async def start(self, services: Services) -> None:
        self.counts: list[str] = []

    def on_request(self, exchange: Exchange) -> None:
        self.counts.append(exchange.route)
        exchange.request.headers.add("X-Chain", f"tag {self.config.word} {len(self.counts)}")


class Guard(Plugin[PluginConfig]):
    """Stands further in."""

    rank = Rank.CACHE

    def on_request(self, exchange: Exchange) -> None:
        exchange.request.headers.add("X-Chain", "guard")


class Who(Plugin[PluginConfig]):
    """Belongs outside of all."""

    rank = Rank.IDENTITY

    def on_request(self, exchange: Exchange) -> None:
        exchange.request.headers.add("X-Chain", "who")


async def test_each_route_has_its_own_chain_over_what_was_started_once() -> None:
    async with running(CONFIG, plugins=[Tag, Guard, Who]) as kit:
        for name in ("plain", "own", "off", "more"):
            assert (await kit.get(f"/{name}")).status == 200
        assert (await kit.get("/none")).status == 404
        assert [seen.headers.getall("x-chain") for seen in kit.upstream.seen] == [
            ["tag all 1", "guard"],
            ["tag own 2", "guard"],
            ["guard"],
            ["who", "tag all 3", "guard"],
        ]
        assert vars(kit.plugin("tag"))["counts"] == ["plain", "own", "more", ""]
        assert [kit.counted(name, 200) for name in ("plain", "own", "off", "more")] == [1, 1, 1, 1]
        assert kit.counted("", 404) == 1


@pytest.mark.parametrize("chain", ["[tag, tag]", "[guard, {tag: {}, id: guard}]"])
async def test_two_plugins_of_one_id_are_refused(chain: str) -> None:
    text = CONFIG.replace("[tag: {word: all}, guard]", chain).replace("plugins: {tag: {word: own}}", "plugins: {}")
    with pytest.raises(SettingsError, match="id"):
        async with running(text, plugins=[Tag, Guard, Who]):
            raise AssertionError("it started")


async def test_an_identity_inside_a_cache_is_refused() -> None:
    with pytest.raises(SettingsError, match="stands inside the cache"):
        async with running(CONFIG.replace("guard]", "guard, who]"), plugins=[Tag, Guard, Who]):
            raise AssertionError("it started")
