"""Answers go out coded: three quarters of their bytes fewer, and nothing held back.

    plugins:
      - compress: {}

stands inside the cache, so that what is stored is coded and a hit costs no compression. An answer is coded when its
media type is on the list, its length is 500 bytes or unknown, the client takes a coding that is offered, and nobody
forbids it (`Cache-Control: no-transform`). See docs/compression.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from mimetypes import guess_type
from typing import ClassVar

from plugins.compress.coders import Coder
from plugins.compress.config import Config
from plugins.compress.filters import Threads, coding
from plugins.compress.heads import DIGESTS, IDENTITY, forbids, recoded, unchanged, vary
from plugins.compress.kinds import Kind, Kinds
from plugins.compress.tags import is_ours, tags_in, widened
from plugins.compress.turns import Turns
from proxy.api import (
    Answer,
    Body,
    Exchange,
    Headers,
    Key,
    Limits,
    Malformed,
    PathSet,
    Plugin,
    Rank,
    Request,
    Response,
    TooMuch,
    applied,
    blame,
    can_decode,
    choose,
    decode,
    decoding,
    installed,
)

_LOOKED_AT = frozenset({"cache-control", "content-encoding", "content-length", "content-type", "etag", "vary"})
_ASKED = frozenset({"accept-encoding", "cache-control"})
_CONDITIONS = frozenset({"if-match", "if-none-match", "if-range"})
_ENTITY_CONDITIONS = ("if-match", "if-none-match")
_NO_CONTENT = frozenset({204, 205})

_AT_ONCE = 8192  # coded bytes of a body in memory that are undone on the loop, and what they may become
_LITTLE = Limits(size=262144)
_WHOLE = 262144  # bytes of a body in memory that a thread codes in one go, before anything is sent

Fields = Mapping[str, Sequence[str]]  # values by lower-case names

# The request as the client sent it, where the upstream gets another: those further out see their own again.
_CLIENTS: Key[Request] = Key("compress.request")


class Recoder:
    """:see: `Exchange.recoder`."""

    def __init__(self, plugin: Compress) -> None:
        self.order = plugin.config.offered
        self._plugin = plugin

    def __call__(self, request: Request, response: Response) -> None:
        self._plugin.recode(request, response)


class Compress(Plugin[Config]):
    """Codes answers for clients that take them coded."""

    rank = Rank.COMPRESS
    pure: ClassVar[bool] = True

    def __init__(self, config: Config) -> None:
        self._turns = Turns()
        self._threads = Threads()
        super().__init__(config)

    def configured(self) -> None:
        config = self.config
        self._offered = config.offered
        self._recoder = Recoder(self)
        self._kinds = Kinds(config)
        self._off = PathSet(config.off)
        self._limits = Limits(size=config.decode.size, ratio=config.decode.ratio)
        self._least = max(config.min_size, 1)
        self._decodes = config.requests == "decode"
        self._asks = {"pass": None, "identity": IDENTITY, "recode": ", ".join(installed())}[config.upstream]

    async def stop(self) -> None:
        self._threads.release()

    def describe(self, exchange: Exchange) -> str:
        request = exchange.request
        if self._off.covers(request.target):
            return "off for this path"
        wanted = _wanted(request, self._offered)
        return "would leave the answer as it is" if wanted == IDENTITY else f"would code the answer as {wanted}"

    # the way in

    def on_request(self, exchange: Exchange) -> Answer:
        request = exchange.request
        conditional = request.headers.any_of(_CONDITIONS)
        asks = self._asks is not None and not self._off.covers(request.target)
        if conditional or asks or self._decodes:
            exchange[_CLIENTS] = request
            exchange.request = request = request.copy()
        if conditional:
            self._translate(request.headers)
        if asks and self._asks is not None:
            request.headers["Accept-Encoding"] = self._asks
        if self._decodes:
            self._decode_request(request)
        return None

    def _translate(self, headers: Headers) -> None:
        """Conditions name tags as they went out; the upstream knows its own."""
        style = self.config.etag
        for name in _ENTITY_CONDITIONS:
            values = headers.getall(name)
            field = widened(values, style) if values else None
            if field is not None:
                headers[name] = field
        ranges = tags_in(headers.getall("if-range"))
        if ranges and is_ours(ranges[0], style):  # there is no range of what is coded here: the whole (section 14.2)
            headers.remove_all({"range", "if-range"})

    def _decode_request(self, request: Request) -> None:
        codings = applied(request.headers)
        if codings and can_decode(codings):
            request.body = request.body.through(decoding(codings, self._limits, "request"))
            request.headers.remove_all(DIGESTS | {"content-encoding"})

    # the way out

    def on_response(self, exchange: Exchange) -> Answer | Awaitable[Answer]:
        response = exchange.response
        clients = exchange.get(_CLIENTS)
        if clients is not None:
            clients.body = exchange.request.body  # which the engine may have replaced, to keep it for another try
            exchange.request = clients
        if response is None or response.status < 200 or response.status in _NO_CONTENT:
            return None
        request = exchange.request
        if response.status == 304:
            self._unchanged(request, response)
            return None
        fields = response.headers.picked(_LOOKED_AT)
        types = fields.get("content-type")
        kind = self._kinds.find(types[0]) if types else None
        if kind is None or (self.config.off and self._off.covers(request.target)):
            return None
        says = fields.get("cache-control")
        if response.status == 206 or (says and forbids(says)):
            vary(response.headers, fields.get("vary", ()))
            return None
        exchange.recoder = self._recoder
        return self._recode(request, response, kind, fields)

    def recode(self, request: Request, response: Response) -> None:
        """Bring an answer from the coding that it has into the one that suits the client; :see: `Exchange.recoder`."""
        fields = response.headers.picked(_LOOKED_AT)
        kind = self._kind(fields)
        if kind is not None and not self._off.covers(request.target):
            self._recode(request, response, kind, fields, at_once=True)

    def _recode(
        self, request: Request, response: Response, kind: Kind, fields: Fields, *, at_once: bool = False
    ) -> Awaitable[Answer] | None:
        """:returns: what has to be awaited first, unless `at_once`: then a body is coded while it goes out instead."""
        had = applied(response.headers) if "content-encoding" in fields else ()
        wanted = self._target(request, response, fields, had)
        if wanted is None:
            vary(response.headers, fields.get("vary", ()))
            return None
        recoded(response.headers, fields, wanted, self.config.etag)
        if request.method == "HEAD" and not response.body.data:
            return None
        body = source = response.body
        if source.data is None or source.trailers:
            source.on_end(lambda: _drop_digests(source))
        if had:
            body = self._decoded(body, had)
        coder = kind.coders.get(wanted)
        data = body.data
        if coder is None:
            response.body = body
        elif data is None or len(data) > (coder.inline if at_once else _WHOLE):
            response.body = self._flowing(body, kind, coder)
        elif len(data) > coder.inline:
            return self._apart(response, body, data, coder)
        elif at_once or self._turns.room(len(data)):
            response.body = _like(body, self._turns.now(partial(coder.whole, data)))
        else:
            return self._turns.later(partial(_code, response, body, data, coder))
        return None

    def _target(self, request: Request, response: Response, fields: Fields, had: tuple[str, ...]) -> str | None:
        """The coding that an answer is to be brought into from those that it has; None where it is left alone."""
        asked = request.headers.picked(_ASKED)
        accepts, says = asked.get("accept-encoding", ()), asked.get("cache-control")
        if says and forbids(says):
            return None
        wanted = choose(accepts, self._offered)
        if had:
            applies = can_decode(had) and had != (wanted,) and self._may_recode(accepts, had)
        else:
            size = response.body.size or self._told(request, response, fields)
            applies = wanted != IDENTITY and (size is None or size >= self._least)
        return wanted if applies else None

    async def _apart(self, response: Response, body: Body, data: bytes, coder: Coder) -> None:
        """A body in memory that is too much for the loop: coded in one go, its length is known too."""
        response.body = _like(body, await self._threads.run(partial(coder.apart, data)))

    def _kind(self, fields: Fields) -> Kind | None:
        types = fields.get("content-type")
        return self._kinds.find(types[0]) if types else None

    def _unchanged(self, request: Request, response: Response) -> None:
        """A 304 seldom tells its type: then the path's ending does, and what has none is taken for an API's."""
        headers = response.headers
        fields = headers.picked(_LOOKED_AT)
        kind = self._kind(fields)
        if kind is None and "content-type" not in fields:
            kind = self._kinds.find(guess_type(request.path)[0] or "application/json")
        if self._off.covers(request.target):
            return
        coding = IDENTITY if kind is None else _wanted(request, self._offered)
        asked = tags_in(request.headers.getall("if-none-match"))
        if unchanged(headers, asked, coding, self.config.etag) or kind is not None:
            vary(headers, fields.get("vary", ()))

    def _may_recode(self, accepts: Sequence[str], had: tuple[str, ...]) -> bool:
        """Whether a body that is coded already is undone: always by `recode`, else for clients that cannot take it."""
        return self.config.upstream == "recode" or any(choose(accepts, (one,)) != one for one in had)

    @staticmethod
    def _told(request: Request, response: Response, fields: Fields) -> int | None:
        """How long an answer is of which nothing is here; None where nobody says."""
        told = fields.get("content-length")
        if request.method == "HEAD":
            return int(told[0]) if told and told[0].isdecimal() else None
        return response.body.size

    def _decoded(self, body: Body, codings: tuple[str, ...]) -> Body:
        data = body.data
        if data is not None and len(data) <= _AT_ONCE:
            try:
                return _like(body, decode(data, codings, _LITTLE))
            except TooMuch:
                pass  # for the loop, perhaps not for the limits: as it flows
            except Malformed as error:
                raise blame(error, "response") from error
        return body.through(decoding(codings, self._limits, "response"))

    def _flowing(self, body: Body, kind: Kind, coder: Coder) -> Body:
        ends_event = None if kind.events is None else kind.events()
        return body.through(coding(coder, body.size, self._turns, self._threads, ends_event))


def _wanted(request: Request, available: tuple[str, ...]) -> str:
    return choose(request.headers.getall("accept-encoding"), available)


def _code(response: Response, body: Body, data: bytes, coder: Coder) -> None:
    response.body = _like(body, coder.whole(data))


def _like(body: Body, data: bytes) -> Body:
    """Other bytes in memory, with the same trailers."""
    made = Body(data)
    made.trailers = body.trailers
    return made


def _drop_digests(body: Body) -> None:
    """Digests of the bytes that went in may also come as trailers (RFC 9530 section 2)."""
    if body.trailers is not None:
        body.trailers.remove_all(DIGESTS)
