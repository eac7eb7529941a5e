"""One attempt: the message, signed now, and what the endpoint makes of it."""

from __future__ import annotations

from urllib.parse import urlsplit

from plugins.webhook.config import EndpointConfig
from plugins.webhook.formats import Message
from plugins.webhook.guard import admits, is_loopback
from plugins.webhook.signing import Secret, signature
from plugins.webhook.verdict import Reply
from proxy.api import Clock, GatewayError, Http

_KEPT = 2048  # bytes of an answer
_AGENT = "Passerelle-Webhook"


class Sender:
    """Sends to one endpoint.

    :param http: the pooled client; the connections of this endpoint are its own.
    """

    def __init__(self, config: EndpointConfig, http: Http, clock: Clock) -> None:
        self._config = config
        self._time = clock.time
        # what is not encrypted stays on this machine, whatever a name leads to
        is_open = urlsplit(config.url).scheme == "http"
        self._only_here = is_open
        self._client = http.guarded(self._admits, connect=config.timeouts.connect, connections=config.pace.in_flight)

    def _admits(self, address: str) -> bool:
        if self._only_here and not is_loopback(address):
            return False
        return admits(address, private=self._config.allow_private)

    async def send(self, message: Message, secrets: tuple[Secret, ...]) -> Reply:
        """Send a message, signed with these. Whatever goes wrong is a reply."""
        moment = int(self._time())
        fields = {
            "Content-Type": message.kind,
            "User-Agent": _AGENT,
            "webhook-id": message.id,
            "webhook-timestamp": str(moment),
            "webhook-signature": signature(secrets, message.id, moment, message.body),
        }
        try:
            response = await self._client.send(
                "POST",
                self._config.url,
                headers=fields,
                body=message.body,
                timeout=self._config.timeouts.total,
                keep=_KEPT,
            )
        except GatewayError as error:
            return Reply(error=f"{error.code}: {error}")
        after = response.headers.get("retry-after") or ""
        return Reply(response.status, retry_after=after, answer=response.body.data or b"")

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()
