"""HTTP messages without I/O: what a hook reads and changes.

Field values and targets are `str` holding the latin-1 reading of the bytes on the wire, so that every byte survives
the way through. Names keep their case and order; look-ups ignore case (RFC 9110 section 5.1).
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from proxy.body import EMPTY, Body
from proxy.headers import Headers
from proxy.statuses import title

__all__ = ["EMPTY", "Body", "Duplex", "Headers", "Request", "Response"]


class Duplex(Protocol):
    """The bytes of a tunnel after a 101, one object for both directions. The engine passes them on; nobody reads them.

    :ivar protocol: what was switched to, such as `websocket`.
    """

    protocol: str

    def close(self) -> None:
        """End both directions at once. Safe to call twice."""

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when both directions have ended; at once if they have."""


class Request:
    """A request as hooks see it.

    :ivar method: upper-case method.
    :ivar scheme: `http` or `https`, as the client used it.
    :ivar host: Host or authority, with the port if one was given; `""` only for HTTP/1.0 without Host.
    :ivar target: origin-form target, byte for byte as received (`/path?query`), or `*` for OPTIONS.
    :ivar headers: fields without the hop-by-hop ones (RFC 9110 section 7.6.1).
    :ivar body: the body, never None.
    :ivar version: `"1.0"` or `"1.1"`.
    :ivar upgrade: the protocols that the client would switch to (RFC 9110 section 7.8), as in `websocket`; `""` for
        none. A hook that empties it makes an ordinary request of this one.
    """

    __slots__ = ("body", "headers", "host", "method", "scheme", "target", "upgrade", "version")

    def __init__(
        self,
        method: str,
        target: str,
        scheme: str = "http",
        host: str = "",
        headers: Headers | None = None,
        body: Body = EMPTY,
        version: str = "1.1",
    ) -> None:
        self.method = method
        self.scheme = scheme
        self.host = host
        self.target = target
        self.headers = Headers() if headers is None else headers
        self.body = body
        self.version = version
        self.upgrade = ""

    @property
    def path(self) -> str:
        """The target up to `?`, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target after the first `?`, still percent-encoded; empty when there is none."""
        return self.target.partition("?")[2]

    def copy(self) -> Request:
        """A copy with its own headers; the body is shared, since a stream can be read only once."""
        made = Request(
            self.method,
            self.target,
            scheme=self.scheme,
            host=self.host,
            headers=self.headers.copy(),
            body=self.body,
            version=self.version,
        )
        made.upgrade = self.upgrade
        return made

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.scheme}://{self.host}{self.target}>"


class Response:
    """An answer as hooks see it.

    :ivar status: status code, 100 to 599.
    :ivar headers: fields without framing and hop-by-hop ones: the engine frames what the body is.
    :ivar body: the body, never None.
    :ivar reason: reason phrase; empty means the standard one.
    :ivar tunnel: after a 101, the bytes both ways; else None.
    :raises TypeError: when the body is neither bytes nor a Body.
    """

    __slots__ = ("body", "headers", "reason", "status", "tunnel")

    def __init__(
        self,
        status: int,
        headers: Headers | Mapping[str, str] | None = None,
        body: Body | bytes = EMPTY,
        reason: str = "",
        tunnel: Duplex | None = None,
    ) -> None:
        self.status = status
        self.headers = headers if isinstance(headers, Headers) else Headers(headers or ())
        if not isinstance(body, Body):
            if not isinstance(body, bytes):  # said here, where whoever made it is to blame
                raise TypeError(f"a body is bytes or a Body, not {type(body).__name__}")
            body = Body(body)
        self.body = body
        self.reason = reason
        self.tunnel = tunnel

    @classmethod
    def text(cls, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
        """A plain-text answer in UTF-8."""
        return cls._typed(status, "text/plain; charset=utf-8", text.encode(), headers)

    @classmethod
    def html(cls, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
        """An HTML answer in UTF-8."""
        return cls._typed(status, "text/html; charset=utf-8", text.encode(), headers)

    @classmethod
    def json(cls, status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
        """A JSON answer (RFC 8259), compact."""
        data = jsonlib.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        return cls._typed(status, "application/json", data, headers)

    @classmethod
    def problem(cls, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
        """An error as `application/problem+json` (RFC 9457), which nobody stores unless `headers` says otherwise.

        :param more: further members.
        """
        members = {"type": "about:blank", "title": title(status), "status": status, "detail": detail, **more}
        fields = {"Content-Type": "application/problem+json", "Cache-Control": "no-store", **(headers or {})}
        return cls.json(status, members, fields)

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Response:
        """A redirect (RFC 9110 section 15.4) to `location`."""
        return cls(status, {"location": location})

    @classmethod
    def _typed(cls, status: int, kind: str, data: bytes, headers: Mapping[str, str] | None) -> Response:
        fields = Headers({"content-type": kind})
        for name, value in (headers or {}).items():
            fields[name] = value
        return cls(status, fields, Body(data))

    def close(self) -> None:
        """Let go of the body: what feeds it is stopped. Safe to call twice."""
        self.body.close()
        if self.tunnel is not None:
            self.tunnel.close()

    def __repr__(self) -> str:
        return f"<Response {self.status}>"
