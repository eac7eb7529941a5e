"""What a stream of bytes means by RFC 9112 and the gateway's stated policy: the other reading of a differential test.

It shares nothing with the gateway but the specification: it looks at whole buffers, with expressions copied from the
grammar and none of llhttp. Where the two readings differ, one of them is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

CRLF = b"\r\n"
TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_LINE = re.compile(rb"(" + TCHAR + rb"+) ([\x21-\x7e]+) HTTP/1\.([01])")
_FIELD = re.compile(
    rb"(" + TCHAR + rb"+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*"
)
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_EXT = rb"[ \t]*;[ \t]*" + TCHAR + rb"+(?:[ \t]*=[ \t]*(?:" + TCHAR + rb"+|" + _QUOTED + rb"))?"
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})((?:" + _EXT + rb")*)")
_HOST = re.compile(r"((?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://([^/?]*)(.*)", re.DOTALL)

MAX_HEAD, MAX_FIELDS, MAX_TARGET, MAX_ANSWER = 32768, 100, 8192, 65536
SINGLETONS = {"content-location", "content-range", "content-type", "etag", "max-forwards", "server", "user-agent"}
_KNOWN = """ACL BIND CHECKOUT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY
OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK
UNSUBSCRIBE"""
METHODS = frozenset(_KNOWN.split())
_VITAL = {"content-length", "forwarded", "expect", "max-forwards", "traceparent", "tracestate"}
_KEPT = {"authorization", "cache-control", "cookie", "host", "set-cookie", "via", "x-request-id", "x-real-ip"}
_FORWARDED = {f"x-forwarded-{what}" for what in ["for", "host", "port", "prefix", "proto", "scheme", "server", "ssl"]}
_OPTIONS = {"close", "keep-alive", "te", "upgrade"}
HOP = {"connection", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"}
HOP |= {"te", "trailer", "transfer-encoding", "upgrade", "content-length"}

Kind = Literal["forward", "local", "refuse", "broken", "partial"]


@dataclass
class Read:
    """One message, read.

    :ivar kind: `forward`; `local`: answered here, and the connection goes on; `refuse`; `broken`: the head is fine, the
        body is not; `partial`: it ends before it is whole.
    :ivar why: what is wrong with it.
    :ivar fields: those that go from end to end, in order.
    :ivar close: whether the connection ends behind it.
    :ivar body: what there is of the content.
    :ivar until_close: whether closing ends the body.
    :ivar either: whether the gateway may close behind its answer, instead of reading the body to its end.
    :ivar behind: bytes of an upstream behind its answer, which nobody asked for.
    """

    kind: Kind
    why: str = ""
    method: str = "GET"
    target: str = ""
    host: str = ""
    version: str = "1.1"
    status: int = 0
    fields: list[tuple[str, str]] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    close: bool = False
    until_close: bool = False
    behind: bytes = b""
    either: bool = False


class Bad(Exception):
    """These bytes are no message. :ivar body: what there was of its content."""

    def __init__(self, why: str, body: bytes = b"") -> None:
        super().__init__(why)
        self.body = body


class Short(Exception):
    """These bytes are the beginning of one. :ivar body: what there is of its content."""

    def __init__(self, body: bytes = b"") -> None:
        super().__init__()
        self.body = body


def stream(data: bytes) -> list[Read]:
    """Every request in what a client sent, up to the first after which nothing can follow."""
    reads: list[Read] = []
    while True:
        while data.startswith(CRLF):
            data = data[2:]
        if not data:
            return reads
        is_head = data.startswith(b"HEAD ")  # whose refusal has no content either (RFC 9110 section 9.3.2)
        read, data = _request(data)
        if read.kind in ("refuse", "partial"):
            read.method = "HEAD" if is_head else "GET"
        reads.append(read)
        if read.kind in ("refuse", "broken", "partial") or read.close:
            return reads


def _request(data: bytes) -> tuple[Read, bytes]:
    head, found, rest = data.partition(CRLF * 2)
    if not found:
        return Read("partial", "head"), b""
    read = Read("forward")
    try:
        framing = _head(read, head)
    except Bad as error:
        read.kind, read.why = "refuse", str(error)
        return read, b""
    try:
        read.body, read.trailers, rest = content(framing, rest)
    except Bad as error:
        read.kind, read.why, read.body = "broken", str(error), error.body
    except Short as error:
        read.kind, read.why, read.body = "partial", "body", error.body
    else:
        if not path_is_plain(read.target):
            read.kind = "local"
            read.either = bool(framing)
    return read, rest


def _head(read: Read, head: bytes) -> list[tuple[str, str]]:
    first, *lines = head.split(CRLF)
    line = _LINE.fullmatch(first)
    if line is None:
        raise Bad("request line")
    read.method, read.target = line[1].decode(), line[2].decode("latin-1")
    read.version = "1." + line[3].decode()
    fields = parse_fields(lines)
    if len(head) + 4 > MAX_HEAD or len(fields) > MAX_FIELDS or len(first) - 13 > MAX_TARGET:
        raise Bad("over a limit")
    names = [name.lower() for name, _ in fields]
    if any(names.count(name) > 1 for name in SINGLETONS):
        raise Bad("a field twice that stands once")
    if "sec-websocket-key1" in names:
        raise Bad("a draft of WebSocket whose handshake has an unannounced body")
    expected = [value.lower() for name, value in fields if name.lower() == "expect"]
    if read.version == "1.1" and expected not in ([], ["100-continue"]):
        raise Bad("Expect")
    if read.method not in METHODS:
        raise Bad("method")
    read.host = _host(read, [value for name, value in fields if name.lower() == "host"])
    framing = [
        (name.lower(), value) for name, value in fields if name.lower() in ("content-length", "transfer-encoding")
    ]
    check_framing(framing, read.version)
    options = connection_options(fields)
    read.close = "close" in options or (read.version == "1.0" and "keep-alive" not in options)
    read.fields = end_to_end(fields, options)
    return framing


def parse_fields(lines: list[bytes], body: bytes = b"") -> list[tuple[str, str]]:
    """Field lines. :raises Bad: when one is none."""
    fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Bad(f"field line {line!r}", body)
        fields.append((match[1].decode(), match[2].decode("latin-1")))
    return fields


def connection_options(fields: list[tuple[str, str]]) -> set[str]:
    """What Connection says, and Proxy-Connection, whose word some parsers take."""
    said = [value for name, value in fields if name.lower() in ("connection", "proxy-connection")]
    return {option.strip(" \t").lower() for value in said for option in value.split(",")}


def _looks_like_another(name: str) -> bool:
    """Whether a CGI-like server may take it for another: any with `_`, and a special one in another spelling."""
    if "_" in name:
        return True
    dashed = "".join(char if char.isalnum() else "-" for char in name)
    return dashed != name and (dashed in HOP or dashed in _KEPT or dashed in _VITAL or dashed in _FORWARDED)


def end_to_end(fields: list[tuple[str, str]], options: set[str], *, underscores: bool = False) -> list[tuple[str, str]]:
    """The fields that an intermediary passes on."""
    named = {o for o in options - _OPTIONS - _KEPT if not o.startswith("x-forwarded-")}
    return [
        (name, value)
        for name, value in fields
        if name.lower() not in HOP
        and name.lower() not in named
        and (underscores or not _looks_like_another(name.lower()))
    ]


def _host(read: Read, hosts: list[str]) -> str:
    if len(hosts) > 1 or (not hosts and read.version == "1.1"):
        raise Bad("not one Host")
    host = hosts[0] if hosts else ""
    if (host or read.version == "1.1") and not is_authority(host):
        raise Bad("Host names no host")
    target = read.target
    if "#" in target:
        raise Bad("fragment")
    if target.startswith("/") or (target == "*" and read.method == "OPTIONS"):
        return host.rstrip(":")
    url = _ABSOLUTE.fullmatch(target)
    if url is None or url[1].lower() not in ("http", "https") or not is_authority(url[2]):
        raise Bad("target")
    if host and _endpoint(url[2], url[1]) != _endpoint(host, url[1]):
        raise Bad("target and Host disagree")
    read.target = url[3] if url[3].startswith("/") else "/" + url[3]
    if read.method == "OPTIONS" and not url[3]:
        read.target = "*"  # RFC 9112 section 3.2.4
    return url[2].rstrip(":")


def _endpoint(authority: str, scheme: str) -> tuple[str, int]:
    """Host and port, where no port and an empty one mean the scheme's (RFC 3986 section 3.2.3)."""
    match = _HOST.fullmatch(authority)
    if match is None:
        raise Bad("no authority")
    return match[1].lower(), int(match[2] or (443 if scheme.lower() == "https" else 80))


