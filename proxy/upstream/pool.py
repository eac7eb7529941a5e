"""The connections to one upstream: bounded, reused, queued for when all are busy."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from math import inf

from proxy.clock import Clock
from proxy.corked import Flusher
from proxy.errors import ConnectFailed, GatewayError, PoolFull, Retry, UpstreamReset
from proxy.exchange import Endpoint, Exchange
from proxy.flow import Spawn
from proxy.timers import Timer, Wheel
from proxy.upstream.carrier import Carrier
from proxy.upstream.connector import Connector
from proxy.upstream.queue import Queue
from proxy.upstream.resolve import Addresses
from proxy.upstream.stats import Stats

_JITTER = 0.1  # share of the lifetime that is drawn by lot, so that connections made together do not end together
_TRIM_AFTER = 5.0  # seconds of idleness before `max_idle` closes a connection, so that a burst keeps its connections


class Limits:
    """What a pool may hold.

    :ivar max_connections: open or opening, all endpoints together.
    :ivar max_idle: kept idle for longer than five seconds.
    :ivar idle_timeout: seconds after which an idle connection is closed.
    :ivar lifetime: seconds after which a connection is not used again; each has up to a tenth less.
    :ivar max_requests: how many requests a connection carries.
    :ivar queue: exchanges that may wait when every connection is busy.
    :ivar queue_timeout: seconds that each may wait.
    """

    __slots__ = ("idle_timeout", "lifetime", "max_connections", "max_idle", "max_requests", "queue", "queue_timeout")

    def __init__(
        self,
        max_connections: int = 100,
        max_idle: int = 20,
        idle_timeout: float = 60.0,
        *,
        lifetime: float = inf,
        max_requests: float = inf,
        queue: int = 1000,
        queue_timeout: float = 5.0,
    ) -> None:
        self.max_connections = max_connections
        self.max_idle = max_idle
        self.idle_timeout = idle_timeout
        self.lifetime = lifetime
        self.max_requests = max_requests
        self.queue = queue
        self.queue_timeout = queue_timeout


class _Opening:
    """An exchange whose connection is being made."""

    __slots__ = ("_told", "exchange")

    def __init__(self, exchange: Exchange, told: Callable[[GatewayError], None]) -> None:
        self.exchange: Exchange | None = exchange
        self._told = told

    def cancel(self, reason: GatewayError | None = None) -> None:
        """The exchange is over; the connection, once made, serves another."""
        if reason is not None:
            self._told(reason)
        self.exchange = None

    def fail(self, error: GatewayError) -> None:
        """There is no connection."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.attempt = None
            exchange.failed(error)


class _Trim(Timer):
    """Closes what is idle beyond `max_idle`."""

    __slots__ = ("_pool",)

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool

    def expired(self) -> None:
        self._pool.trim()


