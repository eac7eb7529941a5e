"""Write a line about every exchange that is over.

    plugins:
      - access_log: {file: /var/log/passerelle/access.log}

A line is JSON, or the combined format of old. It is written by a thread of its own, and keeps no exchange waiting: when
lines come faster than they can be written, or cannot be written at all, they are counted and lost. The file is opened
anew on USR1, and when it was moved away.

Secrets are not written: query parameters named in `mask_query` are masked wherever a target or a reference is, and so
are header fields whose names tell of a secret. What plugins fetch for an exchange is part of it and has no line.

Listed first it sees method, host and target as the client sent them. A route switches it off by `access_log: false`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from plugins._fields import FieldName
from plugins._log_lines import SENT, TRIED, Fields, Line, Mask, combined_line, json_line
from plugins._log_writer import STDOUT, LogWriter
from proxy.api import (
    ClientLeft,
    Clock,
    DurationOrZero,
    Exchange,
    FileName,
    LogsRotated,
    Percent,
    Plugin,
    PluginConfig,
    Rank,
    Services,
    Size,
)

_LEFT = 499
_SECRETS = (
    *("token", "access_token", "id_token", "refresh_token", "key", "api_key", "apikey"),
    *("password", "secret", "client_secret", "signature", "sig"),
)


def _status(pattern: str | int) -> str:
    text = str(pattern)
    if re.fullmatch(r"[1-5]([0-9][0-9]|xx)", text) is None:
        raise ValueError("must be a status such as 404, or a class of them such as 5xx")
    return text


Status = Annotated[str | int, AfterValidator(_status)]


class LoggedFields(PluginConfig):
    """Header fields that are written with each line, by name."""

    request: tuple[FieldName, ...] = ()
    """Fields of the request."""
    response: tuple[FieldName, ...] = ()
    """Fields of the answer, as the client got it."""


class Only(PluginConfig):
    """Which exchanges have a line: those of which one of these is true; all when nothing is said."""

    status: tuple[Status, ...] = ()
    """Statuses, such as `404`, or classes of them, such as `5xx`; 499 is a client that left."""
    slower_than: DurationOrZero = 0.0
    """They took longer than this; `0` does not ask."""


class Config(PluginConfig):
    """What is written, and where."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    process_wide: ClassVar[frozenset[str]] = frozenset({"file", "format", "queue"})

    file: FileName = Field(default=STDOUT, min_length=1)
    """The file that lines are appended to, relative to the configuration file; `-` is stdout."""
    format: Literal["json", "combined"] = "json"
    """How a line is written."""
    queue: Size = 8 * 1024 * 1024
    """The most bytes of lines that may wait to be written; what comes beyond is counted and lost."""
    headers: LoggedFields = LoggedFields()
    """Header fields to write as well, in JSON only."""
    mask_headers: tuple[FieldName, ...] = ()
    """Fields whose values are masked, besides those whose names tell of a secret (Authorization, Cookie, …)."""
    mask_query: tuple[str, ...] = _SECRETS
    """Query parameters whose values are masked."""
    sample: Percent = 1.0
    """Share of the exchanges, of those that `only` lets through, that have a line."""
    only: Only = Only()
    """Which exchanges have a line."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.format == "combined" and self.headers != LoggedFields():
            raise ValueError("the combined format has no place for further fields; write format: json")
        return self


class AccessLog(Plugin[Config]):
    """Writes what became of exchanges into a file."""

    rank = Rank.EVENTS
    on_error = "skip"  # hooks only take notes: no exchange fails for the sake of its line

    _clock: Clock
    _random: random.Random
    _writer: LogWriter

    def configured(self) -> None:
        config = self.config
        self._line = _line(config)
        self._sample = config.sample
        self._slow = config.only.slower_than
        self._statuses = _statuses(config.only.status)
        self._picks = config.sample < 1 or bool(self._slow or self._statuses)

    async def start(self, services: Services) -> None:
        self._clock = services.clock
        self._random = services.random
        lost = services.metrics.counter(
            "passerelle_access_log_dropped_total", "Lines of the access log that were not written.", ("reason",)
        )
        full, unwritable = lost.child("full"), lost.child("unwritable")  # one is the loop's, the other the thread's
        self._writer = LogWriter(
            self.config.file, self.config.queue, services.clock, services.log, full.add, unwritable.add
        )
        self._writer.start()
        self._unsubscribe = services.events.subscribe(LogsRotated, lambda _: self._writer.reopen())

    async def stop(self) -> None:
        self._unsubscribe()
        await self._writer.close()

    def on_request(self, exchange: Exchange) -> None:
        request = exchange.request
        exchange[SENT] = (request.method, request.host, request.target)

    def on_attempt(self, exchange: Exchange) -> None:
        exchange[TRIED] = self._clock.monotonic()

    def on_complete(self, exchange: Exchange) -> None:
        if exchange.parent is not None:
            return
        response = exchange.response
        status = _LEFT if response is None or isinstance(exchange.error, ClientLeft) else response.status
        if not self._picks or self._is_picked(exchange, status):
            self._writer.put(self._line(exchange, status, self._clock.time()))

    def describe(self, exchange: Exchange) -> str:
        where = "stdout" if self.config.file == STDOUT else self.config.file
        return f"writes a line to {where}" + (", unless it is left out" if self._picks else "")

    def _is_picked(self, exchange: Exchange, status: int) -> bool:
        if self._slow or self._statuses:
            slow = self._slow and exchange.finished - exchange.started > self._slow
            if not slow and status not in self._statuses:
                return False
        return self._sample >= 1 or self._random.random() < self._sample


def _line(config: Config) -> Line:
    mask, named = Mask(config.mask_query), config.mask_headers
    if config.format == "combined":
        return combined_line(mask, named)
    request, response = (
        Fields(names, named, mask) if names else None for names in (config.headers.request, config.headers.response)
    )
    return json_line(mask, request, response)


def _statuses(patterns: Iterable[str | int]) -> frozenset[int]:
    """Every status that the patterns mean."""
    texts = [str(pattern) for pattern in patterns]
    return frozenset(
        status for text in texts for status in range(int(text.replace("x", "0")), int(text.replace("x", "9")) + 1)
    )
