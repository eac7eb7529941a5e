"""A plugin that does nothing, in three places: what hooks cost by themselves."""

from proxy.api import Answer, Exchange, Plugin, PluginConfig


class Config(PluginConfig):
    """Nothing to say."""


class IdleThrice(Plugin[Config]):
    """Three hooks that go on."""

    def on_request(self, exchange: Exchange) -> Answer:
        return None

    def on_response(self, exchange: Exchange) -> Answer:
        return None

    def on_complete(self, exchange: Exchange) -> None:
        return None
