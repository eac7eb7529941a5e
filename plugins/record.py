"""Write requests down, masked, for `passerelle sanitize rehearse`.

    plugins:
      - record: {file: ./requests.jsonl}

`passerelle serve --record FILE` puts it in front of the chain. A line is JSON: method, target, route, the fields that
the sanitizer looks at, and the bodies of forms and JSON up to `max_body`. Values of names that tell of a secret, and
all cookies, keep only their shape: letters become `x`, digits `0`, all else stays, so that a rehearsal still sees what
trips a rule. The Authorization field is never written. A thread of its own writes the file; lines for which there is no
room are counted and lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable
from typing import Any, ClassVar
from urllib.parse import quote_plus, unquote_plus

from pydantic import ConfigDict, Field

from plugins._log_writer import LogWriter
from proxy.api import (
    Answer,
    CodingError,
    Exchange,
    FileName,
    Limits,
    Plugin,
    PluginConfig,
    Rank,
    Request,
    Services,
    Size,
    applied,
    can_decode,
    decode,
    is_secret_field,
)

# Of parameters and members, beside what a field's name would tell: whoever writes requests down rather masks too much.
_SECRET_TOO = re.compile(
    r"(?i)pass|pwd|bearer|cred|key|auth|sid\b|sig|hash|card|cvv|cvc|iban|ssn|pin\b|otp|code\b|mail|phone"
)
_FIELDS = ("user-agent", "referer", "cookie", "content-type")
_FORM = "application/x-www-form-urlencoded"
_DEPTH = 64


class Config(PluginConfig):
    """Where to, and how much."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    process_wide: ClassVar[frozenset[str]] = frozenset({"file", "queue"})

    file: FileName = Field(default="requests.jsonl", min_length=1)
    """The file that lines are appended to, relative to the configuration file; `-` is stdout."""
    max_body: Size = 64 * 1024
    """The most bytes of a body that are held and written; larger ones, those of unknown length, and those whose
    Content-Encoding cannot be undone within that, are left out."""
    queue: Size = 8 * 1024 * 1024
    """The most bytes of lines that may wait to be written."""


class Record(Plugin[Config]):
    """Writes requests down, masked."""

    rank = Rank.IDENTITY
    on_error = "skip"  # it takes notes: no request fails for their sake

    _writer: LogWriter

    async def start(self, services: Services) -> None:
        lost = services.metrics.counter(
            "passerelle_record_dropped_total", "Recorded requests that were not written.", ("reason",)
        )
        full, unwritable = lost.child("full"), lost.child("unwritable")
        self._writer = LogWriter(
            self.config.file, self.config.queue, services.clock, services.log, full.add, unwritable.add
        )
        self._writer.start()

    async def stop(self) -> None:
        await self._writer.close()

    def on_request(self, exchange: Exchange) -> Answer | Awaitable[Answer]:
        request = exchange.request
        size = request.body.size
        if size and size <= self.config.max_body and _kind(request):
            return self._with_body(exchange)
        self._write(exchange, "")
        return None

    def describe(self, exchange: Exchange) -> str:
        return f"writes the request to {self.config.file}, masked"

    async def _with_body(self, exchange: Exchange) -> None:
        request = exchange.request
        data = _plain(request, await request.body.read(self.config.max_body), self.config.max_body)
        self._write(exchange, _masked_body(_kind(request), data.decode("utf-8", "replace")) if data else "")

    def _write(self, exchange: Exchange, body: str) -> None:
        request = exchange.request
        path, mark, query = request.target.partition("?")
        line = {
            "method": request.method,
            "target": path + mark + _masked_pairs(query),
            "route": exchange.route,
            "headers": dict(_fields(request)),
            **({"body": body} if body else {}),
        }
        self._writer.put(json.dumps(line).encode() + b"\n")


def shape(text: str) -> str:
    """A text with every letter an `x` and every digit a `0`."""
    return "".join("0" if c.isdigit() else "x" if c.isalpha() else c for c in text)


def _kind(request: Request) -> str:
    essence = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if essence == _FORM:
        return "form"
    return "json" if essence == "application/json" or essence.endswith("+json") else ""


def _plain(request: Request, data: bytes, limit: int) -> bytes:
    """A body without its content codings; empty when they cannot be undone within the limit."""
    codings = applied(request.headers)
    if not codings:
        return data
    try:
        return decode(data, codings, Limits(size=limit)) if can_decode(codings) else b""
    except CodingError:
        return b""


def _is_secret(name: str) -> bool:
    return _SECRET_TOO.search(name) is not None or is_secret_field(name)


def _fields(request: Request) -> list[tuple[str, str]]:
    made = []
    for name in _FIELDS:
        values = request.headers.getall(name)
        if values:
            made.append((name, _masked(name, ("; " if name == "cookie" else ", ").join(values))))
    return made


def _masked(name: str, value: str) -> str:
    if name == "cookie":
        pairs = (pair.partition("=") for pair in value.split(";"))
        return ";".join(
            (cookie if equals else shape(cookie)) + equals + shape(content) for cookie, equals, content in pairs
        )
    if name == "referer":
        url, mark, query = value.partition("?")
        return url + mark + _masked_pairs(query)
    return value


def _masked_pairs(text: str) -> str:
    pairs = []
    for pair in text.split("&"):
        name, equals, value = pair.partition("=")
        if _is_secret(unquote_plus(name)):
            value = quote_plus(shape(unquote_plus(value)))
        pairs.append(name + equals + value)
    return "&".join(pairs)


def _masked_body(kind: str, text: str) -> str:
    """The body, masked; one that is not what it says it is keeps only its shape."""
    if kind == "form":
        return _masked_pairs(text) if "=" in text else shape(text)  # without a name it may be a token
    try:
        return json.dumps(_masked_node(json.loads(text, strict=False), _DEPTH, secret=False), ensure_ascii=False)
    except (ValueError, RecursionError):
        return shape(text)


def _masked_node(node: Any, depth: int, *, secret: bool) -> Any:
    if depth == 0:
        return None
    if isinstance(node, dict):
        return {name: _masked_node(item, depth - 1, secret=secret or _is_secret(name)) for name, item in node.items()}
    if isinstance(node, list):
        return [_masked_node(item, depth - 1, secret=secret) for item in node]
    if not secret or node is None or isinstance(node, bool):
        return node
    return shape(node) if isinstance(node, str) else 0
