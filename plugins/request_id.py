"""Choose where a request's id comes from, what it looks like, and in which field it travels.

    plugins:
      - request_id: {header: X-Correlation-ID, accept: always, format: uuid7}

The gateway by itself gives every request an id, keeps that of a trusted proxy, and sends it on and back as
X-Request-ID. With this plugin

- `header` names one more field that carries the id to the upstream, in place of whatever the client wrote there, and
  with `echo` (the default) back to the client too;
- `accept` says whose ids are kept: of proxies in `trusted_proxies` (`trusted`), of everybody (`always`) or of nobody
  (`never`). They are taken from `header`, or else from X-Request-ID. A stranger's must be 1 to 128 letters, digits,
  dots, dashes and underscores, so that it can do no harm in a log; that of a trusted proxy 1 to 128 visible ASCII
  characters. With `always`, clients can make two requests look like one;
- `format` says how new ids are made: `hex` (32 digits), `uuid4`, or `uuid7`, whose order is that of time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random
from typing import ClassVar, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import model_validator

from plugins._fields import FieldName
from proxy.api import Clock, Exchange, Peer, Plugin, PluginConfig, Rank, Services

Maker: TypeAlias = Callable[[Random, Clock], str]

_OF_TRUSTED = re.compile(r"[!-~]{1,128}")
_OF_STRANGERS = re.compile(r"[A-Za-z0-9._-]{1,128}")
_STANDARD = "X-Request-ID"


class Config(PluginConfig):
    """Where ids come from and where they go."""

    header: FieldName = _STANDARD
    """Field that carries the id, besides X-Request-ID."""
    accept: Literal["trusted", "always", "never"] = "trusted"
    """Whose ids are kept: those of trusted proxies, everybody's, or nobody's."""
    format: Literal["hex", "uuid4", "uuid7"] = "hex"
    """How new ids are made."""
    echo: bool = True
    """Whether answers carry `header` too."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.header.lower() in ("host", "expect"):
            raise ValueError(f"an id cannot travel as {self.header}")
        if not self.echo and not self.is_custom:
            raise ValueError("answers always carry X-Request-ID; echo: false is for another header")
        return self

    @property
    def is_custom(self) -> bool:
        """Whether `header` is another than the gateway's own."""
        return self.header.lower() != _STANDARD.lower()


class RequestId(Plugin[Config]):
    """Gives exchanges the id by which logs, answers and upstreams know them."""

    rank = Rank.IDENTITY
    pure: ClassVar[bool] = True  # but for the numbers that it draws

    def __init__(self, config: Config) -> None:
        self._random = Random()
        self._clock = Clock()
        super().__init__(config)

    def configured(self) -> None:
        self._make = _MAKERS[self.config.format]
        self._field = self.config.header if self.config.is_custom else ""
        self._believed = _BELIEVED[self.config.accept]

    async def start(self, services: Services) -> None:
        self._random = services.random
        self._clock = services.clock

    def on_request(self, exchange: Exchange) -> None:
        headers = exchange.request.headers
        if exchange.parent is None:  # what a plugin fetches goes by the id of the exchange it is fetched for
            chosen = self._kept(exchange) or self._made(exchange)
            if chosen != exchange.id:
                exchange.id = chosen
                headers[_STANDARD] = chosen
        if self._field:
            headers[self._field] = exchange.id

    def on_response(self, exchange: Exchange) -> None:
        if self._field and self.config.echo and exchange.response is not None:
            exchange.response.headers[self._field] = exchange.id

    def describe(self, exchange: Exchange) -> str:
        kept = self._kept(exchange)
        told = f"keeps the id {kept} that the client sent" if kept else f"makes a new id ({self.config.format})"
        return f"{told}; sends it as {self._field} too" if self._field else told

    def _kept(self, exchange: Exchange) -> str:
        """The client's own id where it is to be believed, else `""`."""
        received = exchange.request.headers.get(self._field) if self._field else None
        received = received or exchange.received_id
        pattern = self._believed(exchange.peer)
        return received if pattern is not None and pattern.fullmatch(received) is not None else ""

    def _made(self, exchange: Exchange) -> str:
        """A new id; the engine's own will do where it made one in the right format."""
        if self.config.format == "hex" and exchange.id != exchange.received_id:
            return exchange.id
        return self._make(self._random, self._clock)


def _hex(random: Random, clock: Clock) -> str:
    return f"{random.getrandbits(128):032x}"


def _uuid4(random: Random, clock: Clock) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def _uuid7(random: Random, clock: Clock) -> str:
    """Milliseconds since the epoch, then random bits (RFC 9562 section 5.7)."""
    milliseconds = int(clock.time() * 1000) & 0xFFFF_FFFF_FFFF
    variant = 0b10 << 62
    return str(UUID(int=milliseconds << 80 | 7 << 76 | random.getrandbits(12) << 64 | variant | random.getrandbits(62)))


_MAKERS: Mapping[str, Maker] = {"hex": _hex, "uuid4": _uuid4, "uuid7": _uuid7}

# By `accept`: what an id from this peer must look like to be kept, or None when none is.
_BELIEVED: Mapping[str, Callable[[Peer], re.Pattern[str] | None]] = {
    "trusted": lambda peer: _OF_TRUSTED if peer.trusted else None,
    "always": lambda peer: _OF_TRUSTED if peer.trusted else _OF_STRANGERS,
    "never": lambda peer: None,
}
