"""A request's head, from bytes to a Request.

The bytes up to the empty line are given to aiohttp's C parser (llhttp); what it accepts and RFC 9112 does not is
refused here, and nowhere else. Hop-by-hop fields end here too.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from aiohttp.http_writer import HttpVersion11

from proxy.errors import (
    BadRequest,
    ClientError,
    ExpectationRefused,
    HeadTooLarge,
    LoopDetected,
    MethodRefused,
    TargetTooLong,
    UnknownMethod,
    VersionRefused,
)
from proxy.fields import (
    CONNECTION,
    EXPECT,
    FORWARDED,
    FRAMING,
    MAX_FORWARDS,
    REQUEST_ID,
    TE,
    TRACE,
    UPGRADE,
    VIA,
    Fields,
    Names,
    Shape,
    connection_options,
    protocols,
    remove_named,
)
from proxy.headers import Headers
from proxy.message import EMPTY, Request

_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\x00-\x20\x7f]+) HTTP/([0-9])\.([0-9])\r\n")
_SIMPLE_LINE = re.compile(rb"GET /[^\x00-\x20\x7f]*\r\n")  # RFC 1945 section 5.1
_REG_NAME = r"(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+"
_AUTHORITY = re.compile(rf"(?:{_REG_NAME}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{0,5}})?")  # RFC 3986 section 3.2.2, no comma
_KNOWN_HOSTS = 1024
_unread = Headers.unread
_DEFAULT_PORTS = {"http": 80, "https": 443}  # RFC 9110 section 4.2
_DIGITS = 10  # of a number that is still one
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE"})


class Head:
    """What one request head says, apart from what hooks see.

    :ivar request: the request, still without its body.
    :ivar framing: Content-Length and Transfer-Encoding as received, or None when there is neither.
    :ivar close: whether the connection ends with this exchange.
    :ivar expects: whether the client waits for 100 Continue (RFC 9110 section 10.1.1).
    :ivar upgrade: Upgrade as received, or `""`; what may be passed on of it is in the request.
    :ivar forwarded: X-Forwarded-* and Forwarded as received, by lower-case name.
    :ivar last: whether nobody behind us is asked: we answer (RFC 9110 section 7.6.2).
    :ivar request_id: X-Request-ID as received, or `""`.
    :ivar trace: traceparent and tracestate as received, or None when there is neither.
    """

    __slots__ = ("close", "expects", "forwarded", "framing", "last", "request", "request_id", "trace", "upgrade")

    def __init__(self, request: Request, close: bool) -> None:
        self.request = request
        self.close = close
        self.framing: Headers | None = None
        self.expects = False
        self.last = False
        self.upgrade = ""
        self.forwarded: dict[str, list[str]] | None = None
        self.request_id = ""
        self.trace: list[tuple[str, str]] | None = None


class HeadReader:
    """Reads heads for one listener.

    :param scheme: `http` or `https`.
    :param names: field names of requests.
    :param token: this instance's mark in Via, by which a loop is seen.
    :param max_bytes: of the whole head: 431.
    :param max_fields: 431. The parser counts them: it is to refuse one more.
    :param max_target: bytes of the target: 414.
    """

    def __init__(
        self, scheme: str, names: Names, token: str, *, max_bytes: int, max_fields: int, max_target: int
    ) -> None:
        self.scheme = scheme
        self.token = token
        self.names = names
        self.max_bytes = max_bytes
        self.max_fields = max_fields
        self.max_target = max_target
        self._hosts: set[str] = set()  # authorities seen to be well-formed

    def too_large(self, held: bytes | bytearray) -> ClientError | None:
        """The error of an unfinished head that is over a limit already, or None."""
        line = held.find(b"\r\n")
        target = (len(held) if line < 0 else line) - len("GET  HTTP/1.1")
        if target > self.max_target:
            return TargetTooLong(f"the request target is over {self.max_target} bytes")
        if len(held) > self.max_bytes:
            return HeadTooLarge(f"the request head is over {self.max_bytes} bytes")
        return None

    def unfinished(self, data: bytes, seen: int) -> ClientError | None:
        """What is wrong already with the beginning of a head, or None.

        :param seen: bytes of it that were looked at before.
        """
        error = self.too_large(data)
        fresh = data[seen - data.endswith(b"\r", 0, seen) :]
        if error is None and fresh.count(b"\n") != fresh.count(b"\r\n"):
            error = BadRequest("a line ends in LF without CR (RFC 9112 section 2.2)")
        end = data.find(b"\r\n") + 2
        if error is None and end > max(seen, 1) and _REQUEST_LINE.match(data) is None:  # looked at once, when it ends
            return _refused_line(data[:end])
        return error

    def read(self, data: bytes, parser: HttpRequestParser) -> Head:
        """Parse a whole head.

        :param data: from the first byte of the request line to the empty line, inclusive.
        :raises ClientError: the refusal, with its status.
        """
        if len(data) > self.max_bytes or len(data) > self.max_target:
            self._check_size(data)
        try:
            messages, _, _ = parser.feed_data(data)
        except HttpProcessingError as error:
            self._check_size(data)
            raise _refusal(data) from error
        if not messages:
            raise _refusal(data)
        message = messages[0][0]
        method, path, spoken = message.method, message.path, message.version
        if method in _REFUSED_METHODS:
            raise MethodRefused(f"{method} is not served here")
        version = "1.1" if spoken is HttpVersion11 else f"{spoken.major}.{spoken.minor}"
        if version != "1.1" and version != "1.0":
            raise VersionRefused("only HTTP/1.0 and HTTP/1.1 are spoken here")
        line = f"{method} {path} HTTP/{version}\r\n".encode("utf-8", "surrogateescape")
        if not data.startswith(line):  # llhttp takes several spaces, leading CR and LF, and RTSP
            raise BadRequest("the request line is malformed (RFC 9112 section 3)")
        target = path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("latin-1")
        return self._head(message, method, target, version)

    def _check_size(self, data: bytes) -> None:
        error = self.too_large(data)
        if error is not None:
            raise error
        if data.count(b"\r\n") - 2 > self.max_fields:
            raise HeadTooLarge(f"the request has more than {self.max_fields} header fields")

    def _head(self, message: RawRequestMessage, method: str, target: str, version: str) -> Head:
        fields = message.raw_headers
        shape = self.names.shapes.of(fields)
        plain = shape.plain
        headers = _unread(list(plain(fields)))
        host = fields[shape.host][1].decode("latin-1") if shape.host >= 0 else ""
        request = Request(method, target, self.scheme, host, headers, EMPTY, version)  # keywords would double its cost
        head = Head(request, message.should_close)
        if shape.special:
            self._special(head, fields, shape)
        if host not in self._hosts or "#" in target or target[0] != "/":
            self._authority(request)
        return head

    def _special(self, head: Head, fields: Fields, shape: Shape) -> None:
        options: list[str] = []
        for kind, name, at in shape.special:
            value = fields[at][1].decode("latin-1")
            if kind == CONNECTION:
                options.append(value)
            elif kind == FRAMING:
                if head.framing is None:
                    head.framing = Headers()
                head.framing.push(name, name.lower(), value)
            elif kind == REQUEST_ID:
                head.request_id = value
            else:
                self._seldom(head, kind, name, value)
        if options:
            request = head.request
            named = connection_options(options)
            # RFC 9112 section 9.3: close counts before keep-alive, in whatever order and field they stand
            head.close = head.close or "close" in named or (request.version == "1.0" and "keep-alive" not in named)
            remove_named(request.headers, named)
            if head.upgrade and "upgrade" in named and request.version == "1.1":  # RFC 9110 section 7.8
                request.upgrade = ", ".join(protocols(head.upgrade))

    def _seldom(self, head: Head, kind: int, name: str, value: str) -> None:
        if kind == FORWARDED:
            head.forwarded = head.forwarded or {}
            head.forwarded.setdefault(name.lower(), []).append(value)
        elif kind == TRACE:
            head.trace = [*(head.trace or ()), (name, value)]
        elif kind == EXPECT:
            self._expect(head, name, value)
        elif kind == TE:
            if "trailers" in connection_options([value]):
                head.request.headers["TE"] = "trailers"
        elif kind == MAX_FORWARDS:
            self._hop(head, name, value)
        elif kind == UPGRADE:
            head.upgrade = f"{head.upgrade}, {value}" if head.upgrade else value
        elif kind == VIA:
            if self.token in value:
                raise LoopDetected("the request has passed here before (RFC 9110 section 7.6.3)")
            head.request.headers.push(name, "via", value)

    @staticmethod
    def _hop(head: Head, name: str, value: str) -> None:
        """RFC 9110 section 7.6.2: OPTIONS is passed on so many times; with other methods the number means nothing."""
        counts = head.request.method == "OPTIONS" and value.isascii() and value.isdigit() and len(value) < _DIGITS
        if counts and not int(value):
            head.last = True
        else:
            head.request.headers.add(name, str(int(value) - 1) if counts else value)

    def _expect(self, head: Head, name: str, value: str) -> None:
        """RFC 9110 section 10.1.1. What is not understood alike by all is what a body is hidden behind."""
        if head.request.version == "1.1":  # RFC 9110 section 10.1.1: from HTTP/1.0 it is ignored
            if value.lower() != "100-continue" or head.expects:
                raise ExpectationRefused("only 100-continue can be expected (RFC 9110 section 10.1.1)")
            head.expects = True
            head.request.headers.add(name, value)

    def _authority(self, request: Request) -> None:
        """RFC 9112 section 3.2: Host, and its agreement with a target in absolute-form."""
        target, host = request.target, request.host
        if host not in self._hosts and (host or request.version == "1.1"):
            if not _is_authority(host):
                raise BadRequest("the Host field names no host (RFC 9112 section 3.2)")
            if len(self._hosts) >= _KNOWN_HOSTS:
                self._hosts.clear()
            if host[-1] == ":":
                request.host = host[:-1]  # RFC 3986 section 3.2.3: an empty port is none, and is written as none
            self._hosts.add(request.host)
        if "#" in target:
            raise BadRequest("the target holds a fragment (RFC 9112 section 3.2)")
        if target[0] != "/":
            _other_form(request)


def _is_authority(text: str) -> bool:
    return _AUTHORITY.fullmatch(text) is not None and _port(text) <= 65535


def _port(host: str) -> int:
    _, colon, port = host.rpartition(":")
    return int(port) if colon and port.isdigit() else 0


def _meant(host: str, scheme: str) -> tuple[str, int]:
    """The host and port that an authority means: no port is the scheme's (RFC 3986 section 3.2.3)."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or not (port.isdigit() or not port):  # the colon is of an IPv6 address
        return host.lower(), _DEFAULT_PORTS[scheme]
    return name, int(port) if port else _DEFAULT_PORTS[scheme]


