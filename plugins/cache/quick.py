"""The shortest way to a hit: for requests whose fields say nothing to a cache, which are nearly all.

Their fields stay the bytes that they came as. What was chosen for a spelling of Accept-Encoding is remembered with the
entry, and the bytes of an answer's head with the answer, for the second in which its Age stays the same. Whatever is
out of the ordinary takes the long way, so that no rule is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from plugins.cache import marks
from plugins.cache.answers import head
from plugins.cache.config import Config
from plugins.cache.keys import key_of, origin_of
from plugins.cache.recoding import Recoding
from plugins.cache.selecting import CODINGS, ENCODING, select
from plugins.cache.shelf import Shelf
from plugins.cache.stored import NO_CACHE, Entry, Stored
from plugins.cache.storing import OVERRIDES
from proxy.api import Body, Exchange, Headers, Rendered, Request, Response

_MUTE, _CODING, _TELLS = object(), object(), object()
_NAMES = 1024  # of fields whose kind is remembered, and of hosts
_CHOICES = 64  # remembered with an entry
_TELLING = frozenset(
    {
        "cache-control",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "pragma",
        "range",
        "surrogate-capability",
    }
)

_BODILESS = frozenset({"GET", "HEAD"})
_UNKNOWN = object()


class Quick:
    """Answers what is fresh, and leaves everything else alone.

    :ivar able: whether keys are made of the URL alone, so that it can know them.
    """

    def __init__(self, config: Config) -> None:
        self.able = not config.key.headers and not config.key.cookies
        self._methods = _BODILESS & frozenset(config.methods)
        self._config = config
        self._telling = _TELLING | OVERRIDES | set(config.bypass)
        self._plain = config.key.query == "all" and config.key.host
        self._kinds: dict[bytes | str, object] = {}
        self._origins: dict[tuple[str, str], str] = {}

    def answer(self, x: Exchange, shelf: Shelf, recoding: Recoding) -> Response | str | None:
        """The stored answer.

        :returns: where it takes more than this to find one, the key, when the request says nothing to a cache and
            memory has nothing that could be used at once; None when nothing is known of it.
        """
        request = x.request
        if not self.able or request.method not in self._methods or request.body.data != b"" or request.upgrade:
            return None
        coding: bytes | str | None = None
        kinds, headers = self._kinds, request.headers
        for name, value in headers.pairs if headers.wire is None else headers.wire:
            kind = kinds.get(name, _UNKNOWN)
            if kind is _MUTE:
                continue
            if kind is _UNKNOWN:
                kind = self._learn(name)
            if kind is _TELLS or (kind is _CODING and coding is not None):
                return None
            if kind is _CODING:
                coding = value
        key = self._key(x, request)
        entry = shelf.peek(key.encode("utf-8", "surrogateescape"))
        if entry is None:
            return key
        stored = entry.memo.get(coding, _UNKNOWN)
        if stored is _UNKNOWN:
            stored = self._choose(x, entry, coding, recoding, shelf.orders.get(x.route, CODINGS))
        found = None if stored is None else _rendered(stored, shelf.now())
        return key if found is None else found

    def _key(self, x: Exchange, request: Request) -> str:
        """What `key_of` gives, its first part remembered where that depends on the host alone."""
        if not self._plain or x.peer.trusted:
            return key_of(request, x.route, self._config, trusted=x.peer.trusted)
        origin = self._origins.get((request.scheme, request.host))
        if origin is None:
            if len(self._origins) >= _NAMES:
                self._origins.clear()
            origin = self._origins[request.scheme, request.host] = "{}://{}".format(*origin_of(request, trusted=False))
        return f"{origin}{request.target} {x.route} "

    def _learn(self, raw: bytes | str) -> object:
        name = (raw if isinstance(raw, str) else raw.decode("latin-1")).lower()
        kind = _TELLS if name in self._telling else _CODING if name == ENCODING else _MUTE
        if len(self._kinds) >= _NAMES:
            self._kinds.clear()
        self._kinds[raw] = kind
        return kind

    @staticmethod
    def _choose(
        x: Exchange, entry: Entry, coding: bytes | str | None, recoding: Recoding, order: Sequence[str]
    ) -> Stored | None:
        if any(one.selecting for one in entry.variants):
            return None
        told = coding.decode("latin-1") if isinstance(coding, bytes) else coding
        wanted = Headers() if told is None else Headers([("Accept-Encoding", told)])
        stored = select(entry.variants, wanted, order)
        if stored is None or stored.flags & NO_CACHE or recoding.wanted(x, stored):
            return None
        if len(entry.memo) >= _CHOICES:
            entry.memo.clear()
        entry.memo[coding] = stored
        return stored


def _rendered(stored: Stored, now: float) -> Response | None:
    """The answer with its head as bytes; None when it is not fresh."""
    ready: Ready | None = stored.memo.get("ready")
    if ready is None or not ready.begins <= now < ready.ends:
        ready = _made_ready(stored, now)
        if ready is None:
            return None
    head = Rendered.of(ready.wire, ready.block, ready.dated)
    return Response(stored.status, head, ready.body, reason=stored.reason)


class Ready(NamedTuple):
    """An answer as it goes out in the second in which its age is the same.

    :ivar begins: of that second, since the epoch; `ends` likewise.
    :ivar block: the lines of its fields.
    """

    begins: float
    ends: float
    wire: list[tuple[bytes, bytes]]
    block: bytes
    dated: bool
    body: Body


def _made_ready(stored: Stored, now: float) -> Ready | None:
    left = stored.fresh_for(now)
    if left <= 0:
        return None
    headers = head(stored, stored.age_at(now), marks.hit(left))
    begins = stored.received + int(now - stored.received)
    made = Ready(begins, begins + 1, headers.wire or [], headers.encode(), headers.dated, Body(stored.body))
    stored.memo["ready"] = made
    return made
