"""Validators, and conditional requests answered from a stored answer (RFC 9110 section 13, RFC 9111 section 4.3.2)."""

from __future__ import annotations

from plugins.cache.dates import read_date
from plugins.cache.parsing import members
from proxy.api import Headers

CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"})


def opaque(tag: str) -> str:
    """An entity tag without its mark of weakness, by which weak comparison goes (RFC 9110 section 8.8.3.2)."""
    return tag.removeprefix("W/")


def is_strong(tag: str) -> bool:
    """Whether it is a strong entity tag."""
    return len(tag) >= 2 and tag[0] == tag[-1] == '"'


def not_modified(wanted: Headers, stored: Headers, received: float) -> bool:
    """Whether a client's own condition is met by a stored 200, so that it gets a 304.

    :param wanted: the request's fields.
    :param received: when the stored answer came, which stands for a Last-Modified and a Date that it has not.
    """
    tags = wanted.getall("if-none-match")
    if tags:
        return _listed(tags, stored.get("etag"))
    since = wanted.get("if-modified-since")
    if since is None:
        return False
    asked = read_date(since, received)
    if asked is None:
        return False
    changed = stored.get("last-modified") or stored.get("date") or ""
    moment = read_date(changed, received)
    return (received if moment is None else moment) <= asked


def _listed(values: list[str], tag: str | None) -> bool:
    listed = members(values)
    if listed == ["*"]:
        return True
    return tag is not None and opaque(tag) in {opaque(one) for one in listed}


def range_holds(condition: str, stored: Headers, received: float) -> bool:
    """Whether If-Range lets a part of the stored answer be served (RFC 9110 section 13.1.5): only strong validators."""
    if condition.startswith(('"', "W/")):
        return is_strong(condition) and condition == stored.get("etag")
    changed = stored.get("last-modified")
    if changed is None or changed != condition:
        return False
    date, moment = read_date(stored.get("date") or "", received), read_date(changed, received)
    return date is not None and moment is not None and date - moment >= 1  # else it may have changed within the second


def validators(stored: Headers) -> list[tuple[str, str]]:
    """The fields that ask an origin whether a stored answer still holds (RFC 9111 section 4.3.1)."""
    found = []
    tag, changed = stored.get("etag"), stored.get("last-modified")
    if tag is not None:
        found.append(("If-None-Match", tag))
    if changed is not None:
        found.append(("If-Modified-Since", changed))
    return found
