"""What a field's name means to an intermediary, looked up once for each row of names as it comes from the parser.

Both sides ask here: front ends for requests, transports for answers. A peer sends the same names in the same order
again and again, so what they mean together is remembered: which fields are passed on, and where the others stand. The
memos are bounded, since names come from strangers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import itemgetter

from proxy.headers import HOP_BY_HOP, Headers, dashed
from proxy.rows import Rows

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PROTOCOL = re.compile(rf"{_NAME}(?:/{_NAME})?")
_MEMO_NAMES = 2048
_MEMO_LENGTH = 64  # bytes; longer names are not remembered

Fields = tuple[tuple[bytes, bytes], ...]


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
    **dict.fromkeys(HOP_BY_HOP, DROP),
    "connection": CONNECTION,
    "content-length": FRAMING,
    "proxy-connection": CONNECTION,  # no field of HTTP, but llhttp takes its word, and so must who shares a connection
    "te": TE,
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

_IN_PLACE = frozenset({PLAIN, DATE, HOST, DROP, UNDERSCORE})  # what a shape says all about

RESPONSE_KINDS: Mapping[str, int] = {**_HOP_BY_HOP_KINDS, "date": DATE, "te": DROP, "x-request-id": DROP}

# What a peer cannot have removed by naming it in Connection: who it is, what it may, and what caches are told.
_KEPT = frozenset({"authorization", "cache-control", "cookie", "host", "set-cookie", "via", "x-request-id"})

_HARMLESS = frozenset({"close", "keep-alive", "te", "upgrade"})  # options that name no field to be removed


# RFC 9110 section 6.5.1: what must not come after the content. A recipient that merges such a trailer into the head
# would be led astray about the message it has acted on already.
_LENGTHS = {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
_ROUTING = {"forwarded", "host", "http2-settings", "max-forwards", "via", "x-real-ip"}
_IDENTITY = {"authorization", "cookie", "set-cookie", "www-authenticate"}
_TIMES = {
    "age",
    "cache-control",
    "date",
    "expect",
    "expires",
    "location",
    "pragma",
    "retry-after",
    "vary",
    "warning",
}
_CODING = {"content-disposition", "content-encoding", "content-language", "content-location", "content-type"}
_RANGES = {"content-range", "range"}
_FORBIDDEN = frozenset(_LENGTHS | _ROUTING | _IDENTITY | _TIMES | _CODING | _RANGES)
_FORBIDDEN_FAMILIES = ("if-", "proxy-", "x-forwarded-")


def may_trail(key: str) -> bool:
    """Whether a field, by its lower-case name, may stand in a trailer section (RFC 9110 section 6.5.1)."""
    plain = dashed(key)  # what CGI-like servers cannot tell apart is refused alike
    return plain not in _FORBIDDEN and not plain.startswith(_FORBIDDEN_FAMILIES)


class Shape:
    """What the names of a head mean, whatever the values are.

    :ivar plain: takes the fields that are passed on out of a head's.
    :ivar host: where Host stands; -1 without one.
    :ivar dated: whether Date is among the fields that are passed on.
    :ivar length: where the only framing field stands, if that is a Content-Length; else -1.
    :ivar special: the others: kind, name, and where it stands.
    :ivar meant: those of them that do not frame: kind, and where it stands.
    """

    __slots__ = ("dated", "host", "length", "meant", "plain", "special")

    def __init__(self, names: tuple[bytes, ...], kinds: list[int]) -> None:
        self.plain = _taker([at for at, kind in enumerate(kinds) if kind in (PLAIN, DATE)])
        self.host = max((at for at, kind in enumerate(kinds) if kind == HOST), default=-1)
        self.dated = DATE in kinds
        self.special = tuple(
            (kind, names[at].decode("latin-1"), at) for at, kind in enumerate(kinds) if kind not in _IN_PLACE
        )
        self.meant = tuple((kind, at) for kind, _, at in self.special if kind != FRAMING)
        framing = [at for at, kind in enumerate(kinds) if kind == FRAMING]
        self.length = framing[0] if len(framing) == 1 and names[framing[0]].lower() == b"content-length" else -1


def _taker(places: list[int]) -> Callable[[Fields], Fields]:
    """What takes the fields at these places, in the cheapest way."""
    if not places:
        return itemgetter(slice(0))
    if places[-1] - places[0] == len(places) - 1:
        return itemgetter(slice(places[0], places[-1] + 1))
    return itemgetter(*places)


class Names:
    """Field names of one direction, from the parser's bytes to what they mean.

    :ivar kinds: what is known of names seen before.
    :ivar shapes: what rows of names mean together.

    :param kinds: the kinds of the names that are not plain.
    :param underscores: lower-case names with `_` that are passed on all the same; None passes all.
    """

    __slots__ = ("_special", "_underscores", "kinds", "shapes")

    def __init__(self, kinds: Mapping[str, int], underscores: frozenset[str] | None = None) -> None:
        self._special = kinds
        self._underscores = underscores
        self.kinds: dict[bytes, int] = {}
        self.shapes = Rows(self._shape)

    def kind(self, raw: bytes) -> int:
        """What one name means."""
        kind = self.kinds.get(raw)
        return self._learn(raw) if kind is None else kind

    def _shape(self, names: tuple[bytes, ...]) -> Shape:
        return Shape(names, [self.kind(name) for name in names])

    def _learn(self, raw: bytes) -> int:
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
