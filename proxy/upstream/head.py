"""Heads on the upstream's side: a request's to bytes, an answer's from bytes."""

from __future__ import annotations

import importlib
import re
from functools import lru_cache
from typing import Any

from aiohttp import StreamReader
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpResponseParser, RawResponseMessage
from aiohttp.http_writer import HttpVersion11

from proxy.errors import BadResponse, GatewayError, UpgradeFailed
from proxy.exchange import Endpoint, Exchange
from proxy.fields import (
    CONNECTION,
    FRAMING,
    RESPONSE_KINDS,
    UPGRADE,
    Fields,
    Names,
    Shape,
    connection_options,
    protocols,
    remove_named,
)
from proxy.flow import splices
from proxy.framing import (
    ChunkedWriter,
    CloseWriter,
    FramingError,
    LengthWriter,
    plain_length,
    response_reader,
    writer,
)
from proxy.headers import HOP_BY_HOP, Headers, check_field
from proxy.message import EMPTY, Request, Response

MAX_HEAD = 65536  # bytes of an answer's head
# Origin-form, or `*` (RFC 9112 section 3.2), without control bytes, space, `#`, and what is beyond latin-1
_TARGET = re.compile(r"/[!\x22$-~\x80-\xff]*+|\*")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] [1-5][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_FIELD_LINE = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n"
_HEAD = re.compile(_STATUS_LINE.pattern + rb"(?:" + _FIELD_LINE + rb")*+\r\n")
_INTERIM = ord("1")  # the first digit of a status
_TELL_LENGTH = frozenset({"POST", "PUT", "PATCH"})  # RFC 9110 section 8.6: say that there is none

_C_PARSER: Any = importlib.import_module("aiohttp._http_parser")  # never the fallback in Python

Writer = LengthWriter | ChunkedWriter | CloseWriter
_unread = Headers.unread


def request_framing(exchange: Exchange) -> Writer | None:
    """How the request's body is framed; None when there is no body and none is expected."""
    request = exchange.request
    body = request.body
    if body.data is not None and not body.trailers:
        if body.data or request.method in _TELL_LENGTH:
            return writer(len(body.data), "1.1")
        return None
    return writer(None if body.trailers else body.size, "1.1")


def request_head(exchange: Exchange, endpoint: Endpoint, framing: Writer | None, via: str) -> bytes:
    """The bytes of a request's head.

    :param via: our value of Via, with the instance's token.
    :raises GatewayError: when a plugin left a method, target or host that cannot stand on a request line.
    """
    request = exchange.request
    target = endpoint.prefix + exchange.target
    plain = target.startswith("/") and target.isascii() and target.isprintable() and " " not in target
    if (not plain or "#" in target) and _TARGET.fullmatch(target) is None:  # which costs twice as much
        raise GatewayError("a plugin or a rewriting made a target that cannot be sent")
    headers = request.headers
    rest = ""
    if headers.marked:
        headers = _cleaned(exchange)
        if "te" in headers.keys:
            rest = "Connection: TE\r\n"
    if request.upgrade:
        rest = _upgrade_lines(request.upgrade, rest)
    field = None if framing is None else framing.fields
    if field is not None:
        rest = f"{rest}{field[0]}: {field[1]}\r\n"
    host = _host_line(endpoint.host_field or request.host or endpoint.authority)
    start = f"{_method(request.method)} {target} HTTP/1.1\r\n{host}".encode("latin-1")
    fields = headers.encode()
    last = _last_line(via)  # behind the Via fields of those before us
    if rest:
        last = rest.encode("latin-1") + last
    return b"%b%b\r\n%b" % (start, fields, last) if fields else start + last


@lru_cache(maxsize=64)
def _last_line(via: str) -> bytes:
    return f"Via: {via}\r\n\r\n".encode("latin-1")


@lru_cache(maxsize=64)
def _upgrade_lines(protocols: str, rest: str) -> str:
    try:
        check_field("Upgrade", protocols)
    except ValueError:
        raise GatewayError("a plugin made an Upgrade that cannot be sent") from None
    return f"Connection: {'TE, ' if rest else ''}Upgrade\r\nUpgrade: {protocols}\r\n"


@lru_cache(maxsize=64)
def _method(method: str) -> str:
    try:
        check_field(method, "")
    except ValueError:
        raise GatewayError("a plugin made a method that cannot be sent") from None
    return method


@lru_cache(maxsize=1024)
def _host_line(host: str) -> str:
    try:
        check_field("Host", host)
    except ValueError:
        raise GatewayError("a plugin made a host that cannot be sent") from None
    return f"Host: {host}\r\n"


def _cleaned(exchange: Exchange) -> Headers:
    """The fields without hop-by-hop ones that a plugin wrote, and without an Expect that was answered here."""
    headers = exchange.request.headers.copy()
    headers.remove_all(HOP_BY_HOP - {"te"})
    if not splices(exchange.request.body):
        headers.remove("expect")
    return headers


class ResponseHead:
    """What one answer's head says.

    :ivar response: still without its body.
    :ivar length: what a Content-Length says that is the only framing field and beyond doubt; else -1.
    :ivar keep: whether the connection may be used again.
    :ivar upgrade: Upgrade as received: with a 101 what was switched to.
    """

    __slots__ = ("_fields", "_shape", "keep", "length", "response", "upgrade", "version")

    def __init__(self, response: Response, version: str, fields: Fields, shape: Shape) -> None:
        self.response = response
        self.version = version
        self.length = plain_length(fields[shape.length][1]) if shape.length >= 0 else -1
        self.keep = version == "1.1"
        self.upgrade = ""
        self._fields = fields
        self._shape = shape

    @property
    def framing(self) -> Headers | None:
        """Content-Length and Transfer-Encoding as received, or None when there is neither."""
        fields = self._fields
        framing = [(name, fields[at][1].decode("latin-1")) for kind, name, at in self._shape.special if kind == FRAMING]
        return Headers.adopt([name.lower() for name, _ in framing], framing) if framing else None


_NAMES = Names(RESPONSE_KINDS)


def new_parser(*, strict: bool = True) -> HttpResponseParser:
    """A C parser for answer heads; strict: no bare LF, no folded lines, no control bytes, no field twice that is one.

    aiohttp parses answers laxly unless its debug flag is up while the parser is made; there is no other way to ask.
    The parser skips bodies, so it can read one head after the other.
    """
    before = _C_PARSER.DEBUG
    _C_PARSER.DEBUG = strict
    try:
        return HttpResponseParser(
            None,
            None,
            65536,
            max_line_size=MAX_HEAD,
            max_field_size=MAX_HEAD,
            max_headers=1000,
            response_with_body=False,
            auto_decompress=False,
        )
    finally:
        _C_PARSER.DEBUG = before


class AnswerParser:
    """One connection's parser of answer heads.

    :ivar feed: the C parser's; it takes whole heads, one after the other.
    """

    __slots__ = ("feed",)

    def __init__(self) -> None:
        self.feed = new_parser().feed_data

    def again(self, data: bytes) -> list[tuple[RawResponseMessage, StreamReader]]:
        """Parse a head that the strict parser refused: it may only repeat a field, such as Server, that stands once.

        Upstreams do so, and it leaves no doubt about the message. All else that makes the parser lax is checked here
        first (RFC 9112 sections 4 and 5), and framing fields by `proxy.framing`.

        :raises BadResponse: when the head breaks the grammar.
        :raises HttpProcessingError: when the lax parser refuses it too.
        """
        if _HEAD.fullmatch(data) is None:
            raise BadResponse("the upstream's answer is malformed")
        self.feed = new_parser().feed_data  # the one that raised takes nothing more
        messages, _, _ = new_parser(strict=False).feed_data(data)
        return list(messages)


def read_head(data: bytes, parser: AnswerParser) -> ResponseHead:
    """Parse a whole head, from the status line to the empty line, inclusive.

    :raises BadResponse: when it is malformed.
    """
    message = _parsed(data, parser)
    status, fields = message.code, message.raw_headers
    shape = _NAMES.shapes.of(fields)
    reason = message.reason
    reason = reason if reason.isascii() else reason.encode("utf-8", "surrogateescape").decode("latin-1")
    plain = shape.plain
    response = Response(status, _unread(list(plain(fields)), shape.dated), EMPTY, reason)
    head = ResponseHead(response, "1.1" if message.version is HttpVersion11 else "1.0", fields, shape)
    if shape.meant:
        _special(head, fields, shape)
    if status < 200 or status == 204:
        _bodiless(head)
    return head


def _parsed(data: bytes, parser: AnswerParser) -> RawResponseMessage:
    if _STATUS_LINE.match(data) is None:  # llhttp takes empty lines before it, and control bytes in the reason phrase
        raise BadResponse("the upstream's answer has no well-formed status line (RFC 9112 section 4)")
    if data[9] == _INTERIM:
        parser = AnswerParser()  # the connection's own would take a `close` in it for the end of everything
    try:
        try:
            feed = parser.feed
            messages = feed(data)[0]
        except HttpProcessingError:
            messages = parser.again(data)
    except HttpProcessingError as error:
        raise BadResponse("the upstream's answer is malformed") from error
    if not messages:
        raise BadResponse("the upstream's answer is malformed")
    return messages[0][0]


def _bodiless(head: ResponseHead) -> None:
    """RFC 9110 section 8.6: 1xx and 204 have no body; who announces one is not trusted with another request."""
    framing = head.framing
    if framing is None:
        return
    try:
        response_reader("GET", head.response.status, head.version, framing)
    except FramingError as error:
        raise BadResponse(f"the upstream's answer is misframed: {error.reason}") from error
    if (framing.get("content-length") or "0").strip("0") or "transfer-encoding" in framing:
        head.keep = False


def _special(head: ResponseHead, fields: Fields, shape: Shape) -> None:
    options: list[str] = []
    for kind, at in shape.meant:
        value = fields[at][1].decode("latin-1")
        if kind == CONNECTION:
            if value != "keep-alive" or head.version == "1.0":
                options.append(value)
        elif kind == UPGRADE:
            head.upgrade = f"{head.upgrade}, {value}" if head.upgrade else value
    if options:
        named = connection_options(options)
        head.keep = "close" not in named and (head.keep or "keep-alive" in named)
        remove_named(head.response.headers, named)


def tell_length(response: Response, framing: Headers | None) -> None:
    """An answer to HEAD, and a 304, say the length of what they leave out (RFC 9110 section 8.6)."""
    length = None if framing is None else framing.get("content-length")
    if length is not None:
        response.headers.add("Content-Length", length)


def unfit(head: ResponseHead, request: Request, *, whole: bool) -> GatewayError | None:
    """What is wrong with a 101, or None (RFC 9110 section 7.8).

    :param whole: whether the request has been sent to its end: before that the bytes of its body and those of the
        tunnel could not be told apart.
    """
    if not request.upgrade:
        return BadResponse("the upstream switched protocols unasked (RFC 9110 section 7.8)")
    offered = {name.lower() for name in protocols(request.upgrade)}
    chosen = connection_options([head.upgrade])
    if not chosen or not chosen <= offered:
        return UpgradeFailed("the upstream switched to a protocol that was not offered (RFC 9110 section 7.8)")
    if head.version != "1.1":
        return UpgradeFailed("the upstream switched protocols in HTTP/1.0")
    return None if whole else UpgradeFailed("the upstream switched protocols before the request was whole")
