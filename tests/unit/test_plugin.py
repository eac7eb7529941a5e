"""Plugins: their Config, and the instances that routes see."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest
from pydantic import ValidationError

from proxy.api import Exchange, Plugin, PluginConfig, Rank, Services
from proxy.plugin import config_of
from proxy.testing import bench, drive


class Config(PluginConfig):
    word: str = "all"


class Says(Plugin[Config]):
    """Says its word; counts how often it was configured."""

    times = 0

    def configured(self) -> None:
        self.times = self.times + 1
        self.loud = self.config.word.upper()

    async def start(self, services: Services) -> None:
        self.made = object()

    def on_request(self, exchange: Exchange) -> None:
        exchange.request.headers["X-Word"] = self.loud


class Inherits(Says):
    """Has its parent's Config."""


class NoOptions(Plugin):  # type: ignore[type-arg]  # a plugin may leave it out
    """Names no Config."""


Free = TypeVar("Free", bound=PluginConfig)


class Generic(Plugin[Free]):
    """Leaves its Config to those that inherit it."""


class Settled(Generic[Config]):
    """Names one, but not to Plugin itself."""


class Wrong(Plugin[int]):  # type: ignore[type-var]  # that is the point
    """Names something else."""


@pytest.mark.parametrize(("plugin", "config"), [(Says, Config), (Inherits, Config), (NoOptions, PluginConfig)])
def test_the_config_that_a_plugin_names(plugin: type[Plugin[Any]], config: type[PluginConfig]) -> None:
    assert config_of(plugin) is config


@pytest.mark.parametrize("plugin", [Wrong, Settled])
def test_what_is_no_config_is_refused(plugin: type[Plugin[Any]]) -> None:
    with pytest.raises(TypeError, match="takes a PluginConfig"):
        config_of(plugin)


def test_a_config_does_not_change_and_knows_its_keys() -> None:
    with pytest.raises(ValidationError):
        Config.model_validate({"wrod": "x"})
    with pytest.raises(ValidationError):
        setattr(Config(), "word", "x")  # noqa: B010 (that is the point)


async def test_a_routes_twin_has_its_own_options_and_what_the_instance_started() -> None:
    one = Says(Config())
    twin = one.for_route(Config(word="here"))
    async with bench(one) as made:
        twin.share(one)
        assert twin.made is one.made
        assert (one.loud, twin.loud) == ("ALL", "HERE")
        assert (one.config.word, twin.config.word) == ("all", "here")
        done = await made.send("GET /")
    assert done.forwarded is not None
    assert done.forwarded.headers["x-word"] == "ALL"
    assert one.times == 1


async def test_hooks_that_are_not_overridden_do_nothing() -> None:
    plugin = NoOptions(PluginConfig())
    done = await drive(plugin)
    assert (done.response.status, done.tasks) == (200, 0)
    for hook in ("on_request", "on_attempt", "on_response", "on_complete"):
        assert getattr(plugin, hook)(done.exchange) is None
    assert plugin.describe(done.exchange) == ""
    assert (plugin.rank, plugin.on_error, plugin.pure, plugin.answers) == (Rank.REWRITE, "fail", False, False)


def test_ranks_keep_a_chain_safe() -> None:
    assert [rank.name for rank in sorted(Rank)] == [
        *("IDENTITY", "LIMITS", "SANITIZE", "REWRITE", "CACHE", "COMPRESS", "EVENTS")
    ]