class Pool:
    """One upstream's connections.

    :ivar open: connections open or opening.
    :ivar idle: those of them that wait for work.
    :ivar stats: what became of them.
    :ivar strict: whether answers must keep to the grammar; :see: `proxy.upstream.lenient`.
    """

    def __init__(
        self,
        connector: Connector,
        endpoints: Iterable[Endpoint],
        limits: Limits,
        *,
        clock: Clock,
        wheel: Wheel,
        spawn: Spawn,
        via: str,
        stats: Stats,
        randomness: random.Random,
        flusher: Flusher | None = None,
        strict: bool = True,
    ) -> None:
        self.flusher = flusher
        self.strict = strict
        self._connector = connector
        self._idle: dict[Endpoint, deque[Carrier]] = {endpoint: deque() for endpoint in endpoints}
        self._all: set[Carrier] = set()
        self._addresses: dict[Endpoint, Addresses] = {}  # of those that are followed
        self._queue = Queue(
            limits.queue, limits.queue_timeout, clock=clock, wheel=wheel, waited=stats.wait, refused=stats.failed
        )
        self._trim = _Trim(self)
        self._ripe = 0.0  # what has been idle since then can be trimmed when `_trim` expires
        self._closed = False
        self._now = clock.monotonic
        self._random = randomness.random
        self.limits = limits
        self.stats = stats
        self.wheel = wheel
        self.spawn = spawn
        self.via = via
        self.open = 0
        self.idle = 0

    @property
    def created(self) -> int:
        """Connections made so far."""
        return int(self.stats.created.value)

    @property
    def reused(self) -> int:
        """Exchanges that found an idle connection."""
        return int(self.stats.reused.value)

    @property
    def waited(self) -> int:
        """Exchanges that had to queue."""
        return int(self.stats.waited.value)

    @property
    def queued(self) -> int:
        """Exchanges that wait for a connection."""
        return len(self._queue)

    def take(self, endpoint: Endpoint) -> Carrier | None:
        """An idle connection, the one used last, so that the others can time out; None when there is none."""
        idle = self._idle.get(endpoint)
        while idle:
            connection = idle.pop()
            self.idle -= 1
            transport = connection.transport
            if transport is not None and not transport.is_closing():
                now, heard = self._now, connection.heard  # calls by way of attributes are looked up as methods first
                why = heard() if connection.expires > now() else "lifetime"
                if not why:
                    return connection
                connection.leave(why)
        return None

    def acquire(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Send the exchange on an idle connection, on a new one, or when one is free."""
        connection = None if exchange.fresh else self.take(endpoint)
        if connection is not None:
            self.stats.reused.value += 1.0
            connection.start(exchange)
        elif self.open < self.limits.max_connections or self._evict():
            self._open(exchange, endpoint)
        elif self._queue.join(exchange, endpoint):
            self.stats.waited.value += 1

    def _evict(self) -> bool:
        """Make room by closing an idle connection: one of another endpoint, or one too old to be trusted."""
        for idle in self._idle.values():
            if idle:
                idle[0].leave("room")
                return self.open < self.limits.max_connections
        return False

    # new connections

    def _open(self, exchange: Exchange, endpoint: Endpoint) -> None:
        self.open += 1
        opening = exchange.attempt = _Opening(exchange, self.stats.failed)
        self.spawn(self._connect(opening, endpoint, exchange.patience.connect))

    async def _connect(self, opening: _Opening, endpoint: Endpoint, seconds: float) -> None:
        try:
            connection = await self._connector.open(endpoint, seconds)
        except BaseException as error:
            self._freed()
            if isinstance(error, GatewayError):
                self.stats.failed(error)
                opening.fail(error)
                return
            opening.fail(ConnectFailed("the connection could not be made"))
            raise
        self.stats.created.value += 1
        if not connection.adopt(self, endpoint):
            self._connector.forget(connection)
            self.stats.closed("unasked")
            self._freed()
            opening.fail(UpstreamReset("the upstream closed or spoke before it was asked", retry=Retry.UNSENT))
            return
        connection.expires = self._now() + self.limits.lifetime * (1 - _JITTER * self._random())
        self._all.add(connection)
        self._verify(connection)
        if opening.exchange is not None:
            connection.start(opening.exchange)
        else:
            self.put(connection)

    # connections come back

    def put(self, connection: Carrier) -> None:
        """A connection is free: for the first in the queue who can use it, else idle."""
        clock = self._now
        now = clock()
        idle = self._idle.get(connection.endpoint)
        if (
            idle is None
            or connection.uses >= self.limits.max_requests
            or connection.expires <= now
            or connection.spent
            or self._closed
        ):
            connection.leave(self._spent(connection))
        elif not self._queue.waiting or self._hand_on(connection):
            idle.append(connection)
            self.idle += 1
            left, timeout = connection.expires - now, self.limits.idle_timeout
            connection.rest(left if left < timeout else timeout)  # noqa: FURB136 (`min` costs as much as all the rest)
            if self.idle > self.limits.max_idle and self._trim.deadline == inf:
                self._trim_in(_TRIM_AFTER)

    def _spent(self, connection: Carrier) -> str:
        """Why a connection is not to be used again."""
        if self._closed:
            return "stopping"
        if connection.endpoint not in self._idle:
            return "target_gone"
        if connection.spent:
            return connection.spent
        if connection.uses >= self.limits.max_requests:
            return "max_requests"
        return "lifetime"

    def _hand_on(self, connection: Carrier) -> bool:
        """Let the next one have it, or its room; False when it is not free any more."""
        waiter = self._queue.next_for(connection.endpoint)
        if waiter is None:
            return True
        fits = waiter.endpoint is connection.endpoint and not waiter.exchange.fresh
        if not fits:
            why = "room"
        else:
            why = connection.heard() if connection.usable else "upstream"
        if why:
            connection.leave(why)  # which makes room for the first in the queue
        else:
            self._queue.leave(waiter)
            connection.start(waiter.exchange)
        return False

    def lost(self, connection: Carrier) -> None:
        """A connection is gone, idle or busy."""
        self._connector.forget(connection)
        self._all.discard(connection)
        self.stats.closed(connection.why or "upstream")
        idle = self._idle.get(connection.endpoint)
        if idle and connection in idle:
            idle.remove(connection)
            self.idle -= 1
        self._freed()

    def _freed(self) -> None:
        """There is room for one connection more."""
        self.open -= 1
        waiter = self._queue.first
        if waiter is not None and not self._closed:
            self._queue.leave(waiter)
            self._open(waiter.exchange, waiter.endpoint)

    # endpoints that change

    def replace(self, endpoints: Iterable[Endpoint]) -> None:
        """These are the endpoints from now on. Connections to others are closed, busy ones when they are free."""
        old, self._idle = self._idle, {}
        for endpoint in endpoints:
            self._idle[endpoint] = old.pop(endpoint, deque())
        for idle in old.values():
            self.idle -= len(idle)
            for connection in list(idle):
                connection.leave("target_gone")
        self._addresses = {one: found for one, found in self._addresses.items() if one in self._idle}

    def follow(self, endpoint: Endpoint, addresses: Addresses) -> None:
        """An endpoint's name has these addresses now. Connections to others are closed, busy ones when free."""
        self._addresses[endpoint] = addresses
        for connection in list(self._all):
            if connection.endpoint is endpoint:
                self._verify(connection)

    def _verify(self, connection: Carrier) -> None:
        """Whether a connection leads to where its endpoint is."""
        addresses = self._addresses.get(connection.endpoint)
        if addresses is None or connection.peer in addresses:
            return
        connection.spent = "address_gone"
        if connection in self._idle.get(connection.endpoint, ()):
            connection.leave("address_gone")

    # what is idle for too long

    def trim(self) -> None:
        """Close the longest idle beyond `max_idle`, if they were idle for five seconds."""
        surplus = self.idle - self.limits.max_idle
        resting = sorted((c for idle in self._idle.values() for c in idle), key=lambda c: c.idle_since)
        for connection in resting[: max(surplus, 0)]:
            if connection.idle_since > self._ripe:
                self._trim_in(connection.idle_since - self._ripe)
                break
            connection.leave("max_idle")

    def _trim_in(self, seconds: float) -> None:
        self.wheel.arm(self._trim, seconds)
        self._ripe = self._trim.deadline - _TRIM_AFTER

    def close(self) -> None:
        """End every idle connection and refuse the queue; busy ones end with their exchange."""
        self._closed = True
        self.wheel.forget(self._trim)
        for idle in self._idle.values():
            while idle:
                idle[-1].leave("stopping")
        while (waiter := self._queue.first) is not None:
            waiter.refuse(PoolFull("the gateway is stopping"))
