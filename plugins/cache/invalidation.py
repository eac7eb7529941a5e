"""What a request that changes something makes invalid (RFC 9111 section 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from plugins.cache.keys import host_of
from proxy.api import Request, Response

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "QUERY", "REPORT", "SEARCH", "TRACE"})


def invalidates(request: Request, response: Response) -> bool:
    """Whether an answer tells that something was changed: an unsafe or unknown method, and no error."""
    return request.method not in _SAFE and 200 <= response.status < 400


def targets(request: Request, response: Response, scheme: str, host: str) -> Iterator[tuple[str, str]]:
    """The host and target of all that is invalid now: the request's own URL, and those of Location and
    Content-Location where they have the same origin.

    :param scheme: of the request, and `host` in its normal form, as `keys.origin_of` gives them.
    """
    yield host, request.target
    base = f"{scheme}://{host}{request.target}"
    for name in ("location", "content-location"):
        for value in response.headers.getall(name):
            found = _same_origin(base, value)
            if found is not None and found != (host, request.target):
                yield found


def _same_origin(base: str, reference: str) -> tuple[str, str] | None:
    try:
        here, there = urlsplit(base), urlsplit(urljoin(base, reference))
    except ValueError:
        return None
    host = host_of(there.scheme, there.netloc)
    if there.scheme != here.scheme or host != here.netloc:
        return None
    return host, f"{there.path or '/'}{f'?{there.query}' if there.query else ''}"
