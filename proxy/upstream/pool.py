"""The connections to one upstream: bounded, reused, queued for when all are busy."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from math import inf

from proxy.corked import Flusher
from proxy.errors import ConnectFailed, GatewayError, PoolFull, Retry, UpstreamReset
from proxy.exchange import Endpoint, Exchange
from proxy.flow import Spawn
from proxy.timers import Timer, Wheel
from proxy.upstream.connector import Connector
from proxy.upstream.http1 import Connection

log = logging.getLogger("passerelle.upstream")

_TRIM_AFTER = 5.0  # seconds of idleness before `max_idle` closes a connection, so that a burst keeps its connections


class Limits:
    """What a pool may hold.

    :ivar max_connections: open or opening, all endpoints together.
    :ivar max_idle: kept idle for longer than five seconds.
    :ivar idle_timeout: seconds after which an idle connection is closed.
    :ivar max_queue: exchanges that wait when every connection is busy.
    """

    __slots__ = ("idle_timeout", "max_connections", "max_idle", "max_queue")

    def __init__(
        self, max_connections: int = 100, max_idle: int = 20, idle_timeout: float = 60.0, max_queue: int = 1000
    ) -> None:
        self.max_connections = max_connections
        self.max_idle = max_idle
        self.idle_timeout = idle_timeout
        self.max_queue = max_queue


class _Waiter(Timer):
    """An exchange in the queue; as its attempt it can be cancelled."""

    __slots__ = ("_pool", "endpoint", "exchange")

    def __init__(self, pool: Pool, exchange: Exchange, endpoint: Endpoint) -> None:
        super().__init__()
        self._pool = pool
        self.exchange: Exchange | None = exchange
        self.endpoint = endpoint

    def expired(self) -> None:
        """Waited for too long."""
        exchange = self.take()
        if exchange is not None:
            exchange.failed(PoolFull("every connection to the upstream is busy", retry_after=1))

    def cancel(self) -> None:
        """The exchange is over."""
        self.take()

    def take(self) -> Exchange | None:
        """The exchange, once; None when it was taken, cancelled or timed out before."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.attempt = None
            self._pool.wheel.forget(self)
        return exchange


