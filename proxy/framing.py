"""How bodies stand on the wire (RFC 9112 sections 6 and 7), for both sides of the gateway, without I/O.

Two implementations that disagree about where a message ends are what request smuggling lives on. So this is the one
place that decides it: strictly, by the grammar, with a limit on everything that a peer could let grow, and with the
same outcome however the bytes are cut into reads. What was read is framed anew by a writer, never copied.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from proxy.fields import may_trail
from proxy.headers import Headers

_DIGITS = 18  # of a Content-Length: more than any body has, and still a machine word

_TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
_EXTENSION = rb"[ \t]*+;[ \t]*+" + _TCHAR + rb"++(?:[ \t]*+=[ \t]*+(?:" + _TCHAR + rb"++|" + _QUOTED + rb"))?"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:" + _EXTENSION + rb")*+\r\n")
_NEXT_CHUNK = re.compile(rb"\r\n([1-9A-Fa-f][0-9A-Fa-f]{0,15})\r\n")  # the ordinary way on, in one step instead of two
_FIELD_LINE = re.compile(rb"(" + _TCHAR + rb"++):[ \t]*+([\t\x20-\x7e\x80-\xff]*+)\r\n")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one chunked body may spend on things other than content.

    :ivar size_line: bytes of one chunk-size line, with its extensions and CRLF.
    :ivar extensions: bytes of all chunk extensions of one body.
    :ivar trailers: bytes of the trailer section.
    :ivar trailer_fields: fields in the trailer section.
    """

    size_line: int = 4096
    extensions: int = 16384
    trailers: int = 8192
    trailer_fields: int = 64


DEFAULT = Limits()


