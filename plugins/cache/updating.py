"""What a 304 and the answer to a HEAD change of what is stored (RFC 9111 sections 3.2, 4.3.4 and 4.3.5)."""

from __future__ import annotations

from dataclasses import replace

from plugins.cache.answers import flags_of, tags_of, windows
from plugins.cache.conditions import is_strong, opaque
from plugins.cache.config import Config
from plugins.cache.directives import of_response
from plugins.cache.freshness import initial_age, lifetime
from plugins.cache.stored import DATED, SOFT, Stored
from plugins.cache.storing import kept_fields, refusal
from proxy.api import Headers, Request, Response

# What tells how the stored bytes are to be read, which a 304 cannot change
_OF_CONTENT = frozenset(
    {"content-digest", "content-encoding", "content-length", "content-md5", "content-range", "vary"}
)


def confirms(stored: Stored, headers: Headers) -> bool:
    """Whether a 304 is about this stored answer (section 4.3.4): a validator that it brings must be the same."""
    tag = headers.get("etag")
    if tag is not None:
        own = stored.headers.get("etag")
        if own is None:
            return False
        return own == tag if is_strong(tag) else opaque(own) == opaque(tag)
    changed = headers.get("last-modified")
    own = stored.headers.get("last-modified")
    return changed is None or own is None or changed == own


def freshened(stored: Stored, response: Response, times: tuple[float, float], config: Config) -> Stored:
    """The stored answer with the fields of a newer one that has no body."""
    received = times[1]
    merged = _merged(stored.headers, response.headers)
    told = of_response(merged)
    kept = kept_fields(merged, told, config)
    swr, sie = windows(told, config)
    flags = stored.flags & ~(SOFT | DATED | 3)
    return replace(
        stored,
        fields=tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in kept),
        received=received,
        age=initial_age(_timed(merged, response.headers), *times),
        lifetime=lifetime(stored.status, merged, told, received, config).seconds,
        swr=swr,
        sie=sie,
        flags=flags | flags_of(told, config) | (DATED if merged.has_date() else 0),
        tags=tags_of(merged),
        memo={},
    )


def _merged(old: Headers, new: Headers) -> Headers:
    """The old fields, each in the form that the new answer gives it (section 3.2)."""
    names = {key for key in new.keys if key not in _OF_CONTENT}
    merged = Headers([pair for key, pair in zip(old.keys, old.pairs, strict=True) if key not in names])
    for key, (name, value) in zip(new.keys, new.pairs, strict=True):
        if key in names:
            merged.add(name, value)
    return merged


def _timed(merged: Headers, new: Headers) -> Headers:
    """The fields that tell the age of a confirmation: its own, since the old Date and Age are of another moment."""
    if "date" in new.keys:
        return merged
    timed = merged.copy()
    timed.remove("date")
    return timed


def withdrawn(stored: Stored, request: Request, config: Config) -> bool:
    """Whether what a confirmation has made of a stored answer may not be stored any more, since it is private now."""
    told = of_response(stored.headers)
    life = lifetime(stored.status, stored.headers, told, stored.received, config)
    return bool(refusal(request, Response(stored.status, stored.headers), told, life, config))


def agrees(stored: Stored, response: Response) -> bool:
    """Whether the answer to a HEAD is about the stored answer (section 4.3.5): same validators, same length."""
    for name in ("etag", "last-modified"):
        value = response.headers.get(name)
        if value is not None and value != stored.headers.get(name):
            return False
    length = response.headers.get("content-length")
    return response.status == stored.status and (length is None or length == str(len(stored.body)))
