"""Close the house to everyone but a few addresses."""

from proxy.api import Answer, Exchange, Plugin, PluginConfig, Response


class Config(PluginConfig):
    retry_after: int = 120  # seconds
    allow: frozenset[str] = frozenset()  # addresses still let in


class Maintenance(Plugin[Config]):
    """Answer 503 unless the client's address is allowed."""

    pure = True  # it touches nothing but the exchange, so `explain` and the tests of a file may run it

    def on_request(self, exchange: Exchange) -> Answer:
        if exchange.peer.host in self.config.allow:
            return None
        return Response.text(503, "down for maintenance", {"retry-after": str(self.config.retry_after)})
