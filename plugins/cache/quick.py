"""The shortest way to a hit: for requests whose fields say nothing to a cache, which are nearly all.

Their fields stay the bytes that they came as. What was chosen for a spelling of Accept-Encoding is remembered with the
entry, and the bytes of an answer's head with the answer, for the second in which its Age stays the same. Whatever is
out of the ordinary takes the long way, so that no rule is decided here.
"""

from __future__ import annotations

from enum import Enum

from plugins.cache import marks
from plugins.cache.answers import head
from plugins.cache.config import Config
from plugins.cache.keys import key_of
from plugins.cache.recoding import Recoding
from plugins.cache.selecting import ENCODING, select
from plugins.cache.shelf import Shelf
from plugins.cache.stored import NO_CACHE, Entry, Stored
from plugins.cache.storing import OVERRIDES
from proxy.api import Body, Exchange, Headers, Rendered, Response

_MUTE, _CODING, _TELLS = range(3)
_NAMES = 1024  # whose kind is remembered
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
    }
)

_BODILESS = frozenset({"GET", "HEAD"})
_UNKNOWN = object()


class Looked(Enum):
    """Memory was asked, and what it has does not do by itself."""

    LOOKED = 1


LOOKED = Looked.LOOKED


class Quick:
    """Answers what is fresh, and leaves everything else alone.

    :ivar able: whether keys are made of the URL alone, so that it can know them.
    """

    def __init__(self, config: Config) -> None:
        self.able = not config.key.headers and not config.key.cookies and not config.force_ttl
        self._config = config
        self._telling = _TELLING | OVERRIDES | set(config.bypass)
        self._kinds: dict[bytes | str, int] = {}

    def answer(self, x: Exchange, shelf: Shelf, recoding: Recoding) -> Response | Looked | None:
        """The stored answer, or what it takes more than this to find one: nothing was done, or memory was asked."""
        request = x.request
        if not self.able or request.method not in _BODILESS or request.body.data != b"" or request.upgrade:
            return None
        coding: bytes | str | None = None
        kinds, headers = self._kinds, request.headers
        for name, value in headers.pairs if headers.wire is None else headers.wire:
            kind = kinds.get(name)
            if kind is None:
                kind = self._learn(name)
            if kind == _TELLS or (kind == _CODING and coding is not None):
                return None
            if kind == _CODING:
                coding = value
        entry = shelf.cache.peek(key_of(request, x.route, self._config, trusted=x.peer.trusted))
        if entry is None:
            return LOOKED
        stored = entry.memo.get(coding, _UNKNOWN)
        if stored is _UNKNOWN:
            stored = self._choose(x, entry, coding, recoding)
        found = None if stored is None else _rendered(stored, shelf.now())
        return LOOKED if found is None else found

    def _learn(self, raw: bytes | str) -> int:
        name = (raw if isinstance(raw, str) else raw.decode("latin-1")).lower()
        kind = _TELLS if name in self._telling else _CODING if name == ENCODING else _MUTE
        if len(self._kinds) >= _NAMES:
            self._kinds.clear()
        self._kinds[raw] = kind
        return kind

    @staticmethod
    def _choose(x: Exchange, entry: Entry, coding: bytes | str | None, recoding: Recoding) -> Stored | None:
        if any(one.selecting for one in entry.variants):
            return None
        told = coding.decode("latin-1") if isinstance(coding, bytes) else coding
        wanted = Headers() if told is None else Headers([("Accept-Encoding", told)])
        stored = select(entry.variants, wanted)
        if stored is None or stored.flags & NO_CACHE or recoding.wanted(x, stored):
            return None
        if len(entry.memo) >= _CHOICES:
            entry.memo.clear()
        entry.memo[coding] = stored
        return stored


def _rendered(stored: Stored, now: float) -> Response | None:
    """The answer with its head as bytes; None when it is not fresh."""
    age = stored.age_at(now)
    left = stored.fresh_for(now)
    if left <= 0:
        return None
    ready = stored.memo.get("ready")
    if ready is None or ready[0] != age:
        headers = head(stored, age, marks.hit(left))
        ready = stored.memo["ready"] = (age, headers, headers.encode(), Body(stored.body))
    _, headers, block, body = ready
    return Response(stored.status, Rendered.of(headers.wire or [], block, headers.dated), body, reason=stored.reason)
