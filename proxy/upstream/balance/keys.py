"""What of a request is hashed: a field, a cookie, a query parameter, the client's address or the path."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from proxy.exchange import Exchange

Key = Callable[[Exchange], str]


def key_of(said: str) -> Key:
    """The function for `header:NAME`, `cookie:NAME`, `query:NAME`, `client` or `path`; it gives `""` for nothing.

    :raises ValueError: for anything else.
    """
    kind, _, name = said.partition(":")
    if said in _WHOLE:
        return _WHOLE[said]
    if kind not in _NAMED or not name:
        raise ValueError(f"nothing to hash by: {said!r}")
    read = _NAMED[kind]
    return lambda exchange: read(exchange, name)


def cookie(exchange: Exchange, name: str) -> str:
    """The value of a cookie, without quotes; `""` when the client sent none (RFC 6265 section 5.4)."""
    for field in exchange.request.headers.getall("cookie"):
        for pair in field.split(";"):
            key, _, value = pair.partition("=")
            if key.strip() == name:
                return value.strip().strip('"')
    return ""


def _header(exchange: Exchange, name: str) -> str:
    return exchange.request.headers.get(name) or ""


def _query(exchange: Exchange, name: str) -> str:
    query = exchange.request.target.partition("?")[2]
    return next((value for key, value in parse_qsl(query, keep_blank_values=True) if key == name), "")


_WHOLE: dict[str, Key] = {
    "client": lambda exchange: exchange.peer.host,
    "path": lambda exchange: exchange.request.target.partition("?")[0],
}
_NAMED: dict[str, Callable[[Exchange, str], str]] = {"header": _header, "cookie": cookie, "query": _query}
