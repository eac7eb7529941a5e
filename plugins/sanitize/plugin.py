"""Look at requests before anything else sees them.

    plugins:
      - sanitize: {mode: observe}

Path, query, cookies, some header fields, and bodies of known types are taken apart into values, and each is shown to
the detectors of `proxy.sanitize`. In the mode `observe` nothing is refused: events, a counter and a header field for
the upstream tell what was found. In the mode `block` a request whose findings add up to the threshold is answered 403,
with an incident's id and without a word about the rule; `request.blocked` and the log tell the rule. In the mode
`clean` values are mended (markup, control characters, file names) and the request goes on; what cannot be mended is
refused.

A body is held only when its type is one that is looked at, and up to `max_body`; all others flow. One that is coded
is looked at decoded, and goes on as it came unless it was mended; one that only says that it is coded is looked at as
it is. Between its values others have their turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Sequence
from typing import ClassVar

from plugins.sanitize import bodies
from plugins.sanitize.config import Config
from plugins.sanitize.judge import Findings, Found, Judge
from plugins.sanitize.mending import Changes, mended, mended_target
from plugins.sanitize.targets import cleared
from plugins.sanitize.uploads import Held, Uploads
from plugins.sanitize.values import Value, of_cookies, of_pairs, of_path
from proxy.api import (
    Answer,
    Body,
    Command,
    EventBus,
    Exchange,
    Key,
    Metrics,
    Plugin,
    Rank,
    Request,
    RequestBlocked,
    Response,
    Services,
)
from proxy.sanitize import unquoted

FINDINGS: Key[tuple[Found, ...]] = Key("sanitize.findings")

_OF_THE_BYTES = frozenset({"content-encoding", "content-digest", "content-md5", "digest", "repr-digest"})
_REMEMBERED = 8192
_MODES = ("block", "clean", "observe")


def _command(arguments: Sequence[str]) -> int:
    """:see: `plugins.sanitize.commands`, which only those load who type it."""
    from plugins.sanitize.commands import run

    return run(arguments)


class Sanitize(Plugin[Config]):
    """Refuses, mends or tells of what looks like an attack."""

    rank = Rank.SANITIZE
    pure: ClassVar[bool] = False
    commands = (Command("sanitize", "try what the sanitizer would do: test TEXT, rehearse FILE", _command),)

    _events: EventBus
    _log: logging.Logger
    _metrics: Metrics

    def configured(self) -> None:
        config = self.config
        self._judge = Judge(config)
        self._parts = config.inspect
        self._fields = frozenset(name.lower() for name in config.headers if "headers" in config.inspect)
        self._reads_cookies = "cookies" in config.inspect
        self._names = self._fields | ({"cookie"} if self._reads_cookies else set())
        self._reads_body = "body" in config.inspect
        self._reads_target = "path" in config.inspect or "query" in config.inspect
        self._uploads = Uploads(config.max_body, refuses=config.over_limit == "refuse")
        self._header = config.header
        self._harmless: set[tuple[bytes, bytes] | tuple[str, str]] = set()

    async def start(self, services: Services) -> None:
        self._events = services.events
        self._log = services.log
        self._found = services.metrics.counter(
            "passerelle_sanitize_findings_total", "What the sanitizer found in requests.", ("rule", "mode")
        )

    def on_request(self, exchange: Exchange) -> Answer | Awaitable[Answer]:
        request = exchange.request
        headers = request.headers
        if self._header is not None and self._header in headers:
            headers.remove(self._header)
        found = self._look(request)
        if self._reads_body and request.body.size != 0:
            types = [text for text in headers.getall("content-type") if bodies.kind_of(text)]
            if types:
                return self._with_body(exchange, types, found)
        return self._decide(exchange, found) if found else None

    def describe(self, exchange: Exchange) -> str:
        found = self._look(exchange.request)
        if not found:
            return f"looks for attacks ({self.config.mode}); finds none outside of the body"
        told = ", ".join(f"{one.rule.name} in {_place(one.value)} ({one.mode})" for one in found)
        return ("would refuse: " if self._judge.score(found) >= self._judge.threshold else "finds: ") + told

    def _look(self, request: Request) -> list[Found]:
        """What is found outside of the body."""
        found: list[Found] = []
        target = request.target
        if self._reads_target and (clear := cleared(target)) < len(target):
            found = self._judge.look(self._of_target(target, is_path_clear=clear > 0))
        fields = request.headers.kept(self._names)
        if not self._harmless.issuperset(fields):
            for field in fields:
                if field not in self._harmless:
                    found += self._once(field)
        return found

    def _of_target(self, target: str, *, is_path_clear: bool) -> list[Value]:
        path, _, query = target.partition("?")
        values = [] if is_path_clear or "path" not in self._parts else list(of_path(path))
        if query and "query" in self._parts:
            values += of_pairs("query", query)
        return values

    def _once(self, field: tuple[bytes, bytes] | tuple[str, str]) -> list[Found]:
        """Look at a field, and remember what is harmless in it: the same ones come again and again."""
        name, text = [part if isinstance(part, str) else part.decode("latin-1") for part in field]
        name = name.lower()
        values: list[Value] = []
        if name in self._fields:
            values.append(Value("header", name, *unquoted(text)))
        if name == "cookie" and self._reads_cookies:
            values += of_cookies(text)
        found = self._judge.look(values)
        if not found and len(text) <= 512:
            if len(self._harmless) >= _REMEMBERED:
                self._harmless.clear()
            self._harmless.add(field)
        return found

    async def _with_body(self, exchange: Exchange, types: list[str], found: list[Found]) -> Answer:
        if found and self._judge.score(found) >= self._judge.threshold:
            return self._decide(exchange, found)  # no need to read on
        foreign = self._uploads.foreign(exchange.request)
        if foreign is not None:
            return (self._decide(exchange, found) if found else None) or foreign
        held = await self._uploads.read(exchange.request)
        if held is not None:
            return await self._with_data(exchange, _readable(types, held), held, found)
        return self._decide(exchange, found) if found else None

    async def _with_data(self, exchange: Exchange, types: list[str], held: Held, found: list[Found]) -> Answer:
        for content_type in types:  # who reads it may go by any of them
            kind = bodies.kind_of(content_type)
            found += await self._look_through(bodies.values(kind, held.data, content_type, self._judge.clears))
            if held.written:
                found += await self._look_through(bodies.beside(kind, held.written, content_type))
        if not found:
            return None
        changes = await self._changes(found)
        if changes and len(types) == 1:
            return await self._mend(exchange, found, changes, (kind, held.data, types[0]))
        return self._decide(exchange, found, changes)

    async def _look_through(self, values: Iterable[Value]) -> list[Found]:
        """What is found in a body; between some values and the next the event loop turns to others."""
        found = Findings()
        some: list[Value] = []
        for value in values:
            some.append(value)
            if len(some) == bodies.AT_ONCE or value is bodies.PAUSE:
                self._judge.look(some, found)
                some.clear()
                if self._judge.is_decided(found):
                    return found
                await asyncio.sleep(0)
        return self._judge.look(some, found)

    async def _changes(self, found: list[Found]) -> Changes:
        """What is to be mended; between some values and the next the event loop turns to others."""
        wanted: dict[Value, str] = {}
        for count, value in enumerate(self._judge.mendable(found), 1):
            new = self._judge.mended(value)
            if new is not None:
                wanted[value] = new
            if count % bodies.AT_ONCE == 0:
                await asyncio.sleep(0)
        return Changes(wanted)

    def _decide(self, exchange: Exchange, found: list[Found], changes: Changes | None = None) -> Answer:
        """Refuse, or mend the query and let go on; no body is changed by this."""
        changes = Changes(self._judge.mend(found)) if changes is None else changes
        if not changes:
            return self._conclude(exchange, found, refused=self._judge.refuses(found))
        target = mended_target(exchange.request.target, changes)
        left = self._left_outside(found, target)
        refused = self._judge.refuses(_unmended(found, changes)) or self._judge.refuses(left)
        if not refused:
            exchange.request.target = target
        return self._conclude(exchange, found, refused=refused)

    async def _mend(
        self, exchange: Exchange, found: list[Found], changes: Changes, body: tuple[str, bytes, str]
    ) -> Answer:
        """Mend query and body, and take them apart again: what is still found then is refused."""
        request, (kind, data, content_type) = exchange.request, body
        target, new = mended_target(request.target, changes), mended(kind, data, content_type, changes)
        left = self._left_outside(found, target)
        left += await self._look_through(bodies.values(kind, new, content_type, self._judge.clears))
        refused = self._judge.refuses(_unmended(found, changes)) or self._judge.refuses(left)
        if not refused:
            request.target = target
            if new != data:
                _replace(request, new)
        return self._conclude(exchange, found, refused=refused)

    def _left_outside(self, found: list[Found], target: str) -> list[Found]:
        """What is left outside of the body when the target is this one."""
        left = [one for one in found if one.value.where in ("path", "header", "cookie")]
        if "query" in self._parts:
            left += self._judge.look(of_pairs("query", target.partition("?")[2]))
        return left

    def _conclude(self, exchange: Exchange, found: list[Found], *, refused: bool) -> Answer:
        exchange[FINDINGS] = tuple(found)
        self._tell(exchange, found, refused=refused)
        if refused:
            return _refusal(exchange)
        if self._header is not None:
            exchange.request.headers[self._header] = _told(found)
        return None

    def _tell(self, exchange: Exchange, found: list[Found], *, refused: bool) -> None:
        wanted = self._events.wants(RequestBlocked)
        for one in {one.rule.name: one for one in found}.values():
            mode = "block" if refused and one.mode != "observe" else one.mode
            self._found.inc(one.rule.name, mode)
            if wanted:
                place = _place(one.value)
                self._events.publish(RequestBlocked(one.rule.name, place, mode, exchange.route, exchange.peer.host))
        if refused:
            self._log.warning("refused %s: %s", exchange.id, _told(found))


def _readable(types: list[str], held: Held) -> list[str]:
    """The types by which a body can be read: when its codings were not undone, those that it is written in."""
    if held.is_undone:
        return types
    return [content_type for content_type in types if bodies.is_written(bodies.kind_of(content_type), held.data)]


def _unmended(found: Iterable[Found], changes: Changes) -> list[Found]:
    return [one for one in found if one.mode == "block" or one.value not in changes.made]


def _place(value: Value) -> str:
    place = f"{value.where} {value.field[:120]}".strip().encode("ascii", "replace").decode()[:120]
    return place if place.isprintable() else "".join(c if c.isprintable() else "?" for c in place)


def _told(found: Iterable[Found]) -> str:
    """What was found, for the upstream and the log: rules and places, never what the client sent but a field's name."""
    places = dict.fromkeys(f'{one.rule.name};where="{_quoted(one.value)}"' for one in found)
    return ", ".join(list(places)[:16])


def _quoted(value: Value) -> str:
    return "".join(c if c.isalnum() or c in " ._-[]" else "?" for c in _place(value))


def _refusal(exchange: Exchange) -> Response:
    """Not a word about the rule: whoever attacks would learn from it. The incident's id is that of the request."""
    return Response.problem(403, "The request was refused.", incident=exchange.id)


def _replace(request: Request, data: bytes) -> None:
    """Another body: not coded, and the digests of the old one say nothing of it (RFC 9530)."""
    trailers = request.body.trailers
    request.body = Body(data)
    request.body.trailers = trailers
    for fields in (request.headers, trailers):
        if fields is not None:
            fields.remove_all(_OF_THE_BYTES)
