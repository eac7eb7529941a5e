"""An answer's head, from a Response to bytes."""

from __future__ import annotations

import re
from email.utils import formatdate
from functools import lru_cache
from typing import Protocol

from proxy.errors import MethodRefused
from proxy.framing import Writer
from proxy.headers import HOP_BY_HOP, Headers
from proxy.message import Response
from proxy.statuses import title

_OWN = HOP_BY_HOP | {"x-request-id"}
_UNPRINTABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


@lru_cache(maxsize=256)
def status_line(status: int, reason: str) -> bytes:
    """The status line (RFC 9112 section 4), always ours: HTTP/1.1."""
    phrase = _UNPRINTABLE.sub("", reason) or title(status)
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("latin-1")


class Dated(Protocol):
    """What knows the Date field."""

    def date(self) -> str:
        """For now."""
        ...


class Dates:
    """The Date field, made once a second (RFC 9110 section 6.6.1)."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def at(self, now: float) -> str:
        """IMF-fixdate of `now`, seconds since the epoch."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._text = formatdate(second, usegmt=True)
        return self._text


def strip(response: Response, keep_length: bool) -> None:
    """Take away framing, hop-by-hop fields and X-Request-ID that a plugin wrote: they are written anew."""
    if response.headers.marked:
        response.headers.remove_all(_OWN - {"content-length"} if keep_length else _OWN)


def framing_line(writer: Writer | None) -> str:
    """The line of the field that tells how a body is framed; empty when none does."""
    field = None if writer is None else writer.fields
    return "" if field is None else f"{field[0]}: {field[1]}\r\n"


def head(
    response: Response,
    framing: str,
    request_id: str,
    listener: Dated,
    connection: str,
) -> bytes:
    """The bytes of a final answer's head.

    :param framing: the framing field's line with its CRLF, or `""`.
    :param listener: gives the Date of an answer that has none.
    :param connection: value of Connection, or `""` for none.
    """
    headers = response.headers
    rest = framing if headers.has_date() else f"Date: {listener.date()}\r\n{framing}"
    if connection:
        rest = f"{rest}Connection: {connection}\r\n"
    start = status_line(response.status, response.reason)
    fields = headers.encode()
    last = f"{rest}Via: 1.1 passerelle\r\nX-Request-ID: {request_id}\r\n\r\n".encode("latin-1")
    return b"%b%b\r\n%b" % (start, fields, last) if fields else start + last


def interim(response: Response) -> bytes:
    """The bytes of an interim answer (1xx)."""
    fields = response.headers.encode()
    return status_line(response.status, response.reason) + (fields + b"\r\n\r\n" if fields else b"\r\n")


def options() -> Response:
    """What the gateway itself says to OPTIONS (RFC 9110 section 9.3.7): the methods that it passes on."""
    return Response(200, Headers(MethodRefused.fields))
