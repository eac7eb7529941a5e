"""A plugin that does nothing: what hooks cost by themselves."""

from proxy.api import Answer, Exchange, Plugin, PluginConfig


class Config(PluginConfig):
    """Nothing to say."""


class Idle(Plugin[Config]):
    """One hook that goes on."""

    def on_request(self, exchange: Exchange) -> Answer:
        return None