def is_authority(text: str) -> bool:
    """Whether it is a host with a port or without."""
    match = _HOST.fullmatch(text)
    return match is not None and int(match[2] or 0) <= 65535


def check_framing(framing: list[tuple[str, str]], version: str) -> None:
    """RFC 9112 section 6.3. :raises Bad: for any doubt."""
    if len(framing) > 1:
        raise Bad("framed twice")
    for name, value in framing:
        if name == "content-length" and re.fullmatch(r"[0-9]{1,18}", value) is None:
            raise Bad("Content-Length")
        if name == "transfer-encoding" and (value.lower() != "chunked" or version == "1.0"):
            raise Bad("Transfer-Encoding")


def content(framing: list[tuple[str, str]], data: bytes) -> tuple[bytes, list[tuple[str, str]], bytes]:
    """Content, trailers that may be passed on, and what follows.

    :raises Bad: when it never will be whole.
    :raises Short: when it is not whole.
    """
    if not framing:
        return b"", [], data
    name, value = framing[0]
    if name == "transfer-encoding":
        return _chunks(data)
    size = int(value)
    if len(data) < size:
        raise Short(data)
    return data[:size], [], data[size:]


def _chunks(data: bytes) -> tuple[bytes, list[tuple[str, str]], bytes]:
    body, extensions = b"", 0
    while True:
        line, data = _line(data, 4096, body)
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise Bad("chunk size", body)
        extensions += len(match[2])
        if extensions > 16384:
            raise Bad("too many extensions", body)
        size = int(match[1], 16)
        if not size:
            break
        body += data[:size]
        end = data[size : size + 2]
        if not CRLF.startswith(end):
            raise Bad("chunk data", body)
        if len(end) < 2:
            raise Short(body)
        data = data[size + 2 :]
    return body, *_trailers(data, body)


