"""Keep answers, and use them again: a shared cache by RFC 9111, in memory and, where there is one, in Redis.

    plugins:
      - cache: {memory: 256MiB}
    routes:
      - {name: api, match: {path: /api/*}, upstream: app, plugins: {cache: {ttl: 30s, grace: 10m}}}
      - {name: admin, match: {path: /admin/*}, upstream: app, plugins: {cache: false}}

A hit is answered at once, before any task is made. Everything else goes on through the plugins listed after the cache
and to the upstream, one request for all that ask for the same at the same time; what comes back is stored while it
flows to the clients. Every answer says in Cache-Status (RFC 9211) what was done with it and why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import ClassVar, Self

from plugins.cache import marks
from plugins.cache.answers import answer
from plugins.cache.config import Config
from plugins.cache.control import Control, denied
from plugins.cache.counts import SERVED, Counts
from plugins.cache.directives import OWN, Directives
from plugins.cache.fetching import Fetching
from plugins.cache.invalidation import invalidates, targets
from plugins.cache.keys import key_of, origin_of
from plugins.cache.quick import Quick
from plugins.cache.recoding import Recoding
from plugins.cache.refreshing import Refreshing
from plugins.cache.reuse import MISS, Use, Verdict, asked, judge, stands_aside, varied
from plugins.cache.selecting import CODINGS
from plugins.cache.shelf import Shelf
from plugins.cache.stored import Entry, Stored
from plugins.cache.storing import unkeyed
from plugins.cache.visit import VISIT, Visit
from proxy.api import Answer, Exchange, Plugin, Rank, Response, Services

_LEASE = 3.0  # seconds for which one gateway asks for all
_NO_WISHES = Directives({})
_BODILESS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class _Parts:
    """What `start` makes and all routes share."""

    shelf: Shelf
    fetching: Fetching
    refreshing: Refreshing
    counts: Counts
    control: Control
    recoding: Recoding
    buffered_body: int


class HttpCache(Plugin[Config]):
    """Answers from what is stored, and stores."""

    rank = Rank.CACHE
    pure: ClassVar[bool] = False

    _parts: _Parts

    async def start(self, services: Services) -> None:
        shelf = Shelf(services, self.config)
        counts = Counts(services.metrics)
        control = Control(shelf, counts, services.events)
        control.register(services.admin)
        self._parts = _Parts(
            shelf, Fetching(shelf), Refreshing(shelf), counts, control, Recoding(shelf), services.buffered_body
        )

    def configured(self) -> None:
        self._quick = Quick(self.config)
        self._purgers = tuple(map(ip_network, self.config.purgers))

    def share(self, started: Self) -> None:
        super().share(started)
        self._parts.shelf.forms[self.config.key] = None

    # the way in

    def on_request(self, exchange: Exchange) -> Answer | Awaitable[Answer]:
        config, request = self.config, exchange.request
        found = self._quick.answer(exchange, self._parts.shelf, self._parts.recoding)
        if found is not None:
            if isinstance(found, str):
                return self._look(exchange, found, mute=True)
            exchange.cache = "hit"
            return found
        if request.method == "PURGE" and self._purgers:
            return self._purge(exchange)
        why = self._aside(exchange)
        if why:
            exchange[VISIT] = Visit(request, "", why, _NO_WISHES)
            return None
        if request.method not in _BODILESS:
            if (request.body.size or 0) > self._parts.buffered_body:
                exchange[VISIT] = Visit(request, "", "too-large", _NO_WISHES)
                return None
            return self._read(exchange)
        key = key_of(request, exchange.route, config, trusted=exchange.peer.trusted)
        return self._look(exchange, key)

    def _purge(self, exchange: Exchange) -> Response | Awaitable[Response]:
        exchange.cache = "purge"
        host = exchange.peer.host
        if not host or not any(ip_address(host) in network for network in self._purgers):
            return denied()
        return self._parts.control.by_method(exchange)

    async def _read(self, exchange: Exchange) -> Answer:
        """A request whose body is part of the key."""
        body = await exchange.request.body.read(self._parts.buffered_body)
        found = self._look(
            exchange, key_of(exchange.request, exchange.route, self.config, body, trusted=exchange.peer.trusted)
        )
        return found if found is None or isinstance(found, Response) else await found

    def _look(self, exchange: Exchange, key: str, *, mute: bool = False) -> Answer | Awaitable[Answer]:
        """Find what is stored, and decide.

        :param mute: whether the request says nothing to a cache, as `Quick` has found, which has looked into memory.
        """
        shelf = self._parts.shelf
        entry = shelf.cache.look(key) if mute else shelf.cache.peek(key)
        if entry is None and shelf.layered:
            return self._look_further(exchange, key, mute=mute)
        return self._decide(exchange, key, entry, mute=mute)

    async def _look_further(self, exchange: Exchange, key: str, *, mute: bool) -> Answer:
        found = self._decide(exchange, key, await self._parts.shelf.cache.get(key, peeked=True), mute=mute)
        return found if found is None or isinstance(found, Response) else await found

    def _decide(self, exchange: Exchange, key: str, entry: Entry | None, *, mute: bool) -> Answer | Awaitable[Answer]:
        config, request = self.config, exchange.request
        now = self._parts.shelf.now()
        wants = _NO_WISHES if mute else asked(request, config)
        verdict = MISS if mute and entry is None else judge(entry, request, wants, now, config, self._order(exchange))
        stored = verdict.stored
        if stored is not None and verdict.use in (Use.HIT, Use.STALE):
            return self._hit(exchange, key, stored, verdict, now)
        if verdict.use is Use.NOTHING:
            return self._nothing(exchange)
        visit = Visit(request, "" if verdict.use is Use.ASIDE else key, verdict.reason, wants, stored, mute=mute)
        if verdict.reason == "vary-miss" and entry is not None:
            visit.varied = varied(entry, request.headers)
        exchange[VISIT] = visit
        return self._forward(exchange, visit, entry) if visit.key else None

    def _order(self, exchange: Exchange) -> Sequence[str]:
        return self._parts.shelf.orders.get(exchange.route, CODINGS)

    def _hit(self, exchange: Exchange, key: str, stored: Stored, verdict: Verdict, now: float) -> Response:
        exchange.cache = verdict.use.value
        if verdict.use is Use.STALE:
            self._parts.refreshing.refresh(exchange, key, stored, self.config)
        mark = marks.hit(stored.fresh_for(now), verdict.reason)
        recoding = self._parts.recoding
        if recoding.wanted(exchange, stored):
            coded = recoding.recoded(exchange, key, stored, self.config, mark, now)
            if coded is not None:
                return coded
        return answer(stored, exchange.request, now, mark)

    def _nothing(self, exchange: Exchange) -> Response:
        """RFC 9111 section 5.2.1.7."""
        exchange.cache = "nothing"
        return Response.problem(
            504,
            "there is no stored answer to this, and no other was wanted",
            {"cache-status": marks.forwarded("request", detail="only-if-cached")},
            code="only_if_cached",
            request_id=exchange.id,
        )

    def _forward(self, exchange: Exchange, visit: Visit, entry: Entry | None) -> Answer | Awaitable[Answer]:
        fetching, config = self._parts.fetching, self.config
        flight = fetching.begin(exchange, visit, entry, config)
        if flight is None:
            if visit.flight is None or not self._parts.shelf.layered:
                return None
            return self._leased(exchange, visit)
        if flight.landed.done():
            found = fetching.joined(exchange, visit, flight)
            if found is not None:
                return found
        return fetching.wait(exchange, visit, flight, config)

    async def _leased(self, exchange: Exchange, visit: Visit) -> Answer:
        """Where gateways share what is stored, one of them asks upstream; the others wait for what it stores."""
        shelf, config = self._parts.shelf, self.config
        entry = await shelf.cache.elsewhere(visit.key, min(config.wait, _LEASE))
        if entry is None:
            visit.leased = True
            return None
        now = shelf.now()
        verdict = judge(entry, visit.request, visit.wants, now, config, self._order(exchange))
        if verdict.use is not Use.HIT or verdict.stored is None or visit.flight is None:
            return None
        exchange.cache = "collapsed"
        shelf.flights.stored(visit.flight, verdict.stored)
        mark = marks.forwarded(visit.why, collapsed=True, ttl=verdict.stored.fresh_for(now))
        return answer(verdict.stored, visit.request, now, mark)

    # the way out

    def on_response(self, exchange: Exchange) -> Answer | Awaitable[Answer]:
        visit, response = exchange.get(VISIT), exchange.response
        if visit is None or response is None:
            return None
        if not visit.key:
            return self._passed(exchange, visit, response)
        exchange.request = visit.request
        self._parts.recoding.learn(exchange)
        return self._parts.fetching.landed(exchange, visit, response, self.config)

    def _passed(self, exchange: Exchange, visit: Visit, response: Response) -> Awaitable[Answer] | None:
        exchange.cache = "bypass"
        headers = response.headers
        if headers.getall(OWN):
            headers.remove(OWN)
        headers.push("Cache-Status", "cache-status", marks.forwarded(visit.why))
        request = visit.request
        if not invalidates(request, response):
            return None
        scheme, own = origin_of(request, trusted=exchange.peer.trusted)
        spellings = self._parts.shelf.spellings
        found = targets(request, response, scheme, own)
        return self._invalidate([url for host, target in found for url in spellings(scheme, host, target)])

    async def _invalidate(self, urls: list[str]) -> None:
        await self._parts.shelf.forget(urls)

    def doubts(self) -> list[str]:
        if self.config.force_ttl is None:
            return []
        return ["force_ttl stores what answers forbid to store, no-store and private included, for everybody"]

    def describe(self, exchange: Exchange) -> str:
        config, request = self.config, exchange.request
        why = self._aside(exchange)
        if why:
            return f"stands aside: {why}"
        key = key_of(request, exchange.route, config, trusted=exchange.peer.trusted)
        told = f"key {key.strip()}"
        entry = self._parts.shelf.cache.look(key) if self._started else None
        if not self._started:
            return f"{told}; answers may be stored"
        verdict = judge(entry, request, asked(request, config), self._parts.shelf.now(), config)
        return f"{told}; {verdict.use.value}{f' ({verdict.reason})' if verdict.reason else ''}"

    def forecast(self, exchange: Exchange) -> str:
        if self._aside(exchange):
            return "bypass"
        if not self._started:
            return "eligible"
        key = key_of(exchange.request, exchange.route, self.config, trusted=exchange.peer.trusted)
        wants, now = asked(exchange.request, self.config), self._parts.shelf.now()
        use = judge(self._parts.shelf.cache.look(key), exchange.request, wants, now, self.config).use
        return {Use.HIT: "hit", Use.STALE: "hit", Use.ASIDE: "bypass"}.get(use, "eligible")

    def _aside(self, exchange: Exchange) -> str:
        """Why it has nothing to do with a request; `""` when it has."""
        request, config = exchange.request, self.config
        return stands_aside(request, config) or ("unkeyed" if unkeyed(request, config) else "")

    @property
    def _started(self) -> bool:
        return "_parts" in vars(self)

    def on_complete(self, exchange: Exchange) -> None:
        result, parts = exchange.cache, self._parts
        if result == "hit" and exchange.parent is None and parts.counts.hit(exchange.route, exchange.bytes_out):
            return
        visit = exchange.get(VISIT)
        if visit is not None:
            parts.fetching.over(exchange, visit)
        if not result or exchange.parent is not None:
            return
        parts.counts.count(exchange.route, result)
        parts.shelf.seen(exchange.route, self.config)
        if result in SERVED:
            parts.counts.save(exchange.bytes_out)
        elif visit is not None:
            parts.counts.lose(exchange.route, visit.loss)
