"""Tell of exchanges on the bus: that they are over, and that they were answered by a 5xx.

    plugins:
      - events: {sample: 10%}

Two events are published, both after the exchange is over:

- `request.completed` for every exchange, or for that share of them which `sample` says. A status of 499 means that the
  client left before its answer was whole;
- `api.error` for every answer of 500 and above, from the upstream or from the gateway, sampled or not.

What plugins fetch for an exchange is part of it and not told of. An event that nobody listens to is not made.
"""

from __future__ import annotations

import random

from proxy.api import (
    ApiError,
    ClientLeft,
    EventBus,
    Exchange,
    Percent,
    Plugin,
    PluginConfig,
    Rank,
    RequestCompleted,
    Services,
)

_LEFT = 499


class Config(PluginConfig):
    """What is told."""

    sample: Percent = 1.0
    """Share of exchanges for which request.completed is published."""


class Events(Plugin[Config]):
    """Publishes what became of exchanges."""

    rank = Rank.EVENTS

    _bus: EventBus
    _random: random.Random

    async def start(self, services: Services) -> None:
        self._bus = services.events
        self._random = services.random

    def on_complete(self, exchange: Exchange) -> None:
        if exchange.parent is not None:
            return
        bus = self._bus
        if bus.wants(RequestCompleted) and self._is_sampled():
            bus.publish(_completed(exchange))
        response = exchange.response
        if response is not None and response.status >= 500 and bus.wants(ApiError):
            bus.publish(_failed(exchange, response.status))

    def describe(self, exchange: Exchange) -> str:
        share = self.config.sample
        told = "every request" if share >= 1 else f"{share * 100:.12g}% of requests" if share else "no request"
        return f"tells of {told}, and of every 5xx"

    def _is_sampled(self) -> bool:
        share = self.config.sample
        return share >= 1 or self._random.random() < share


def _completed(exchange: Exchange) -> RequestCompleted:
    response = exchange.response
    left = response is None or isinstance(exchange.error, ClientLeft)
    return RequestCompleted(
        request_id=exchange.id,
        route=exchange.route,
        method=exchange.request.method,
        status=_LEFT if left or response is None else response.status,
        upstream=exchange.upstream,
        duration_ms=_milliseconds(exchange.finished - exchange.started),
        first_byte_ms=_milliseconds(exchange.first_byte - exchange.started) if exchange.first_byte else None,
        bytes_in=exchange.bytes_in,
        bytes_out=exchange.bytes_out,
        attempts=exchange.attempts,
        fallback=exchange.fallback,
        cache=exchange.cache,
    )


def _failed(exchange: Exchange, status: int) -> ApiError:
    """Of a client that left nothing is said: that it did is no reason for a 5xx."""
    error = exchange.error
    return ApiError(
        route=exchange.route,
        upstream=exchange.upstream,
        status=status,
        error="" if error is None or isinstance(error, ClientLeft) else error.code,
        first_request_id=exchange.id,
        last_request_id=exchange.id,
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