def _trailers(data: bytes, body: bytes) -> tuple[list[tuple[str, str]], bytes]:
    fields: list[tuple[str, str]] = []
    total, seen = 0, 0
    while True:
        line, data = _line(data, 8192 - total, body)
        total += len(line) + 2
        if not line:
            return fields, data
        seen += 1
        if seen > 64:
            raise Bad("too many trailers", body)
        fields += [pair for pair in parse_fields([line], body) if may_trail(pair[0])]


def _line(data: bytes, limit: int, body: bytes) -> tuple[bytes, bytes]:
    """A line that ends in CRLF, and what follows; a bare LF ends it too, and is then found wrong."""
    line, found, rest = data.partition(b"\n")
    if len(line) + len(found) > limit:
        raise Bad("line too long", body)
    if not found:
        raise Short(body)
    if not line.endswith(b"\r"):
        raise Bad("bare LF", body)
    return line[:-1], rest


def may_trail(name: str) -> bool:
    """Whether RFC 9110 section 6.5.1 lets a field stand behind the content, by the gateway's list."""
    key = name.lower().replace("_", "-")
    listed = """connection content-length keep-alive te trailer transfer-encoding upgrade forwarded host http2-settings
    max-forwards via x-real-ip authorization cookie set-cookie www-authenticate age cache-control date expect expires
    location pragma retry-after vary warning content-disposition content-encoding content-language content-location
    content-type content-range range"""
    return key not in listed.split() and not key.startswith(("if-", "proxy-", "x-forwarded-"))


def path_is_plain(target: str) -> bool:
    """Whether the router takes the path: no NUL in it, and it does not climb above the root."""
    if target == "*":
        return True
    path = re.sub(r"%([0-9A-Fa-f]{2})", lambda m: _decoded(m[1]), target.partition("?")[0])
    if "\x00" in path:
        return False
    depth = 0
    for part in re.split(r"[/\\]+", path.replace("\x01", "/"))[1:]:
        bare = part.partition(";")[0]
        depth += -1 if bare == ".." else (bare not in ("", ".") or (bare == "" and ";" in part))
        if depth < 0:
            return False
    return True


def _decoded(digits: str) -> str:
    code = int(digits, 16)
    if chr(code) in "/\\":
        return "\x01"
    return chr(code) if code == 0 or (0x21 <= code <= 0x7E and code != 0x25) else "%" + digits


def answer(data: bytes, method: str, *, closed: bool) -> tuple[list[int], Read]:
    """The interim statuses and the final answer at the beginning of what an upstream said.

    :param closed: whether the upstream closed in good order behind `data`.
    """
    interim: list[int] = []
    while True:
        head, found, rest = data.partition(CRLF * 2)
        if not found or len(head) > MAX_ANSWER:
            return interim, Read("partial", "head")
        read = Read("forward")
        try:
            framing = _answer_head(read, head)
        except Bad as error:
            read.kind, read.why = "refuse", str(error)
            return interim, read
        if read.status >= 200:
            _answer_body(read, framing, rest, method, closed)
            return interim, read
        interim.append(read.status)
        data = rest


def _answer_head(read: Read, head: bytes) -> list[tuple[str, str]]:
    first, *lines = head.split(CRLF)
    line = _STATUS.fullmatch(first)
    if line is None:
        raise Bad("status line")
    read.version, read.status = "1." + line[1].decode(), int(line[2])
    fields = parse_fields(lines)
    if read.status == 101:
        raise Bad("switched unasked")
    framing = [
        (name.lower(), value) for name, value in fields if name.lower() in ("content-length", "transfer-encoding")
    ]
    check_framing(framing, read.version)
    options = connection_options(fields)
    read.fields = end_to_end(fields, options, underscores=True)
    return framing


def _answer_body(read: Read, framing: list[tuple[str, str]], rest: bytes, method: str, closed: bool) -> None:
    if method == "HEAD" or read.status in (204, 304):
        read.behind = rest
        return
    if not framing:
        read.until_close, read.body = True, rest
        if not closed:
            read.kind, read.why = "partial", "body"
        return
    try:
        read.body, read.trailers, read.behind = content(framing, rest)
    except Bad as error:
        read.kind, read.why, read.body = "broken", str(error), error.body
    except Short as error:
        read.kind, read.why, read.body = "partial", "body", error.body
