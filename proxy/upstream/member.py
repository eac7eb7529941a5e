"""A connection as its pool sees it: taken over, idle, given back, gone.

Together with `proxy.upstream.carrier` and `http1`, which carry the exchanges, the only place that touches aiohttp's
ResponseHandler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, cast

from aiohttp.client_proto import ResponseHandler

from proxy.corked import Corked
from proxy.exchange import Endpoint
from proxy.timers import Timer
from proxy.upstream.unread import listener

if TYPE_CHECKING:
    from proxy.upstream.carrier import Carrier
    from proxy.upstream.pool import Pool

_HIGH_WATER = 65536  # bytes written that the upstream has not taken yet


class _Watch(Timer):
    """The connection's one deadline."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Member) -> None:
        super().__init__()
        self._connection = connection

    def expired(self) -> None:
        self._connection.overdue()


class Member(ResponseHandler):
    """A connection to one endpoint.

    :ivar endpoint: where it leads, once a pool owns it.
    :ivar expires: clock reading from which on it is not used again; the pool's to set.
    :ivar spent: why it is not to be used again, once its exchange is over; the pool's to set.
    :ivar heard: tells what the upstream has said or done of which the loop does not know yet, while nothing was asked
        of it. The next request must not go this way then: it would be lost, or get an answer that is not its own.
    :ivar uses: exchanges that it was given.
    :ivar why: the reason for which it was closed, in a word for metrics; empty when the upstream did it.
    """

    # slots beside ResponseHandler's dictionary, which is past the size up to which attributes of it are fast
    __slots__ = ("_idle_for", "_member", "_pool", "_watch", "endpoint", "expires", "heard", "spent", "uses", "why")

    endpoint: Endpoint
    heard: Callable[[], str]

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._pool: Pool | None = None
        self._member = False  # whether the pool counts it
        self.heard = str  # nothing, until there is a socket to ask
        self._idle_for = 0.0  # seconds that it may be idle
        self.expires = inf
        self.spent = ""
        self.uses = 0
        self.why = ""

    def adopt(self, pool: Pool, endpoint: Endpoint) -> bool:
        """Belong to a pool; False when the upstream spoke first or has gone already."""
        if self._tail or self.transport is None or self.transport.is_closing():
            self.close()
            return False
        heard = listener(self.transport)
        if heard is not None:
            self.heard = heard
        if self.heard():
            self.close()
            return False
        if pool.flusher is not None:
            self.transport = Corked(self.transport, pool.flusher, hasty=heard is not None)
        self._pool = pool
        self._member = True
        self.endpoint = endpoint
        self._watch = _Watch(self)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER)
        return True

    @property
    def usable(self) -> bool:
        """Whether another exchange may begin on it."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def peer(self) -> str:
        """The address that it leads to; empty over a Unix socket."""
        name = None if self.transport is None else self.transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    @property
    def idle_since(self) -> float:
        """Clock reading when it became idle."""
        return self._watch.deadline - self._idle_for

    def rest(self, seconds: float) -> None:
        """Be idle, for so long at most."""
        self._idle_for = seconds
        if self._pool is not None:
            self._pool.wheel.arm(self._watch, seconds)

    def leave(self, why: str) -> None:
        """Close an idle connection; the pool has its room back at once, not when the loop gets to it."""
        self.why = why
        self._resign()
        self._discard(why)

    def _resign(self) -> None:
        """Count no more as the pool's."""
        if self._pool is not None and self._member:
            self._member = False
            self._pool.lost(cast("Carrier", self))  # what it keeps are those that carry exchanges

    def _discard(self, why: str) -> None:
        self.why = why
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The upstream closed, or we did."""
        super().connection_lost(exc)
        self._resign()
        if self._pool is not None:
            self._pool.wheel.forget(self._watch)

    def overdue(self) -> None:
        """The deadline passed: by itself a connection is idle, and has been for long enough."""
        self.leave("idle_timeout")
