"""Whether a stored answer may be used for a request, as it is, after validation, or not at all (RFC 9111 section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from plugins.cache.config import Config
from plugins.cache.directives import Directives, of_request
from plugins.cache.selecting import CODINGS, ENCODING, normalised, select
from plugins.cache.stored import MUST_REVALIDATE, NO_CACHE, Entry, Stored
from proxy.api import Headers, Request


class Use(Enum):
    """What is done with a request."""

    HIT = "hit"  # the stored answer is used
    STALE = "stale"  # it is used although it is stale, and refreshed in the background
    VALIDATE = "validate"  # the origin is asked whether it still holds
    MISS = "miss"  # there is none: the answer is fetched and stored
    ASIDE = "aside"  # the cache has nothing to do with it
    NOTHING = "nothing"  # the client wants a stored answer or none (only-if-cached)


class Verdict(NamedTuple):
    """What is done, and why.

    :ivar reason: for Cache-Status's `fwd` or `detail`, and for statistics.
    """

    use: Use
    reason: str
    stored: Stored | None = None


MISS = Verdict(Use.MISS, "uri-miss")
_VARY_MISS = Verdict(Use.MISS, "vary-miss")
_NOTHING = Verdict(Use.NOTHING, "only-if-cached")
_HARD = frozenset({"if-match", "if-unmodified-since"})
_NO_DIRECTIVES = Directives({})
_ASKS = frozenset({"cache-control", "pragma"})


def stands_aside(request: Request, config: Config) -> str:
    """Why the cache has nothing to do with a request; `""` when it has."""
    if request.method not in config.methods:
        return "method"
    if request.upgrade:
        return "upgrade"
    keys = request.headers.keys
    if config.bypass and any(name in keys for name in config.bypass):
        return "bypass"
    if not _HARD.isdisjoint(keys):
        return "request"  # conditions that are about the origin's state, not about a copy
    if request.method in ("GET", "HEAD") and request.body.data != b"":
        return "request"  # a body has no meaning there, and is not part of the key
    return ""


def asked(request: Request, config: Config) -> Directives:
    """The client's directives that count."""
    if _ASKS.isdisjoint(request.headers.keys):
        return _NO_DIRECTIVES
    told = of_request(request.headers)
    if config.ignore_client_no_cache and "only-if-cached" not in told:
        return _NO_DIRECTIVES
    return told


def judge(
    entry: Entry | None,
    request: Request,
    wants: Directives,
    now: float,
    config: Config,
    order: Sequence[str] = CODINGS,
) -> Verdict:
    """What is done with a request for which `entry` is stored.

    :param wants: what `asked` found.
    :param now: seconds since the epoch.
    :param order: codings, the most preferred first.
    """
    if "no-store" in wants and not config.ignore_client_no_cache:
        return Verdict(Use.ASIDE, "request")
    verdict = MISS if entry is None else _chosen(entry, request.headers, wants, now, config, order)
    if verdict.use in (Use.MISS, Use.VALIDATE) and "only-if-cached" in wants:
        return _NOTHING
    return verdict


def _chosen(
    entry: Entry, headers: Headers, wants: Directives, now: float, config: Config, order: Sequence[str]
) -> Verdict:
    stored = select(entry.variants, headers, order)
    if stored is None:
        return _VARY_MISS
    verdict = usable(stored, wants, now, config)
    if verdict.use is Use.VALIDATE and len(entry.variants) > 1:  # another one may be fresh
        fresh = [one for one in entry.variants if usable(one, wants, now, config).use is Use.HIT]
        other = select(fresh, headers, order)
        if other is not None:
            return Verdict(Use.HIT, "", other)
    return verdict


def varied(entry: Entry, headers: Headers) -> str:
    """The fields in which a request differs from the newest variant, where none suits it."""
    wanted = entry.variants[0].selecting
    return ",".join(name for name, value in wanted if normalised(name, headers) != value) or ENCODING


def usable(stored: Stored, wants: Directives, now: float, config: Config) -> Verdict:
    """Whether one stored answer that was selected may be used (RFC 9111 section 4.2.4, 5.2.1 and 5.2.2)."""
    left = stored.fresh_for(now)
    if stored.flags & NO_CACHE:
        return Verdict(Use.VALIDATE, "stale", stored)
    if wants and not config.ignore_client_no_cache:
        refused = _refused(stored, wants, left, now)
        if refused:
            return Verdict(Use.VALIDATE, refused, stored)
    if left > 0:
        return Verdict(Use.HIT, "", stored)
    if not stored.flags & MUST_REVALIDATE:
        if -left < stored.swr:
            return Verdict(Use.STALE, "stale", stored)
        if _bears(wants, -left):
            return Verdict(Use.HIT, "max-stale", stored)
    return Verdict(Use.VALIDATE, "stale", stored)


def _refused(stored: Stored, wants: Directives, left: int, now: float) -> str:
    """Whether a client wants a newer answer than the one stored."""
    if "no-cache" in wants:
        return "request"
    age = wants.seconds("max-age")
    older = stored.age_at(now) - (age or 0)
    if age is not None and (older > 0 or age == 0) and not _bears(wants, older):  # 0 is how browsers say no-cache
        return "request"
    fresh = wants.seconds("min-fresh")
    return "request" if fresh is not None and left < fresh else ""


def _bears(wants: Directives, staleness: int) -> bool:
    """Whether a client takes an answer that has been stale for so long (section 5.2.1.2)."""
    if "max-stale" not in wants:
        return False
    return wants.argument("max-stale") is None or staleness <= (wants.seconds("max-stale") or 0)


def serves_error(stored: Stored, wants: Directives, now: float) -> bool:
    """Whether a stale answer stands in for an error (RFC 5861 section 4, RFC 9111 section 4.2.4)."""
    if stored.flags & (MUST_REVALIDATE | NO_CACHE):
        return False
    allowed = wants.seconds("stale-if-error")
    return -stored.fresh_for(now) < max(stored.sie, allowed or 0)
