"""A small strict reader of HTTP/1.1 messages, for both ends of the wire tests.

It shares nothing with the gateway on purpose: it looks at whole buffers, knows no limits, and refuses whatever a
careful sender would never write, chunk extensions among it. What the gateway writes must pass here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_REQUEST = re.compile(rb"([A-Z][A-Z-]*) ([\x21-\x7e\x80-\xff]+) HTTP/1\.[01]")
_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Malformed(Exception):
    """These bytes are no message that the gateway may send."""


class Unfinished(Exception):
    """The bytes are the beginning of a message."""


@dataclass(frozen=True)
class Message:
    """One message as it stood on the wire.

    :ivar start: the request line or status line.
    :ivar interim: statuses of the 1xx answers before it.
    """

    start: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)
    interim: list[int] = field(default_factory=list)

    @property
    def line(self) -> str:
        """Method and target of a request."""
        return self.start.rpartition(" ")[0]

    @property
    def status(self) -> int:
        """Status of an answer."""
        return int(self.start.split(" ")[1])

    def values(self, name: str) -> list[str]:
        """Every value of a field, in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]


def request(data: bytes) -> tuple[Message, bytes]:
    """The first request in `data`, and what follows it.

    :raises Unfinished: when it is not whole yet.
    :raises Malformed: when it never will be.
    """
    message, rest = _head(data, _REQUEST)
    if len(message.values("host")) != 1:
        raise Malformed(f"not exactly one Host: {message}")
    if not _framed(message):
        return message, rest
    return _body(message, rest)


def answer(data: bytes, method: str, ended: bool) -> tuple[Message, bytes]:
    """The first final answer in `data` with the interim ones before it, and what follows.

    :param method: of the request that it answers.
    :param ended: whether the connection was closed in good order after `data`.
    :raises Unfinished: when it is not whole (yet).
    :raises Malformed: when it never will be.
    """
    interim: list[int] = []
    while True:
        message, data = _head(data, _STATUS)
        if message.status >= 200:
            break
        if _framed(message):
            raise Malformed(f"an interim answer with a framing field: {message}")
        interim.append(message.status)
    message = Message(message.start, message.fields, interim=interim)
    if method == "HEAD" or message.status in (204, 304):
        if message.status == 204 and _framed(message):
            raise Malformed(f"a 204 with a framing field: {message}")
        return message, data
    if _framed(message):
        return _body(message, data)
    if not ended:
        raise Unfinished
    return _with(message, data), b""


def content_so_far(data: bytes) -> bytes:
    """The content of an answer that was cut.

    :raises Unfinished: when not even its head is whole.
    """
    message, data = _head(data, _STATUS)
    if not message.values("transfer-encoding"):
        return data
    body = b""
    while b"\r\n" in data:
        size, data = _size(data)
        body, data = body + data[:size], data[size + 2 :]
    return body


def _head(data: bytes, start: re.Pattern[bytes]) -> tuple[Message, bytes]:
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        if _CONTROL.search(head.replace(b"\r\n", b"").removesuffix(b"\r")):
            raise Malformed(f"control bytes in a head: {head!r}")
        raise Unfinished
    first, *lines = head.split(b"\r\n")
    if start.fullmatch(first) is None:
        raise Malformed(f"bad first line: {first!r}")
    return Message(first.decode("latin-1"), [_field(line) for line in lines]), rest


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or _NAME.fullmatch(name) is None or _CONTROL.search(value):
        raise Malformed(f"bad field line: {line!r}")
    return name.decode(), value.strip(b" \t").decode("latin-1")


def _framed(message: Message) -> bool:
    lengths, codings = message.values("content-length"), message.values("transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise Malformed(f"framed more than once: {message}")
    if codings and codings != ["chunked"]:
        raise Malformed(f"a coding other than chunked: {message}")
    if lengths and not (lengths[0].isascii() and lengths[0].isdigit()):
        raise Malformed(f"a length that is no number: {message}")
    return bool(lengths or codings)


def _body(message: Message, data: bytes) -> tuple[Message, bytes]:
    lengths = message.values("content-length")
    if lengths:
        size = int(lengths[0])
        if len(data) < size:
            raise Unfinished
        return _with(message, data[:size]), data[size:]
    return _chunks(message, data)


def _chunks(message: Message, data: bytes) -> tuple[Message, bytes]:
    body = b""
    while True:
        size, data = _size(data)
        if size == 0:
            break
        if len(data) < size + 2:
            raise Unfinished
        if data[size : size + 2] != b"\r\n":
            raise Malformed(f"chunk data is not followed by CRLF: {data[size:]!r}")
        body, data = body + data[:size], data[size + 2 :]
    trailers: list[tuple[str, str]] = []
    while True:
        line, found, data = data.partition(b"\r\n")
        if not found:
            raise Unfinished
        if not line:
            return _with(message, body, trailers), data
        trailers.append(_field(line))


def _size(data: bytes) -> tuple[int, bytes]:
    line, found, rest = data.partition(b"\r\n")
    if not found:
        raise Unfinished
    if not line or line.strip(b"0123456789abcdef"):
        raise Malformed(f"bad chunk size: {line!r}")
    return int(line, 16), rest


def _with(message: Message, body: bytes, trailers: list[tuple[str, str]] | None = None) -> Message:
    return Message(message.start, message.fields, body, trailers or [], message.interim)
