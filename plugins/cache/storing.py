"""Which answers may be stored, and without which of their fields (RFC 9111 section 3)."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

from plugins.cache.config import Config
from plugins.cache.directives import OWN, TARGETED, Directives, cache_control
from plugins.cache.freshness import HEURISTIC, Lifetime
from plugins.cache.parsing import members
from proxy.api import Headers, Request, Response

_UNDERSTOOD = frozenset(status.value for status in HTTPStatus if status >= 200)
_PARTIAL = frozenset({206, 304, 416})  # parts, and what is said of one request's conditions: nobody else's answer

# Never with a stored answer: the connection's own, what is written anew, and what was said of another request
_UNSTORED = frozenset(
    {
        "age",
        "cache-status",
        "content-length",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-status",
        OWN,
    }
)

# Fields that make some origins answer another request than the one that the key tells of: a way to poison a cache
OVERRIDES = frozenset(
    {
        "front-end-https",
        "x-forwarded-method",
        "x-forwarded-path",
        "x-forwarded-protocol",
        "x-forwarded-uri",
        "x-host",
        "x-http-host-override",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-middleware-prefetch",
        "x-now-route-matches",
        "x-original-host",
        "x-original-url",
        "x-override-url",
        "x-rewrite-url",
        "x-url-scheme",
    }
)


def unkeyed(request: Request, config: Config) -> str:
    """The field by which a request may mean another one than its key tells; `""` for none."""
    keys = request.headers.keys
    if OVERRIDES.isdisjoint(keys):
        return ""
    return next((key for key in keys if key in OVERRIDES and key not in config.key.headers), "")


def at_sight(request: Request, response: Response, config: Config) -> str:
    """Why an answer is not stored, where that is plain at once: what `refusal` says, without reading its fields.

    Most answers that are not stored are plainly so, and go on as they came.

    :returns: `""` where it takes a closer look.
    """
    status = response.status
    if config.force_ttl is not None or config.statuses is not None or response.tunnel is not None or status in _PARTIAL:
        return ""
    fields = response.headers.picked(_SAYING)
    if not _TARGETED.isdisjoint(fields):
        return ""
    told = fields.get("cache-control")
    if told is not None:
        return _plainly(tuple(told))
    if _owned(request, config):
        return "authorization"
    if config.ttl is not None or len(fields) > 1 or "content-type" not in fields or _streams(fields["content-type"][0]):
        return ""
    return "no-freshness" if status in HEURISTIC else "status"


@lru_cache(maxsize=512)
def _plainly(values: tuple[str, ...]) -> str:
    told = cache_control(values)
    if "must-understand" in told:
        return ""
    return "no-store" if "no-store" in told else "private" if told.whole("private") else ""


_CREDENTIALS = frozenset({"authorization"})
_TARGETED = frozenset(TARGETED)
_SAYING = _TARGETED | {
    *("cache-control", "content-type", "etag", "expires", "last-modified", "set-cookie", "vary"),
}


def refusal(request: Request, response: Response, told: Directives, life: Lifetime, config: Config) -> str:
    """Why an answer is not stored; `""` when it may be.

    :param request: as it was sent.
    :param told: what `directives.of_response` found in the answer.
    """
    status, headers = response.status, response.headers
    if status in _PARTIAL or status < 200 or response.tunnel is not None:
        return "status" if status == 304 or status not in _PARTIAL else "partial"
    if config.statuses is not None and status not in config.statuses:
        return "status"
    if config.force_ttl is None:
        why = _forbidden(request, status, told, config) or _not_permitted(status, told, life)
        if why:
            return why
    elif _personal(request, told, config):
        return "authorization"
    return _unfit(headers, told, life, config)


def _forbidden(request: Request, status: int, told: Directives, config: Config) -> str:
    if "must-understand" in told:
        if status not in _UNDERSTOOD:
            return "must-understand"
    elif "no-store" in told:
        return "no-store"
    if told.whole("private"):
        return "private"
    return "authorization" if _personal(request, told, config) else ""


def _owned(request: Request, config: Config) -> bool:
    """Whether a request has credentials, and its answer would be for others, too: they are no part of the key."""
    return request.headers.any_of(_CREDENTIALS) and "authorization" not in config.key.headers


def _personal(request: Request, told: Directives, config: Config) -> bool:
    """Section 3.5: an answer to a request with credentials is its own client's, unless it says otherwise."""
    if not _owned(request, config):
        return False
    return not ("public" in told or "s-maxage" in told or "must-revalidate" in told)


def _not_permitted(status: int, told: Directives, life: Lifetime) -> str:
    if status in HEURISTIC or "public" in told or life.explicit or life.source == "ttl":
        return ""
    return "status"


def _unfit(headers: Headers, told: Directives, life: Lifetime, config: Config) -> str:
    """What this cache does not store although it could."""
    if "*" in members(headers.getall("vary")):
        return "vary-star"
    if config.set_cookie == "refuse" and "set-cookie" in headers and not _for_all(told, "set-cookie"):
        return "set-cookie"
    if _streams(headers.get("content-type") or ""):
        return "event-stream"
    useless = life.seconds <= 0 and not told.seconds("stale-while-revalidate") and not told.seconds("stale-if-error")
    if useless and "etag" not in headers and "last-modified" not in headers:
        return "no-freshness"
    return ""


def _streams(kind: str) -> bool:
    return kind.lower().startswith("text/event-stream")


def _for_all(told: Directives, name: str) -> bool:
    """Whether an answer is marked as everybody's although it has such a field, or is stored without it."""
    return "public" in told or "s-maxage" in told or name in told.fields("no-cache") | told.fields("private")


def kept_fields(headers: Headers, told: Directives, config: Config) -> list[tuple[str, str]]:
    """The fields that are stored (section 3.1): not those that the answer takes out of the cache by name.

    Cookies that come with a confirmation are for who asked, unless the answer is marked as everybody's.
    """
    left_out = _UNSTORED | told.fields("no-cache") | told.fields("private")
    if config.set_cookie == "refuse" and not _for_all(told, "set-cookie"):
        left_out |= {"set-cookie"}  # not Set-Cookie2, which no client reads any more
    return [pair for key, pair in zip(headers.keys, headers.pairs, strict=True) if key not in left_out]
