"""HTTP-date in its three forms, read strictly (RFC 9110 section 5.6.7).

A date that is nearly right is no date: for Expires that means the past, which is always safe.
"""

from __future__ import annotations

import re
from calendar import timegm
from email.utils import formatdate

_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: at for at, name in enumerate(_MONTH_NAMES, 1)}
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d):(?P<second>[0-5]\d|60)"
_SHORT = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG = "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_FORMS = (
    re.compile(rf"{_SHORT}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT"),
    re.compile(rf"{_LONG}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT"),
    re.compile(rf"{_SHORT} {_MONTH} (?P<day>\d\d| \d) {_TIME} (?P<year>\d{{4}})"),
)
_CENTURY = 100
_FUTURE = 50  # years that a two-digit year may lie ahead


def read_date(text: str, now: float) -> int | None:
    """Seconds since the epoch; None when it is no HTTP-date.

    :param now: seconds since the epoch, by which a two-digit year finds its century.
    """
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            return _seconds(found, now)
    return None


def _seconds(found: re.Match[str], now: float) -> int | None:
    day, hour, minute, second = (int(found[name]) for name in ("day", "hour", "minute", "second"))
    year = int(found["year"])
    if len(found["year"]) == 2:
        this = int(formatdate(now, usegmt=True).split()[3])
        year += this // _CENTURY * _CENTURY
        year -= _CENTURY if year > this + _FUTURE else 0
    if not 1 <= day <= 31 or year < 1:
        return None
    return timegm((year, _MONTHS[found["month"]], day, hour, minute, second))


def write_date(moment: float) -> str:
    """IMF-fixdate."""
    return formatdate(moment, usegmt=True)