class FramingError(ValueError):
    """The body does not stand on the wire as RFC 9112 has it; the connection is of no further use.

    :ivar reason: one sentence for people, with the section.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Incomplete(FramingError):
    """The body ended before it was whole (RFC 9112 section 8)."""


class Reader(ABC):
    """Takes what a peer sends after the head and gives the content. Of no use after an error.

    :ivar size: the length in bytes when the head gave it, else None.
    :ivar done: whether the body is whole.
    :ivar rest: bytes that came after the end of the body: they belong to what follows on the connection.
    :ivar trailers: fields of the trailer section that may be passed on, or None; set when done.
    """

    __slots__ = ("done", "rest", "size", "trailers")

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.done = False
        self.rest = b""
        self.trailers: Headers | None = None

    @abstractmethod
    def feed(self, data: bytes) -> bytes:
        """The content bytes in `data`, decoded; may be empty.

        :raises FramingError: when the grammar or a limit is broken.
        """

    def eof(self) -> None:
        """The peer closed.

        :raises Incomplete: when the body is not whole.
        """
        if not self.done:
            raise Incomplete("the peer closed before the body was whole (RFC 9112 section 8)")


class LengthReader(Reader):
    """A body of `size` bytes, at least one (RFC 9112 section 6.2)."""

    __slots__ = ("_left",)

    def __init__(self, size: int) -> None:
        self.size = self._left = size
        self.done = False
        self.rest = b""
        self.trailers = None

    def feed(self, data: bytes) -> bytes:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return data
        return self._finish(data)

    def _finish(self, data: bytes) -> bytes:
        left, self._left = self._left, 0
        self.done = True
        if len(data) == left:
            return data
        self.rest += data[left:]
        return data[:left]


class CloseReader(Reader):
    """An answer whose end is the end of the connection (RFC 9112 section 6.3, rule 8)."""

    __slots__ = ()

    def feed(self, data: bytes) -> bytes:
        return data

    def eof(self) -> None:
        self.done = True


_SIZE, _DATA_END, _TRAILERS = range(3)  # which line comes next when no chunk data is due


class ChunkedReader(Reader):
    """A body in chunks (RFC 9112 section 7.1). Content is passed on as it arrives; only unfinished lines are held."""

    __slots__ = ("_extensions", "_fields", "_held", "_left", "_limits", "_next", "_trailing")

    def __init__(self, limits: Limits = DEFAULT) -> None:
        super().__init__(None)
        self._limits = limits
        self._left = 0  # of the current chunk's data
        self._next = _SIZE
        self._held = bytearray()  # a line whose end has not come
        self._extensions = 0
        self._trailing = 0
        self._fields = 0

    def feed(self, data: bytes) -> bytes:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return data
        return self._walk(data)

    def _walk(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self.done:
            if self._left:
                part = data[at : at + self._left]
                parts.append(part)
                at += len(part)
                self._left -= len(part)
                if not self._left and (match := _NEXT_CHUNK.match(data, at)):
                    at = match.end()
                    self._left = int(match[1], 16)
            else:
                at = self._line(data, at)
        self.rest += data[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _line(self, data: bytes, at: int) -> int:
        """Take the line that begins at `at`, or hold what there is of it; gives where to go on."""
        end = data.find(b"\n", at) + 1
        if not end:
            self._hold(data[at:])
            return len(data)
        line = data[at:end]
        if self._held:
            line = bytes(self._held) + line
            self._held.clear()
        self._take(line)
        return end

    def _hold(self, part: bytes) -> None:
        self._held += part
        self._bound(len(self._held))
        if self._next == _DATA_END and self._held != b"\r":
            raise FramingError("chunk data runs past its size (RFC 9112 section 7.1)")

    def _bound(self, length: int) -> None:
        if self._next == _SIZE and length > self._limits.size_line:
            raise FramingError("the chunk size line is too long (RFC 9112 section 7.1.1)")
        if self._next == _TRAILERS and self._trailing + length > self._limits.trailers:
            raise FramingError("the trailer section is too long (RFC 9112 section 7.1.2)")

    def _take(self, line: bytes) -> None:
        self._bound(len(line))
        if self._next == _SIZE:
            self._take_size(line)
        elif self._next == _TRAILERS:
            self._take_trailer(line)
        elif line == b"\r\n":
            self._next = _SIZE
        else:
            raise FramingError("chunk data runs past its size (RFC 9112 section 7.1)")

    def _take_size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise FramingError("bad chunk size or chunk extension (RFC 9112 section 7.1)")
        self._extensions += len(line) - match.end(1) - 2
        if self._extensions > self._limits.extensions:
            raise FramingError("too many bytes of chunk extensions (RFC 9112 section 7.1.1)")
        self._left = int(match[1], 16)
        self._next = _DATA_END if self._left else _TRAILERS

    def _take_trailer(self, line: bytes) -> None:
        self._trailing += len(line)
        if line == b"\r\n":
            self.done = True
            return
        self._fields += 1
        if self._fields > self._limits.trailer_fields:
            raise FramingError("too many trailer fields (RFC 9112 section 7.1.2)")
        match = _FIELD_LINE.fullmatch(line)
        if match is None:
            raise FramingError("bad trailer field (RFC 9112 sections 5 and 7.1.2)")
        self._keep_trailer(match[1].decode("ascii"), match[2].rstrip(b" \t").decode("latin-1"))

    def _keep_trailer(self, name: str, value: str) -> None:
        key = name.lower()
        if may_trail(key):
            if self.trailers is None:
                self.trailers = Headers()
            self.trailers.push(name, key, value)


class Writer(ABC):
    """Frames the content of one message that goes out."""

    __slots__ = ()

    @property
    def fields(self) -> tuple[str, str] | None:
        """The field (name, value) that tells the framing in the head, or None when closing ends the body."""
        return None

    @abstractmethod
    def frame(self, data: bytes) -> tuple[bytes, ...]:
        """The buffers to write for `data`, in order; the content is not copied.

        :raises FramingError: when more would go out than the head said.
        """

    @abstractmethod
    def end(self, trailers: Headers | None) -> bytes:
        """What closes the body, maybe nothing. Trailers go only where there are chunks (RFC 9110 section 6.5.1).

        :raises Incomplete: when less went out than the head said.
        """


class LengthWriter(Writer):
    """A body of `size` bytes."""

    __slots__ = ("_left", "_size")

    def __init__(self, size: int) -> None:
        self._size = self._left = size

    @property
    def fields(self) -> tuple[str, str]:
        return "Content-Length", str(self._size)

    def frame(self, data: bytes) -> tuple[bytes, ...]:
        left = self._left - len(data)
        if left < 0:
            raise FramingError("the body is longer than its Content-Length (RFC 9112 section 6.2)")
        self._left = left
        return (data,)

    def end(self, trailers: Headers | None) -> bytes:
        if self._left:
            raise Incomplete(f"the body is {self._left} bytes short of its Content-Length (RFC 9112 section 6.2)")
        return b""


class ChunkedWriter(Writer):
    """A body of unknown length for HTTP/1.1."""

    __slots__ = ()

    @property
    def fields(self) -> tuple[str, str]:
        return "Transfer-Encoding", "chunked"

    def frame(self, data: bytes) -> tuple[bytes, ...]:
        if not data:  # an empty chunk would end the body
            return ()
        return b"%x\r\n" % len(data), data, b"\r\n"

    def end(self, trailers: Headers | None) -> bytes:
        if trailers is None:
            return b"0\r\n\r\n"
        pairs = zip(trailers.keys, trailers.items(), strict=True)
        lines = "".join([f"{name}: {value}\r\n" for key, (name, value) in pairs if may_trail(key)])
        return b"0\r\n" + lines.encode("latin-1") + b"\r\n"


class CloseWriter(Writer):
    """A body of unknown length for HTTP/1.0: closing the connection ends it."""

    __slots__ = ()

    def frame(self, data: bytes) -> tuple[bytes, ...]:
        return (data,)

    def end(self, trailers: Headers | None) -> bytes:
        return b""


def request_reader(version: str, headers: Headers, limits: Limits = DEFAULT) -> Reader | None:
    """What reads the body of a request, or None when it has none (RFC 9112 section 6.3).

    :param version: `"1.0"` or `"1.1"`.
    :raises FramingError: when the head leaves any doubt about the body's length.
    """
    if "transfer-encoding" in headers.keys:
        return _coded(version, headers, limits)
    if "content-length" in headers.keys:
        return _measured(headers)
    return None


def response_reader(
    method: str, status: int, version: str, headers: Headers, limits: Limits = DEFAULT
) -> Reader | None:
    """What reads the body of the answer to a `method` request, or None when it has none (RFC 9112 section 6.3).

    The framing fields of an answer without a body are held to the same rules: HEAD and 304 pass their length on.

    :raises FramingError: when the head leaves any doubt about the body's length.
    """
    reader: Reader | None
    if "transfer-encoding" in headers.keys:
        reader = _coded(version, headers, limits)
    elif "content-length" in headers.keys:
        reader = _measured(headers)
    else:
        reader = CloseReader(None)
    return None if bodiless(method, status) else reader


BODILESS = frozenset({*range(100, 200), 204, 304})  # statuses whose answers have no content, and all answers to HEAD


def bodiless(method: str, status: int) -> bool:
    """Whether an answer has no content, whatever its fields say (RFC 9112 section 6.3, rule 1)."""
    return status in BODILESS or method == "HEAD"


def plain_length(value: bytes) -> int:
    """The number in a Content-Length that is digits and nothing else; -1 for what `response_reader` has to judge."""
    return int(value) if value.isdigit() and len(value) <= _DIGITS else -1


def writer(size: int | None, version: str) -> LengthWriter | ChunkedWriter | CloseWriter:
    """What frames a body of `size` bytes (None: unknown) for a peer that speaks `version` (`"1.0"` or `"1.1"`)."""
    if size is not None:
        return LengthWriter(size)
    return CloseWriter() if version == "1.0" else ChunkedWriter()


def _coded(version: str, headers: Headers, limits: Limits) -> ChunkedReader:
    if version == "1.0":
        raise FramingError("Transfer-Encoding in an HTTP/1.0 message (RFC 9112 section 6.1)")
    if "content-length" in headers.keys:
        raise FramingError("both Transfer-Encoding and Content-Length (RFC 9112 section 6.3, rule 3)")
    values = headers.getall("transfer-encoding")
    if len(values) > 1 or values[0].strip(" \t").lower() != "chunked":
        raise FramingError("a Transfer-Encoding other than one single chunked (RFC 9112 sections 6.1 and 6.3)")
    return ChunkedReader(limits)


def _measured(headers: Headers) -> LengthReader | None:
    if headers.keys.count("content-length") > 1:
        raise FramingError("more than one Content-Length (RFC 9112 section 6.3, rule 5)")
    value = headers.pairs[headers.keys.index("content-length")][1].strip(" \t")
    if not (value.isdecimal() and value.isascii() and len(value) <= _DIGITS):
        raise FramingError("a Content-Length that is not a decimal number (RFC 9112 section 6.3, rule 5)")
    size = int(value)
    return LengthReader(size) if size else None
