"""Cache keys: `SCHEME://HOST/TARGET ROUTE EXTRAS`.

The URL comes first, so that a prefix of it purges; a space parts it from what follows, since no target holds one. The
route is part of the key, for another route may lead to another upstream by a field that only it looks at.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b, sha256
from urllib.parse import quote

from plugins.cache.config import Allow, Config, Deny, KeyParts
from proxy.api import Headers, Request, is_secret_field

_IN_HOST = "!$&'()*+,;=%~:[]"
_SECRET_TOO = re.compile(r"auth|key")  # rather too many: a digest costs an operator little
_PORTS = {"http": ":80", "https": ":443"}


def key_of(request: Request, route: str, config: Config, body: bytes = b"", *, trusted: bool = False) -> str:
    """The key of a request.

    :param body: of a request whose method has one, for example a POST that only reads.
    :param trusted: whether it came from a trusted proxy, whose word for scheme and host the upstream goes by.
    """
    key = config.key
    url = url_of(request, key, trusted=trusted)
    if key.headers or key.cookies or trusted or request.method not in ("GET", "HEAD"):
        return f"{url} {route} {_extras(request, key, body, trusted)}"
    return f"{url} {route} "


def url_of(request: Request, key: KeyParts, *, trusted: bool = False) -> str:
    """The part of the key that is the URL."""
    scheme, host = origin_of(request, trusted=trusted)
    return spelt(scheme, host, request.target, key)


def spelt(scheme: str, host: str, target: str, key: KeyParts) -> str:
    """A URL as it stands in the keys of a route.

    :param host: in its normal form, as `host_of` gives it.
    """
    kept = target if key.query == "all" else _target(target, key)
    return f"{scheme}://{host if key.host else '*'}{kept}"


def origin_of(request: Request, *, trusted: bool) -> tuple[str, str]:
    """Scheme and host of a request, as the upstream is told of them: answers may be made of either."""
    scheme, host = request.scheme, request.host
    if trusted:
        proto, named = request.headers.getall("x-forwarded-proto"), request.headers.getall("x-forwarded-host")
        scheme = proto[-1].lower() if proto and proto[-1].lower() in _PORTS else scheme
        host = quote(named[-1], safe=_IN_HOST, encoding="latin-1", errors="replace") if named else host
    return scheme, host_of(scheme, host)


def host_of(scheme: str, host: str) -> str:
    """The authority in its normal form (RFC 9110 section 4.2.3)."""
    return host.lower().removesuffix(_PORTS.get(scheme, ""))


def _target(target: str, key: KeyParts) -> str:
    path, _, query = target.partition("?")
    how = key.query
    if how == "none" or not query:
        return path
    pairs = query.split("&")
    if how == "sorted":
        pairs = sorted(pairs)
    elif isinstance(how, Allow):
        pairs = sorted(pair for pair in pairs if pair.partition("=")[0] in how.allow)
    elif isinstance(how, Deny):
        pairs = [pair for pair in pairs if pair.partition("=")[0] not in how.deny]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def _extras(request: Request, key: KeyParts, body: bytes, trusted: bool) -> str:
    """Everything else, each part escaped so that no value can be taken for another part."""
    headers = request.headers
    parts = [f"h:{name}={_told(name, headers)}" for name in key.headers if name in headers.keys]
    if trusted:
        parts += [f"p:{_text(value)}" for value in headers.getall("x-forwarded-prefix")]
    if key.cookies:
        given = cookies(headers)
        parts += [f"c:{_text(name)}={_digest(given[name])}" for name in key.cookies if name in given]
    if request.method not in ("GET", "HEAD"):
        kind = headers.get("content-type") or ""
        parts.append(f"{request.method}:{_text(kind)}:{sha256(body).hexdigest()}")
    return "&".join(parts)


def _told(name: str, headers: Headers) -> str:
    """What a field adds to a key: keys lie in Redis and are shown to operators, so no credential may stand in one."""
    value = ",".join(headers.getall(name))
    return _digest(value) if is_secret(name) else _text(value)


@lru_cache(256)
def is_secret(name: str) -> bool:
    """Whether the value of a field is likely to be a credential, judged by its lower-case name."""
    return _SECRET_TOO.search(name) is not None or is_secret_field(name)


def _digest(value: str) -> str:
    return blake2b(value.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _text(value: str) -> str:
    return quote(value, safe="", encoding="latin-1", errors="replace")


def cookies(headers: Headers) -> dict[str, str]:
    """A request's cookies by name (RFC 6265 section 4.2.1); the first of a name counts."""
    found: dict[str, str] = {}
    for line in headers.getall("cookie"):
        for pair in line.split(";"):
            name, equals, value = pair.strip().partition("=")
            if equals:
                found.setdefault(name, value)
    return found


def url_tag(url: str) -> str:
    """The tag that all entries of a URL have, whatever their route and extras.

    :param url: as it stands in keys; a whole key will do.
    """
    return f"url:{blake2b(url.partition(' ')[0].encode('utf-8', 'surrogateescape'), digest_size=12).hexdigest()}"
