"""What a line of the access log says, and how: as JSON or as combined text.

Whatever came from outside is made harmless here. Nothing that a client sends can end a line or begin one, since every
control byte, quote and byte beyond ASCII is written as an escape; and what is known to be secret is masked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring_ascii as quoted
from typing import TypeAlias
from urllib.parse import unquote_plus

from proxy.api import MASK, Exchange, Headers, Key, is_secret_field

SENT: Key[tuple[str, str, str]] = Key("access_log.sent")  # method, host and target, before later hooks changed them
TRIED: Key[float] = Key("access_log.tried")  # clock reading at the beginning of the last try

# (exchange, status, seconds since the epoch)
Line: TypeAlias = Callable[[Exchange, int, float], bytes]

_PARAMETER = re.compile(r"(?<=[?&;#])([^&;?#=]+)=[^&;?#]*")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_UNSAFE = re.compile(r"[^ !#-\[\]-~]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Mask:
    """Takes the values of secret query parameters out of targets and references.

    :param parameters: their names, in whatever case.
    """

    def __init__(self, parameters: Iterable[str]) -> None:
        self._names = frozenset(name.lower() for name in parameters)
        names = "|".join(map(re.escape, self._names)) or r"(?!)"
        self._suspect = re.compile(rf"[?&;#](?:[^&;?#=]*[%+]|(?:{names})=)", re.IGNORECASE).search

    def __call__(self, text: str) -> str:
        """The text with these values masked; also where the name is percent-encoded."""
        return text if "=" not in text or self._suspect(text) is None else _PARAMETER.sub(self._pair, text)

    def _pair(self, match: re.Match[str]) -> str:
        name: str = match[1]
        plain = unquote_plus(name) if "%" in name or "+" in name else name
        return f"{name}={MASK}" if plain.strip().lower() in self._names else match[0]


class Fields:
    """Header fields that are logged by name.

    :param named: names of further fields whose values are masked.
    """

    def __init__(self, names: Iterable[str], named: Iterable[str], mask: Mask) -> None:
        secret = {name.lower() for name in named}
        keys = list(dict.fromkeys(name.lower() for name in names))
        self._fields = [(key, f"{quoted(key)}:", key in secret or is_secret_field(key)) for key in keys]
        self._mask = mask

    def values(self, headers: Headers) -> list[str]:
        """The value of each as it may be shown, in order; `""` of those that are not there."""
        return [self._shown(headers.getall(key), secret) for key, _, secret in self._fields]

    def json(self, headers: Headers) -> str:
        """Those that are there as a JSON object."""
        known = zip(self._fields, self.values(headers), strict=True)
        return "{" + ",".join([label + _json(value) for (_, label, _), value in known if value]) + "}"

    def _shown(self, values: list[str], secret: bool) -> str:
        if not values:
            return ""
        return MASK if secret else self._mask(values[0] if len(values) == 1 else ", ".join(values))


def trace_id(headers: Headers) -> str:
    """The trace that a request belongs to (W3C Trace Context section 3.2), `""` without a valid one."""
    values = headers.getall("traceparent")
    if len(values) != 1:
        return ""
    value = values[0]
    match = _TRACEPARENT.match(value)
    if match is None:
        return ""
    rest = value[match.end() :]
    return match[1] if not rest or (rest[0] == "-" and value[:2] != "00") else ""


def json_line(mask: Mask, request: Fields | None, response: Fields | None) -> Line:
    """Lines of JSON (RFC 8259), in ASCII."""
    stamp = Stamp(lambda at: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)))

    def line(x: Exchange, status: int, now: float) -> bytes:
        method, host, target = sent(x)
        endpoint, error, ended = x.endpoint, x.error, x.finished
        text = (
            f'{{"ts":"{stamp(now)}.{int(now % 1 * 1000):03d}Z","request_id":{_json(x.id)},'
            f'"trace_id":{_or_null(trace_id(x.request.headers))},"client":{_or_null(x.peer.host)},'
            f'"method":{_or_null(method)},"host":{_or_null(host)},"target":{_or_null(mask(target))},'
            f'"protocol":{_or_null(method and f"HTTP/{x.request.version}")},"status":{status},'
            f'"bytes_in":{x.bytes_in},"bytes_out":{x.bytes_out},"duration_ms":{(ended - x.started) * 1000:.3f},'
            f'"first_byte_ms":{_since(x.started, x.first_byte)},"upstream":{_or_null(x.upstream)},'
            f'"endpoint":{_or_null("" if endpoint is None else endpoint.url)},'
            f'"upstream_status":{x.upstream_status or "null"},'
            f'"upstream_ms":{_since(x.get(TRIED), x.first_byte or ended)},"attempts":{x.attempts},'
            f'"cache":{_or_null(x.cache)},'
            f'"route":{_or_null(x.route)},"reason":{_or_null("" if error is None else error.code)},'
            f'"revision":{_or_null(x.revision)}'
        )
        if request is not None:
            text = f'{text},"request":{request.json(x.request.headers)}'
        if response is not None:
            text = f'{text},"response":{response.json(Headers() if x.response is None else x.response.headers)}'
        return (text.replace("\x7f", "\\u007f") + "}\n").encode("ascii")

    return line


def combined_line(mask: Mask, named: Iterable[str]) -> Line:
    """Lines of the combined format, as web servers have long written them."""
    stamp = Stamp(_day_and_time)
    fields = Fields(("referer", "user-agent"), named, mask)

    def line(x: Exchange, status: int, now: float) -> bytes:
        method, _, target = sent(x)
        asked = f"{_plain(method)} {_plain(mask(target))} HTTP/{x.request.version}" if method else "-"
        referer, agent = fields.values(x.request.headers)
        return (
            f'{_plain(x.peer.host) or "-"} - - [{stamp(now)}] "{asked}" {status} {x.bytes_out} '
            f'"{_plain(referer) or "-"}" "{_plain(agent) or "-"}"\n'
        ).encode("ascii")

    return line


class Stamp:
    """Writes a time of day; the same text for a whole second."""

    def __init__(self, write: Callable[[int], str]) -> None:
        self._write = write
        self._second = -1
        self._text = ""

    def __call__(self, now: float) -> str:
        second = int(now)
        if second != self._second:
            self._second, self._text = second, self._write(second)
        return self._text


def sent(x: Exchange) -> tuple[str, str, str]:
    """Method, host and target; empty when the head could not be read, of which nothing is known."""
    request = x.request
    return x.get(SENT) or ((request.method, request.host, request.target) if len(request.headers) else ("", "", ""))


def _day_and_time(at: int) -> str:
    when = time.gmtime(at)
    return time.strftime(f"%d/{_MONTHS[when.tm_mon - 1]}/%Y:%H:%M:%S +0000", when)


def _since(begin: float | None, end: float) -> str:
    """Milliseconds between two readings, where both were taken."""
    return f"{(end - begin) * 1000:.3f}" if begin and end else "null"


def _or_null(text: str) -> str:
    return _json(text) if text else "null"


def _json(text: str) -> str:
    """A JSON string. Bytes that are UTF-8 are read as such; what is none stays visible as `\\xff`."""
    if not text.isascii():
        text = text.encode("latin-1", "backslashreplace").decode("utf-8", "backslashreplace")
    return quoted(text)


def _plain(text: str) -> str:
    """Text between quotes: quotes, backslashes, control bytes and what is beyond ASCII become `\\x22`."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in match[0].encode("latin-1", "replace"))
