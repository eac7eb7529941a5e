"""How long an answer is fresh, and how old it is (RFC 9111 section 4.2)."""

from __future__ import annotations

from typing import NamedTuple

from plugins.cache.config import Config
from plugins.cache.dates import read_date
from plugins.cache.directives import Directives
from plugins.cache.parsing import MOST, members, seconds
from proxy.api import Headers

# RFC 9110 section 15.1, but for 206, whose parts are not put together here
HEURISTIC = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})

_SHARE = 10  # of the time since the last change, as section 4.2.2 has it
_LONGEST_GUESS = 86400


class Lifetime(NamedTuple):
    """A freshness lifetime.

    :ivar seconds: counted from the moment at which the origin made the answer.
    :ivar source: what told it: `force_ttl`, `s-maxage`, `max-age`, `expires`, `ttl`, `heuristic` or `none`.
    """

    seconds: int
    source: str

    @property
    def explicit(self) -> bool:
        """Whether the answer itself told it."""
        return self.source in ("s-maxage", "max-age", "expires")


NOTHING = Lifetime(0, "none")


def lifetime(status: int, headers: Headers, told: Directives, received: float, config: Config) -> Lifetime:
    """The freshness lifetime of an answer in a shared cache (section 4.2.1).

    :param told: what `directives.of_response` found in it.
    :param received: when its head came, seconds since the epoch.
    """
    if config.force_ttl is not None:
        return Lifetime(int(config.force_ttl), "force_ttl")
    for name in ("s-maxage", "max-age"):
        number = told.seconds(name)
        if number is not None:
            return Lifetime(number, name)
    if not told.targeted and "expires" in headers:
        return Lifetime(_until(headers, received), "expires")
    if status not in HEURISTIC and not _permitted(status, told, config):
        return NOTHING
    if config.ttl is not None:
        return Lifetime(int(config.ttl), "ttl")
    return _guessed(headers, received) if config.heuristic else NOTHING


def _permitted(status: int, told: Directives, config: Config) -> bool:
    """Whether an answer of an unusual status may be fresh for a time that it did not tell."""
    return "public" in told or (config.ttl is not None and config.statuses is not None and status in config.statuses)


def _until(headers: Headers, received: float) -> int:
    """Expires: two that differ, or one that is no date, are in the past (section 5.3)."""
    values = set(headers.getall("expires"))
    end = read_date(values.pop(), received) if len(values) == 1 else None
    if end is None:
        return 0
    return max(0, end - int(date_of(headers, received)))


def _guessed(headers: Headers, received: float) -> Lifetime:
    changed = read_date(headers.get("last-modified") or "", received)
    if changed is None:
        return NOTHING
    share = int(date_of(headers, received) - changed) // _SHARE
    return Lifetime(min(share, _LONGEST_GUESS), "heuristic") if share > 0 else NOTHING


def date_of(headers: Headers, received: float) -> float:
    """Date, or when the answer came if it has none that can be read (RFC 9110 section 6.6.1)."""
    date = read_date(headers.get("date") or "", received)
    return received if date is None else date


def initial_age(headers: Headers, requested: float, received: float) -> int:
    """The age that an answer had when it came: corrected_initial_age of section 4.2.3.

    :param requested: when it was asked for; both times in seconds since the epoch.
    :returns: at most `MOST`.
    """
    apparent = max(0, int(received - date_of(headers, received)))
    return min(MOST, max(apparent, _told_age(headers) + max(0, int(received - requested))))


def _told_age(headers: Headers) -> int:
    """Age; one that is not a single number counts as older than any lifetime.

    Section 5.1 would ignore it, as if the answer were new, although caches have had it for a time that they garble.
    Section 4.2.1 encourages to take unreadable freshness for staleness, and that is the safe side.
    """
    told = members(headers.getall("age"))
    if not told:
        return 0
    value = seconds(told[0]) if len(told) == 1 else None
    return MOST if value is None else value
