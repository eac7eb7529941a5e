"""What becomes of requests that have to go upstream: who asks, who waits, and what is stored of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from copy import copy
from dataclasses import replace

from plugins.cache import marks
from plugins.cache.answers import answer, head, store
from plugins.cache.conditions import validators
from plugins.cache.config import Config
from plugins.cache.directives import OWN, of_response
from plugins.cache.flights import Flight
from plugins.cache.freshness import lifetime
from plugins.cache.parsing import normal
from plugins.cache.reuse import serves_error
from plugins.cache.selecting import CODINGS, ENCODING, liking, select, selecting
from plugins.cache.shelf import Shelf
from plugins.cache.stored import NO_CACHE, Entry, Stored
from plugins.cache.storing import at_sight, refusal
from plugins.cache.updating import agrees, confirms, freshened, withdrawn
from plugins.cache.visit import Visit, announce, conditional, unconditional
from proxy.api import ClientLeft, Exchange, Headers, Request, Response, Shared, UpstreamError, accepted


class Fetching:
    """Sends requests on, one for many, and stores what comes."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._flights = shelf.flights

    # the way in

    def begin(self, x: Exchange, visit: Visit, entry: Entry | None, config: Config) -> Flight | None:
        """Send a request on, as the one that asks for all.

        :returns: the flight to wait for, when another one asks already.
        """
        if _waits(visit, x.request, config):
            key = flight_key(visit.key, entry, x.request.headers)
            if not self._flights.alone(key):
                flight = self._flights.find(key)
                if flight is not None:
                    return flight
                visit.flight = self._flights.lead(key, x)
        self.send(x, visit)
        return None

    def send(self, x: Exchange, visit: Visit) -> None:
        """Make the request ready to go on: with a question whether what is stored still holds, where it is."""
        shelf = self._shelf
        visit.asked, visit.mark = shelf.now(), shelf.cache.mark()
        stored = visit.stored
        if stored is not None and x.request.method == "GET":  # elsewhere If-None-Match means 412 (RFC 9110, 13.1.2)
            asks = validators(stored.headers)
            if asks:
                x.request, visit.validates = unconditional(x.request, asks), True
        announce(x.request, trusted=visit.mute or x.peer.trusted)

    async def wait(self, x: Exchange, visit: Visit, flight: Flight, config: Config) -> Response | None:
        """The answer that another request brings; None when this one goes on after all."""
        try:
            async with asyncio.timeout(config.wait):
                return await self._wait(x, visit, flight)
        except TimeoutError:
            self.send(x, visit)
            return None

    async def _wait(self, x: Exchange, visit: Visit, flight: Flight) -> Response | None:
        while True:
            flight.join()
            await asyncio.shield(flight.landed)
            found = self.joined(x, visit, flight)
            if found is not None:
                return found
            key = self._next_key(x, visit, flight)
            other = None if key is None else self._flights.find(key)
            if other is None:
                if key is not None:
                    visit.flight = self._flights.lead(key, x, flight)
                self.send(x, visit)
                return None
            flight = other

    def _next_key(self, x: Exchange, visit: Visit, flight: Flight) -> str | None:
        """What to wait for, or to lead, after a flight that brought nothing for this request; None: it goes alone.

        :raises GatewayError: the one that all fail with.
        """
        if flight.stored is not None:
            key = variant_key(visit.key, flight.stored, x.request.headers)
            return None if key == flight.key else key
        if flight.error is None:
            return None
        if self._flights.hopeless(flight) and not isinstance(flight.error, ClientLeft):
            raise copy(flight.error)
        return flight.key

    def joined(self, x: Exchange, visit: Visit, flight: Flight) -> Response | None:
        """The answer that a flight has brought, if this request may have it; its body may still be on its way."""
        shelf, stored = self._shelf, flight.stored
        now = shelf.now()
        if stored is None:
            return self._stand_in(x, visit, now) if flight.error is not None else None
        if select((stored,), x.request.headers) is None:
            return None
        x.cache = "collapsed"
        mark = marks.forwarded(visit.why, collapsed=True, ttl=stored.fresh_for(now))
        if flight.shared is None:
            return answer(stored, visit.request, now, mark)
        if not flight.shared.keeps:
            return None
        return Response(stored.status, head(stored, stored.age_at(now), mark), flight.shared.reader())

    # the way out

    def landed(
        self, x: Exchange, visit: Visit, response: Response, config: Config
    ) -> Response | Awaitable[Response] | None:
        """Its own answer has come: store it, or what it says of the one that is stored.

        :returns: another answer in its place, or None.
        """
        now = self._shelf.now()
        if visit.validates and response.status == 304 and visit.stored is not None:
            if not confirms(visit.stored, response.headers):
                return self._again(x, visit, config)
            return self._confirmed(x, visit, visit.stored, response, config)
        if response.status >= 500:
            found = self._stand_in(x, visit, now)
            if found is not None:
                self._fail(x, visit)
                return found
        if visit.request.method == "HEAD":
            self._headed(visit, response, config)
            self._marked(x, visit, response, "head")
        else:
            self._store(x, visit, response, config, now)
        return None

    def over(self, x: Exchange, visit: Visit) -> None:
        """The exchange is over; whoever waits for it is told, if it brought nothing."""
        if visit.flight is not None and not visit.flight.landed.done():
            self._fail(x, visit)
        if visit.leased and x.cache != "revalidated" and (visit.lost or x.cache != "miss"):
            self._shelf.spawn(self._shelf.cache.release(visit.key))  # nothing is stored for which others could wait

    def _fail(self, x: Exchange, visit: Visit) -> None:
        if visit.flight is not None:
            self._flights.failed(visit.flight, None if isinstance(x.error, ClientLeft) else x.error)

    def _stand_in(self, x: Exchange, visit: Visit, now: float) -> Response | None:
        """A stale answer in the place of an error (RFC 5861 section 4)."""
        stored = visit.stored
        if stored is None or not serves_error(stored, visit.wants, now):
            return None
        x.cache = "stale-error"
        return answer(stored, visit.request, now, marks.hit(stored.fresh_for(now), "stale-if-error"))

    async def _again(self, x: Exchange, visit: Visit, config: Config) -> Response:
        """A 304 was about another answer than the one that was asked about: fetch the whole."""
        visit.validates, visit.stored = False, None
        request = unconditional(visit.request, [])
        announce(request, trusted=x.peer.trusted)
        response = await x.fetch(request)
        self._store(x, visit, response, config, self._shelf.now())
        return response

    def _confirmed(self, x: Exchange, visit: Visit, stored: Stored, response: Response, config: Config) -> Response:
        now = self._shelf.now()
        fresh = freshened(stored, response, (visit.asked, now), config)
        private = withdrawn(fresh, visit.request, config)
        self._shelf.keep(visit.key, fresh.soft() if private else fresh, config, visit.mark, newest=False)
        if private:
            self._shelf.spawn(self._shelf.forget([visit.key]))
            if visit.flight is not None:
                self._flights.uncacheable(visit.flight)
        else:
            self._arrive(visit, fresh)
        x.cache = "revalidated"
        mark = marks.forwarded(visit.why, 304, stored=not private, ttl=fresh.fresh_for(now))
        found = answer(fresh, visit.request, now, mark)
        if "set-cookie" not in fresh.headers:
            for value in response.headers.getall("set-cookie"):
                found.headers.push("Set-Cookie", "set-cookie", value)
        return found

    def _headed(self, visit: Visit, response: Response, config: Config) -> None:
        """The answer to a HEAD renews the stored one, or shows that it is old (RFC 9111 section 4.3.5)."""
        shelf = self._shelf
        entry = shelf.cache.look(visit.key)
        stored = None if entry is None else select(entry.variants, visit.request.headers)
        if stored is None or response.status >= 500 or response.status == 304:
            return
        same = agrees(stored, response)
        new = freshened(stored, response, (visit.asked, shelf.now()), config) if same else stored.soft()
        shelf.keep(visit.key, new, config, visit.mark, newest=False)

    def _store(self, x: Exchange, visit: Visit, response: Response, config: Config, now: float) -> None:
        headers = response.headers
        why = at_sight(visit.request, response, config)
        if why:
            self._refused(x, visit, response, why)
            return
        told = of_response(headers)
        life = lifetime(response.status, headers, told, now, config)
        why = refusal(visit.request, response, told, life, config)
        if not why and (response.body.size or 0) > config.max_object:
            why = "too-large"
        if why:
            self._refused(x, visit, response, why)
            return
        stored = store(visit.request, response, told, life, (visit.asked, now), config)
        if not stored.useful_for(now):
            self._refused(x, visit, response, "stale")
            return
        self._fill(x, visit, stored, response, config)
        self._marked(x, visit, response, "", stored=True)

    def _refused(self, x: Exchange, visit: Visit, response: Response, why: str) -> None:
        if visit.flight is not None:
            if response.status >= 500:
                self._flights.failed(visit.flight, x.error or _told(response))
            else:
                self._flights.uncacheable(visit.flight)
        x.detached = False
        if isinstance(x.error, ClientLeft):
            response.close()  # it went on for others, and is none of theirs
        self._marked(x, visit, response, why)

    def _marked(self, x: Exchange, visit: Visit, response: Response, why: str, *, stored: bool = False) -> None:
        """Say what was done, and keep what is for us alone."""
        headers = response.headers
        if headers.getall(OWN):
            headers.remove(OWN)
        x.cache, visit.lost = "miss", why
        headers.push("Cache-Status", "cache-status", marks.forwarded(visit.why, stored=stored, detail=why))

    def _fill(self, x: Exchange, visit: Visit, stored: Stored, response: Response, config: Config) -> None:
        shelf, body = self._shelf, response.body

        def done(whole: bytes | None) -> None:
            if visit.flight is not None:
                self._flights.over(visit.flight)
            if whole is not None:
                shelf.keep(visit.key, replace(stored, body=whole, memo={}), config, visit.mark)

        if body.data is not None:
            if not body.trailers:
                done(body.data)
                self._arrive(visit, replace(stored, body=body.data, memo={}))
            return
        shared = Shared(body, config.max_object, shelf.budget, shelf.spawn, done)
        response.body = shared.reader()
        x.hand_over()
        shared.start()
        self._arrive(visit, stored, shared)

    def _arrive(self, visit: Visit, stored: Stored, shared: Shared | None = None) -> None:
        """Tell those who wait; what has to be validated each time is not for them."""
        if visit.flight is None:
            return
        if stored.flags & NO_CACHE or stored.fresh_for(self._shelf.now()) <= 0:
            self._flights.uncacheable(visit.flight)
        else:
            self._flights.stored(visit.flight, stored, shared)


def _told(response: Response) -> UpstreamError:
    """The origin's own error, for those who waited for its answer."""
    error = UpstreamError(f"the upstream answered {response.status}")
    error.status = response.status
    return error


def _waits(visit: Visit, request: Request, config: Config) -> bool:
    """Whether a request can share another one's answer: the whole of it, asked for at about the same time."""
    if not config.wait or request.method == "HEAD" or visit.why == "request":
        return False
    if visit.mute or (visit.stored is not None and visit.stored.validates):
        return True
    return not conditional(request.headers)


def flight_key(key: str, entry: Entry | None, headers: Headers) -> str:
    """What requests that wait for each other have in common, by what is known of the URL."""
    return key if entry is None or not entry.variants else variant_key(key, entry.variants[0], headers)


def variant_key(key: str, like: Stored, headers: Headers) -> str:
    """The key with all that selects among variants such as this one."""
    if not like.selecting and not like.by_coding:
        return key
    chosen = selecting(headers, [name for name, _ in like.selecting])
    told = accepted(headers.getall(ENCODING))
    takes = [coding for coding in CODINGS if like.by_coding and liking(coding, told) > 0]
    return f"{key}\0{normal(takes)}\0{chosen}"
