"""Tell endpoints of events: each is kept on disk first, and delivered until the endpoint has taken it.

    plugins:
      - webhook:
          endpoints:
            - {id: ops, url: https://hooks.example.com/gw, secret: "${OPS_SECRET}", events: [api.error, "webhook.*"]}

What the bus hands on for an endpoint is on disk within 20 ms, and is delivered at least once, over crashes, restarts
and days of the endpoint being down. Deliveries are signed by Standard Webhooks, and their bodies are CloudEvents. See
docs/webhooks.md.
"""

from plugins.webhook.config import Config
from plugins.webhook.plugin import Webhook

__all__ = ["Config", "Webhook"]