def _other_form(request: Request) -> None:
    """Absolute-form becomes origin-form when it agrees with Host (RFC 9112 section 3.2.2); `*` is for OPTIONS."""
    target = request.target
    if target == "*" and request.method == "OPTIONS":
        return
    try:
        parts = urlsplit(target)
    except ValueError:
        raise BadRequest("the target is no URL (RFC 9112 section 3.2.2)") from None
    if parts.scheme not in _DEFAULT_PORTS or not _is_authority(parts.netloc):
        raise BadRequest("the target is neither a path nor an http URL (RFC 9112 section 3.2)")
    if request.host and _meant(parts.netloc, parts.scheme) != _meant(request.host, parts.scheme):
        raise BadRequest("the target's authority and Host disagree (RFC 9112 section 3.2.2)")
    request.host = parts.netloc.removesuffix(":")
    rest = target[target.index("//") + 2 + len(parts.netloc) :]
    if not rest and request.method == "OPTIONS":
        request.target = "*"  # RFC 9112 section 3.2.4
    else:
        request.target = rest if rest.startswith("/") else "/" + rest


def _refusal(data: bytes) -> ClientError:
    """Why the parser refused a head: 501 and 505 only where the request line is well-formed but for that."""
    line = _REQUEST_LINE.match(data)
    if line is None:
        return BadRequest("the request is malformed (RFC 9112)")
    method, _, major, minor = line.groups()
    if major != b"1" or minor not in b"01":
        return VersionRefused("only HTTP/1.0 and HTTP/1.1 are spoken here")
    if not _knows(method):
        return UnknownMethod("this method is not known here (RFC 9110 section 15.6.2)")
    return BadRequest("the request's header fields are malformed (RFC 9112 section 5)")


def _refused_line(line: bytes) -> ClientError:
    """Why a first line begins no request: one of HTTP/0.9 is all that there will be, and is not waited behind."""
    if _SIMPLE_LINE.fullmatch(line) is not None:
        return VersionRefused("only HTTP/1.0 and HTTP/1.1 are spoken here")
    return BadRequest("the request line is malformed (RFC 9112 section 3)")


def _knows(method: bytes) -> bool:
    """Whether llhttp knows the method, asked of llhttp itself."""
    target = b"x:1" if method == b"CONNECT" else b"/"
    try:
        parser = HttpRequestParser(None, None, 1, response_with_body=False)  # else CONNECT would open a body
        messages, _, _ = parser.feed_data(method + b" " + target + b" HTTP/1.0\r\n\r\n")
    except HttpProcessingError:
        return False
    return bool(messages)