class _Opening:
    """An exchange whose connection is being made."""

    __slots__ = ("exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self.exchange: Exchange | None = exchange

    def cancel(self) -> None:
        """The exchange is over; the connection, once made, serves another."""
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
    :ivar created: connections made so far.
    :ivar reused: exchanges that found an idle connection.
    :ivar waited: exchanges that had to queue.
    """

    def __init__(
        self,
        connector: Connector,
        endpoints: Sequence[Endpoint],
        limits: Limits,
        *,
        wheel: Wheel,
        spawn: Spawn,
        via: str,
        flusher: Flusher | None = None,
    ) -> None:
        self.flusher = flusher
        self._connector = connector
        self._idle: dict[Endpoint, deque[Connection]] = {endpoint: deque() for endpoint in endpoints}
        self._queue: deque[_Waiter] = deque()
        self._trim = _Trim(self)
        self._ripe = 0.0  # what has been idle since then can be trimmed when `_trim` expires
        self._closed = False
        self.limits = limits
        self.wheel = wheel
        self.spawn = spawn
        self.via = via
        self.open = 0
        self.idle = 0
        self.created = 0
        self.reused = 0
        self.waited = 0

    @property
    def queued(self) -> int:
        """Exchanges that wait for a connection."""
        return sum(1 for waiter in self._queue if waiter.exchange is not None)

    def take(self, endpoint: Endpoint) -> Connection | None:
        """An idle connection, the one used last, so that the others can time out; None when there is none."""
        idle = self._idle[endpoint]
        while idle:
            connection = idle.pop()
            self.idle -= 1
            if connection.usable:
                return connection
        return None

    def acquire(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Send the exchange on an idle connection, on a new one, or when one is free."""
        connection = None if exchange.fresh else self.take(endpoint)
        if connection is not None:
            self.reused += 1
            connection.start(exchange)
            return
        if self.open < self.limits.max_connections or self._evict():
            self._open(exchange, endpoint)
        else:
            self._enqueue(exchange, endpoint)

    def _evict(self) -> bool:
        """Make room by closing an idle connection: one of another endpoint, or one too old to be trusted."""
        for idle in self._idle.values():
            if idle:
                idle[0].leave()
                return self.open < self.limits.max_connections
        return False

    def _enqueue(self, exchange: Exchange, endpoint: Endpoint) -> None:
        while self._queue and self._queue[0].exchange is None:
            self._queue.popleft()
        if len(self._queue) >= self.limits.max_queue:
            exchange.failed(PoolFull("too many requests wait for the upstream", retry_after=1))
            return
        self.waited += 1
        waiter = _Waiter(self, exchange, endpoint)
        exchange.attempt = waiter
        self._queue.append(waiter)
        self.wheel.arm(waiter, exchange.patience.connect)

    # new connections

    def _open(self, exchange: Exchange, endpoint: Endpoint) -> None:
        self.open += 1
        opening = exchange.attempt = _Opening(exchange)
        self.spawn(self._connect(opening, endpoint, exchange.patience.connect))

    async def _connect(self, opening: _Opening, endpoint: Endpoint, seconds: float) -> None:
        try:
            connection = await self._connector.open(endpoint, seconds)
        except BaseException as error:
            self._freed()
            if isinstance(error, GatewayError):
                opening.fail(error)
                return
            opening.fail(ConnectFailed("the connection could not be made"))
            raise
        self.created += 1
        if not connection.adopt(self, endpoint):
            self._connector.forget(connection)
            self._freed()
            opening.fail(UpstreamReset("the upstream closed or spoke before it was asked", retry=Retry.UNSENT))
        elif opening.exchange is not None:
            connection.start(opening.exchange)
        else:
            self.put(connection)

    # connections come back

    def put(self, connection: Connection) -> None:
        """A connection is free: for the first in the queue who can use it, else idle."""
        if self._closed or not connection.usable:
            connection.abort()
            return
        while self._queue:
            waiter = self._queue[0]
            if waiter.exchange is not None and waiter.endpoint is not connection.endpoint:
                connection.leave()  # which makes room for the first in the queue
                return
            exchange = self._queue.popleft().take()
            if exchange is not None:
                connection.start(exchange)
                return
        self._idle[connection.endpoint].append(connection)
        self.idle += 1
        connection.rest(self.limits.idle_timeout)
        if self.idle > self.limits.max_idle and self._trim.deadline == inf:
            self._trim_in(_TRIM_AFTER)

    def lost(self, connection: Connection) -> None:
        """A connection is gone, idle or busy."""
        self._connector.forget(connection)
        idle = self._idle[connection.endpoint]
        if connection in idle:
            idle.remove(connection)
            self.idle -= 1
        self._freed()

    def _freed(self) -> None:
        """There is room for one connection more."""
        self.open -= 1
        while self._queue and not self._closed:
            waiter = self._queue.popleft()
            exchange = waiter.take()
            if exchange is not None:
                self._open(exchange, waiter.endpoint)
                return

    def trim(self) -> None:
        """Close the longest idle beyond `max_idle`, if they were idle for five seconds."""
        surplus = self.idle - self.limits.max_idle
        resting = sorted((c for idle in self._idle.values() for c in idle), key=lambda c: c.idle_since)
        for connection in resting[: max(surplus, 0)]:
            if connection.idle_since > self._ripe:
                self._trim_in(connection.idle_since - self._ripe)
                break
            connection.leave()

    def _trim_in(self, seconds: float) -> None:
        self.wheel.arm(self._trim, seconds)
        self._ripe = self._trim.deadline - _TRIM_AFTER

    def close(self) -> None:
        """End every idle connection and refuse the queue; busy ones end with their exchange."""
        self._closed = True
        self.wheel.forget(self._trim)
        for idle in self._idle.values():
            while idle:
                idle[-1].leave()
        while self._queue:
            exchange = self._queue.popleft().take()
            if exchange is not None:
                exchange.failed(PoolFull("the gateway is stopping"))
