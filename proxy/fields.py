"""What a field's name means to an intermediary, looked up once for each name as it comes from the parser.

Both sides ask here: front ends for requests, transports for answers. A memo turns raw bytes into the name, its
lower-case key and its kind; it is bounded, since names come from strangers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from proxy.headers import Headers, dashed

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PROTOCOL = re.compile(rf"{_NAME}(?:/{_NAME})?")
_MEMO_NAMES = 2048
_MEMO_LENGTH = 64  # bytes; longer names are not remembered


# How the reading side treats a field. Plain integers, since they are compared for each field of each message.
PLAIN = 0
DROP = 1  # hop-by-hop, with no meaning here (RFC 9110 section 7.6.1)
CONNECTION = 2
FRAMING = 3
HOST = 4
TE = 5
UPGRADE = 6
FORWARDED = 7  # who the client is: believed only from a trusted peer
EXPECT = 8
REQUEST_ID = 9
VIA = 10
DATE = 12  # passed on, and noted
MAX_FORWARDS = 13  # how many more may pass on OPTIONS (RFC 9110 section 7.6.2)
TRACE = 14  # of which trace it is (W3C Trace Context)
UNDERSCORE = 11  # `X_Forwarded_For`, `X.Forwarded.For` and `X-Forwarded-For` are one name to CGI: dropped


_HOP_BY_HOP_KINDS = {
    "connection": CONNECTION,
    "content-length": FRAMING,
    "http2-settings": DROP,
    "keep-alive": DROP,
    "proxy-authenticate": DROP,
    "proxy-authorization": DROP,
    "proxy-connection": CONNECTION,  # no field of HTTP, but llhttp takes its word, and so must who shares a connection
    "te": TE,
    "trailer": DROP,
    "transfer-encoding": FRAMING,
    "upgrade": UPGRADE,
}

REQUEST_KINDS: Mapping[str, int] = {
    **_HOP_BY_HOP_KINDS,
    "expect": EXPECT,
    "forwarded": FORWARDED,
    "host": HOST,
    "max-forwards": MAX_FORWARDS,
    "traceparent": TRACE,
    "tracestate": TRACE,
    "via": VIA,
    "x-forwarded-for": FORWARDED,
    "x-forwarded-host": FORWARDED,
    "x-forwarded-port": FORWARDED,
    "x-forwarded-prefix": FORWARDED,
    "x-forwarded-proto": FORWARDED,
    "x-forwarded-scheme": FORWARDED,
    "x-forwarded-server": FORWARDED,
    "x-forwarded-ssl": FORWARDED,
    "x-real-ip": FORWARDED,
    "x-request-id": REQUEST_ID,
}

UNTRACED_KINDS: Mapping[str, int] = {name: kind for name, kind in REQUEST_KINDS.items() if kind != TRACE}

RESPONSE_KINDS: Mapping[str, int] = {**_HOP_BY_HOP_KINDS, "date": DATE, "te": DROP, "x-request-id": DROP}

# What a peer cannot have removed by naming it in Connection: who it is, what it may, and what caches are told.
_KEPT = frozenset({"authorization", "cache-control", "cookie", "host", "set-cookie", "via", "x-request-id"})

_HARMLESS = frozenset({"close", "keep-alive", "te", "upgrade"})  # options that name no field to be removed


class Names:
    """Field names of one direction, from the parser's bytes to their kind.

    :ivar kinds: what is known of names seen before.

    :param kinds: the kinds of the names that are not plain.
    :param underscores: lower-case names with `_` that are passed on all the same; None passes all.
    """

    __slots__ = ("_special", "_underscores", "kinds")

    def __init__(self, kinds: Mapping[str, int], underscores: frozenset[str] | None = None) -> None:
        self._special = kinds
        self._underscores = underscores
        self.kinds: dict[bytes, int] = {}

    def learn(self, raw: bytes) -> int:
        """The kind of a name that is not in `kinds` yet."""
        key = raw.decode("latin-1").lower()
        kind = self._special.get(key, PLAIN)
        odd = "_" in key or (kind == PLAIN and dashed(key) in self._special)
        if odd and self._underscores is not None and key not in self._underscores:
            kind = UNDERSCORE
        if len(raw) <= _MEMO_LENGTH:
            if len(self.kinds) >= _MEMO_NAMES:
                self.kinds.clear()
            self.kinds[raw] = kind
        return kind


def connection_options(values: list[str]) -> set[str]:
    """The lower-case options of Connection (RFC 9110 section 7.6.1)."""
    return {option.strip(" \t").lower() for value in values for option in value.split(",")} - {""}


# What a client cannot switch to here, because more requests would follow, past every route and plugin (h2c smuggling).
_HTTP_ITSELF = frozenset({"h2", "h2c", "http", "tls"})


def protocols(value: str) -> list[str]:
    """The protocols of Upgrade that may be passed on (RFC 9110 section 7.8), in order and with their case."""
    named = [protocol.strip() for protocol in value.split(",")]
    return [one for one in named if _PROTOCOL.fullmatch(one) and one.partition("/")[0].lower() not in _HTTP_ITSELF]


def remove_named(headers: Headers, options: set[str]) -> None:
    """Take away the fields that Connection names, but for those that are no peer's to remove."""
    named = {
        name for name in options - _HARMLESS - _KEPT if not name.startswith("x-forwarded-") and name != "x-real-ip"
    }
    if named:
        headers.remove_all(named)
