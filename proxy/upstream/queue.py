"""Those who wait for a connection: in the order in which they came, each with an end to its patience.

Endpoints that share a pool share its queue. A connection that is free could serve whoever asked for the same endpoint,
and only closing it could serve another; so strict order would make a new connection for nearly every request of a busy
upstream with several endpoints, just when that hurts. Fair is here: nobody waits for more than a tenth of a second
longer than one who came later. Within one endpoint the order is strict. Routes are not told apart.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from proxy.clock import Clock
from proxy.errors import GatewayError, PoolFull
from proxy.exchange import Endpoint, Exchange
from proxy.timers import Timer, Wheel
from proxy.upstream.condition import let_go

_FAIR = 0.1  # seconds by which one may be overtaken


class Waiter(Timer):
    """An exchange in the queue; as its attempt it can be cancelled.

    :ivar since: clock reading when it came.
    """

    __slots__ = ("_queue", "endpoint", "exchange", "since")

    def __init__(self, queue: Queue, exchange: Exchange, endpoint: Endpoint, since: float) -> None:
        super().__init__()
        self._queue = queue
        self.exchange = exchange
        self.endpoint = endpoint
        self.since = since

    def expired(self) -> None:
        """Waited for too long."""
        self.refuse(PoolFull("every connection to the upstream is busy", retry_after=1))

    def cancel(self, reason: GatewayError | None = None) -> None:
        """The exchange is over; its place is free at once. No target is to blame for a time that ended here."""
        self._queue.leave(self)
        if reason is not None:
            self._queue.refused(reason)
            let_go(self.exchange)

    def refuse(self, error: PoolFull) -> None:
        """It gets no connection."""
        self._queue.leave(self)
        self._queue.refused(error)
        self.exchange.failed(error)


class Queue:
    """The exchanges that wait for one pool.

    :ivar waiting: all of them, in the order of their coming; not to be changed.

    :param limit: the most that may wait.
    :param seconds: the longest that one may wait.
    :param waited: told how long each has waited, in seconds, whatever became of it.
    :param refused: told of each that is refused, or whose own time ended before.
    """

    def __init__(
        self,
        limit: int,
        seconds: float,
        *,
        clock: Clock,
        wheel: Wheel,
        waited: Callable[[float], None],
        refused: Callable[[GatewayError], None],
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._now = clock.monotonic
        self._wheel = wheel
        self._waited = waited
        self.refused = refused
        self.waiting: OrderedDict[Waiter, None] = OrderedDict()
        self._lanes: dict[Endpoint, OrderedDict[Waiter, None]] = {}

    def __len__(self) -> int:
        return len(self.waiting)

    def join(self, exchange: Exchange, endpoint: Endpoint) -> bool:
        """Wait; False when too many do already, in which case the exchange has failed."""
        if len(self.waiting) >= self._limit:
            error = PoolFull("too many requests wait for the upstream", retry_after=1)
            self.refused(error)
            exchange.failed(error)
            return False
        waiter = exchange.attempt = Waiter(self, exchange, endpoint, self._now())
        self.waiting[waiter] = None
        self._lanes.setdefault(endpoint, OrderedDict())[waiter] = None
        self._wheel.arm(waiter, self._seconds)
        return True

    def leave(self, waiter: Waiter) -> None:
        """Wait no more; it is the caller's to say what becomes of the exchange."""
        if waiter not in self.waiting:
            return
        del self.waiting[waiter]
        lane = self._lanes[waiter.endpoint]
        del lane[waiter]
        if not lane:
            del self._lanes[waiter.endpoint]
        self._wheel.forget(waiter)
        waiter.exchange.attempt = None
        self._waited(self._now() - waiter.since)

    @property
    def first(self) -> Waiter | None:
        """Who came first of all."""
        return next(iter(self.waiting), None)

    def next_for(self, endpoint: Endpoint) -> Waiter | None:
        """Whose turn it is when a connection to `endpoint` is free."""
        first, lane = self.first, self._lanes.get(endpoint)
        if first is None or lane is None:
            return first
        own = next(iter(lane))
        return first if own.since - first.since > _FAIR else own
