"""Codes what is stored for clients that take it so, in the place of fetching it again.

What can be coded, and how, knows the plugin inside the cache that does it: it leaves a `recoder` with each answer that
could be. An answer that is left as it is, such as a small one, is not tried again for those who take the same codings,
and one that forbids to be transformed is not tried at all (RFC 9110 section 7.7).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from plugins.cache.answers import head
from plugins.cache.config import Config
from plugins.cache.directives import cache_control
from plugins.cache.selecting import CODINGS, ENCODING, liking
from plugins.cache.shelf import Shelf
from plugins.cache.stored import Stored
from proxy.api import Exchange, Headers, Recoder, Request, Response, Shared, accepted, applied

_ROUTES = 1000  # whose recoders are kept


class Recoding:
    """Derives coded variants from what is stored without a coding."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._recoders: dict[str, Recoder] = {}

    def learn(self, x: Exchange) -> None:
        """An answer has come through the plugins inside: what codes those of its route is known now."""
        recoder = x.recoder
        if recoder is None or self._recoders.get(x.route) is recoder:
            return
        if x.route in self._recoders or len(self._recoders) < _ROUTES:
            self._recoders[x.route] = recoder
            self._shelf.orders[x.route] = tuple(recoder.order)

    def wanted(self, x: Exchange, stored: Stored) -> bool:
        """Whether a client would rather have a coded form of this."""
        if stored.coding or not stored.by_coding or x.request.method != "GET":
            return False
        if x.route not in self._recoders or x.request.headers.getall("range"):
            return False
        preferred = _preferred(x.request)
        return bool(preferred) and preferred not in _left_alone(stored)

    def recoded(self, x: Exchange, key: str, stored: Stored, config: Config, mark: str, now: float) -> Response | None:
        """A coded form, which is stored while it is sent; None when there is none.

        :param mark: value of Cache-Status.
        """
        response = Response(stored.status, Headers(stored.headers.items()), stored.body, reason=stored.reason)
        self._recoders[x.route](x.request, response)
        coding = ",".join(applied(response.headers))
        if not coding:
            _left_alone(stored).add(_preferred(x.request))
            return None
        pairs = response.headers.items()
        fields = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs)
        new = replace(stored, fields=fields, coding=coding, memo={})
        self._keep(key, new, response, config)
        response.headers = head(new, new.age_at(now), mark)
        return response

    def _keep(self, key: str, new: Stored, response: Response, config: Config) -> None:
        shelf, mark = self._shelf, self._shelf.cache.mark()

        def done(whole: bytes | None) -> None:
            if whole is not None:
                shelf.keep(key, replace(new, body=whole, memo={}), config, mark)

        if response.body.data is not None:
            done(response.body.data)
            return
        shared = Shared(response.body, config.max_object, shelf.budget, shelf.spawn, done)
        response.body = shared.reader()
        shared.start()


def _preferred(request: Request) -> tuple[str, ...]:
    """The codings that a client would rather have than none."""
    told = accepted(request.headers.getall(ENCODING))
    plain = liking("", told)
    return tuple(coding for coding in CODINGS if liking(coding, told) > plain)


def _left_alone(stored: Stored) -> set[tuple[str, ...]]:
    """For whom it was found that an answer is left as it is; for everybody where that is its own wish."""
    found: set[tuple[str, ...]] | None = stored.memo.get("plain")
    if found is None:
        found = stored.memo["plain"] = set()
        if "no-transform" in cache_control(stored.headers.getall("cache-control")):
            found |= _ANY
    return found


_ANY = frozenset(kept for size in range(1, len(CODINGS) + 1) for kept in combinations(CODINGS, size))
