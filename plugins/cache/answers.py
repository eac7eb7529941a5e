"""From an answer to what is stored of it, and from what is stored to an answer (RFC 9111 sections 3 and 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from plugins.cache.conditions import not_modified, range_holds
from plugins.cache.config import Config
from plugins.cache.dates import write_date
from plugins.cache.directives import Directives
from plugins.cache.freshness import Lifetime, initial_age
from plugins.cache.parsing import members
from plugins.cache.ranges import Span, Unsatisfiable, span_of
from plugins.cache.selecting import selecting, vary_names
from plugins.cache.stored import DATED, MUST_REVALIDATE, NO_CACHE, Stored, variant_of
from plugins.cache.storing import kept_fields
from proxy.api import Body, Headers, Request, Response

_MOST_TAGS = 64
_PIECE = 65536  # bytes of a part that are copied at a time
_TAG_FIELDS = (("surrogate-key", " "), ("cache-tag", ","))

# RFC 9110 section 15.4.5: what a 304 tells of the answer that it stands for
_CONFIRMED = frozenset(
    {b"cache-control", b"content-location", b"date", b"etag", b"expires", b"last-modified", b"set-cookie", b"vary"}
)
# With these a cache in front, which does not know what was asked for, would have a 416 for everybody
_FRESHENING = frozenset({b"cache-control", b"expires"})


def store(
    request: Request,
    response: Response,
    told: Directives,
    life: Lifetime,
    times: tuple[float, float],
    config: Config,
) -> Stored:
    """What is stored of an answer, its body still to come.

    :param request: as the client sent it.
    :param times: when it was asked for and when its head came, seconds since the epoch.
    """
    headers = response.headers
    pairs = kept_fields(headers, told, config)
    if not headers.has_date():  # RFC 9110 section 6.6.1: when it came stands in its place
        pairs.append(("Date", write_date(times[1])))
    names = vary_names(headers)
    coding, flags = variant_of(headers, names)
    swr, sie = windows(told, config)
    return Stored(
        response.status,
        response.reason,
        tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs),
        b"",
        times[1],
        initial_age(headers, *times),
        life.seconds,
        swr,
        sie,
        selecting(request.headers, names),
        coding,
        flags | flags_of(told, config) | DATED,
        tags_of(headers),
    )


def flags_of(told: Directives, config: Config) -> int:
    """What an answer forbids about its use (RFC 9111 section 5.2.2)."""
    if config.force_ttl is not None:
        return 0
    strict = "must-revalidate" in told or "proxy-revalidate" in told or "s-maxage" in told
    return (NO_CACHE if told.whole("no-cache") else 0) | (MUST_REVALIDATE if strict else 0)


def windows(told: Directives, config: Config) -> tuple[int, int]:
    """Seconds for which it may be used stale: while it is validated, and when that fails (RFC 5861)."""
    grace = int(config.grace)
    during, failed = told.seconds("stale-while-revalidate"), told.seconds("stale-if-error")
    return (grace if during is None else during), (grace if failed is None else failed)


def tags_of(headers: Headers) -> tuple[str, ...]:
    """The tags by which an answer can be purged: Surrogate-Key, parted by spaces, and Cache-Tag, by commas."""
    found: dict[str, None] = {}
    for name, mark in _TAG_FIELDS:
        for value in headers.getall(name):
            found.update(dict.fromkeys(value.split() if mark == " " else members([value])))
    return tuple(found)[:_MOST_TAGS]


def answer(stored: Stored, request: Request, now: float, mark: str) -> Response:
    """The answer to a client from what is stored: whole, in part, or a confirmation of what it has.

    :param mark: value of Cache-Status; `""` for none.
    """
    age = stored.age_at(now)
    if stored.status == 200 and not _PLAIN.isdisjoint(request.headers.keys):
        special = _special(stored, request, age, mark)
        if special is not None:
            return special
    return Response(stored.status, head(stored, age, mark), stored.body, reason=stored.reason)


_PLAIN = frozenset({"if-none-match", "if-modified-since", "range"})


def head(stored: Stored, age: int, mark: str, fields: list[tuple[bytes, bytes]] | None = None) -> Headers:
    """The fields of an answer from the cache: those stored, Age (RFC 9111 section 5.1) and Cache-Status."""
    wire = list(stored.fields) if fields is None else fields
    wire.append((b"Age", b"%d" % age))
    if mark:
        wire.append((b"Cache-Status", mark.encode("latin-1")))
    return Headers.unread(wire, bool(stored.flags & DATED))


def _special(stored: Stored, request: Request, age: int, mark: str) -> Response | None:
    wanted = request.headers
    if not_modified(wanted, stored.headers, stored.received):
        return Response(304, head(stored, age, mark, _confirmation(stored)))
    value = wanted.get("range")
    if value is None or request.method != "GET":
        return None
    condition = wanted.get("if-range")
    if condition is not None and not range_holds(condition, stored.headers, stored.received):
        return None
    size = len(stored.body)
    try:
        span = span_of(value, size)
    except Unsatisfiable:
        lasting = (one for one in _confirmation(stored) if one[0].lower() not in _FRESHENING)
        told = [*lasting, (b"Content-Range", b"bytes */%d" % size)]
        return Response(416, head(stored, age, mark, told))
    return None if span is None else _part(stored, span, age, mark)


def _confirmation(stored: Stored) -> list[tuple[bytes, bytes]]:
    return [one for one in stored.fields if one[0].lower() in _CONFIRMED]


def _part(stored: Stored, span: Span, age: int, mark: str) -> Response:
    """A 206 (RFC 9110 section 15.3.7)."""
    told = b"bytes %d-%d/%d" % (span.first, span.end - 1, len(stored.body))
    fields = [*stored.fields, (b"Content-Range", told)]
    return Response(206, head(stored, age, mark, fields), _cut(stored.body, span.first, span.end))


def _cut(whole: bytes, first: int, end: int) -> Body:
    """A part, of which no more is copied than leaves at once: a slow reader would hold as much as the whole."""
    if end - first <= _PIECE:
        return Body(whole[first:end])
    return Body.of(_pieces(whole, first, end), end - first)


async def _pieces(whole: bytes, first: int, end: int) -> AsyncIterator[bytes]:
    for at in range(first, end, _PIECE):
        yield whole[at : min(at + _PIECE, end)]
