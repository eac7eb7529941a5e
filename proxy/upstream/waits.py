"""The clocks that run beside an exchange's tries: until a try must be answered, until all must, until the next one.

All of them are on the one wheel. It turns ten times a second, which is too coarse for a wait of milliseconds between
two tries; so it is turned faster while anybody waits.
"""

from __future__ import annotations

import asyncio
from math import inf

from proxy.errors import DeadlinePassed, GatewayError, UpstreamTimeout
from proxy.exchange import Exchange, Phase
from proxy.timers import Timer, Wheel

_FINE = 0.005  # seconds between two turns of the wheel while an exchange waits for its next try


class Limit(Timer):
    """What is left of an exchange's time: for the try under way, and for all of it.

    :param exchange: has no limit yet.
    """

    __slots__ = ("_exchange", "_try_ends", "_wheel")

    def __init__(self, exchange: Exchange, wheel: Wheel) -> None:
        super().__init__()
        self._exchange = exchange
        self._wheel = wheel
        self._try_ends = inf

    def begin(self, now: float, per_try: float) -> None:
        """A try begins.

        :param per_try: seconds until the head of its answer; 0.0 without a limit.
        """
        self._try_ends = now + per_try if per_try else inf
        self._arm(now)

    def rest(self) -> None:
        """No try is under way."""
        self._try_ends = inf

    def stop(self) -> None:
        """:see: `proxy.exchange.Limit.stop`."""
        self._wheel.forget(self)

    def _arm(self, now: float) -> None:
        ends = min(self._try_ends, self._exchange.deadline)
        if ends != inf:
            self._wheel.arm(self, max(0.0, ends - now))

    def expired(self) -> None:
        """The time of the try, or of the exchange, is over."""
        exchange, now = self._exchange, self._wheel.now()
        if now >= exchange.deadline:
            _end(exchange, DeadlinePassed("the time for the whole exchange is over"))
        elif now >= self._try_ends and exchange.phase is Phase.UPSTREAM:
            _end(exchange, UpstreamTimeout("the try was not answered in time"))
        else:  # its answer has begun
            self._try_ends = inf
            self._arm(now)


def _end(exchange: Exchange, error: GatewayError) -> None:
    """Stop the attempt; an answer that is under way fails."""
    attempt, exchange.attempt = exchange.attempt, None
    if attempt is not None:
        attempt.cancel(error)
    if exchange.phase is Phase.UPSTREAM:
        exchange.failed(error)


class Pause(Timer):
    """The wait before a further try; as the exchange's attempt it ends at once when the client leaves."""

    __slots__ = ("_exchange", "_pauses")

    def __init__(self, pauses: Pauses, exchange: Exchange) -> None:
        super().__init__()
        self._pauses = pauses
        self._exchange = exchange

    def expired(self) -> None:
        """Go on."""
        self._pauses.over(self)
        self._exchange.attempt = None
        self._exchange.again()

    def cancel(self, reason: GatewayError | None = None) -> None:
        """:see: `proxy.exchange.Attempt.cancel`."""
        self._pauses.over(self)


class Pauses:
    """The waits of one upstream's exchanges.

    :ivar open: how many wait now.
    """

    __slots__ = ("_turning", "_wheel", "open")

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self._turning = False
        self.open = 0

    def begin(self, exchange: Exchange, seconds: float) -> None:
        """Call `exchange.again()` after so many seconds."""
        if isinstance(exchange.limit, Limit):
            exchange.limit.rest()
        pause = exchange.attempt = Pause(self, exchange)
        self.open += 1
        self._wheel.arm(pause, seconds)
        if not self._turning:
            self._turn_soon()

    def over(self, pause: Pause) -> None:
        """It ended, or nobody waits for its end any more."""
        self.open -= 1
        self._wheel.forget(pause)

    def _turn_soon(self) -> None:
        self._turning = True
        asyncio.get_running_loop().call_later(_FINE, self._turn)

    def _turn(self) -> None:
        self._turning = False
        self._wheel.advance()
        if self.open and not self._turning:
            self._turn_soon()
