"""Active health checks: probes that take a target out before a request finds it dead.

Each target has a timer, and each probe travels as an exchange of its own through a transport of its own, with the same
parser, TLS and deadlines as real requests and without a place in their pool. A checker cannot die: its timer is armed
before anything else is done, a probe that is still under way when it expires is given up, and what raises is logged
and counted.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from proxy.errors import BodyTooLarge, GatewayError, UpstreamTimeout
from proxy.exchange import Endpoint, Exchange
from proxy.message import Headers, Request, Response
from proxy.patience import Patience
from proxy.peer import Peer
from proxy.timers import Timer
from proxy.upstream.condition import Target, identity
from proxy.upstream.ejection import Means, name
from proxy.upstream.probing import Probing

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from proxy.upstream.targets import Targets

_BODY = 65536  # bytes of an answer that are looked at

log = logging.getLogger("passerelle.health")

Send = Callable[[Exchange, Endpoint], None]


class Check:
    """What a probe asks, and which answers are healthy.

    :ivar path: the target of the probe.
    :ivar statuses: ranges of healthy statuses, both ends included.
    :ivar body: what the answer's body must match somewhere; None looks at no body.
    :ivar host: the Host field; `""` for the target's own.
    :ivar every: seconds between two probes of a target.
    :ivar jitter: share by which that varies to both sides.
    :ivar timeout: seconds for a whole probe.
    :ivar fall: failures in a row until a target is out.
    :ivar rise: successes in a row until it is back.
    """

    __slots__ = ("body", "every", "fall", "host", "jitter", "method", "path", "rise", "statuses", "timeout")

    def __init__(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        statuses: Collection[tuple[int, int]] = ((200, 399),),
        body: re.Pattern[bytes] | None = None,
        host: str = "",
        every: float = 10.0,
        jitter: float = 0.1,
        timeout: float = 2.0,
        fall: int = 3,
        rise: int = 2,
    ) -> None:
        self.path = path
        self.method = method
        self.statuses = tuple(statuses)
        self.body = body
        self.host = host
        self.every = every
        self.jitter = jitter
        self.timeout = timeout
        self.fall = fall
        self.rise = rise


class Checker:
    """Probes one upstream's targets.

    :ivar restarts: how often a check raised or hung, and began again.
    """

    def __init__(
        self, check: Check, targets: Targets, means: Means, send: Send, probing: Probing | None = None
    ) -> None:
        self._probing = probing or Probing()
        self.check = check
        self.restarts = 0
        self.targets = targets
        self.means = means
        self.send = send
        self._probers: dict[Endpoint, Prober] = {}
        self._started = False

    def start(self) -> None:
        """Begin; first probes are spread over the interval."""
        self._started = True
        self._probing.add(self)
        self.follow()

    def follow(self) -> None:
        """Probe the targets that there are now, and no others; none while another process probes."""
        if not self._started:
            return
        there = self.targets.endpoints if self._probing.leads else ()
        for endpoint in [known for known in self._probers if known not in there]:
            self._probers.pop(endpoint).stop()
        for endpoint in there:
            if endpoint not in self._probers:
                prober = self._probers[endpoint] = Prober(self, endpoint)
                self.targets[endpoint].condition.probed_at = self.means.now()
                self.means.wheel.arm(prober, self.check.every * self.means.random())

    def ages(self) -> dict[str, float]:
        """Seconds since the last probe of each target ended, or since probing began."""
        now = self.means.now()
        return {identity(endpoint): now - self.targets[endpoint].condition.probed_at for endpoint in self._probers}

    def verdict(self, endpoint: Endpoint, wrong: str) -> None:
        """A probe is over.

        :param wrong: what was wrong with its answer; `""` for nothing.
        """
        self._judge(self.targets[endpoint], wrong)
        self._probing.found(self, identity(endpoint), wrong)

    def take(self, name: str, wrong: str) -> None:
        """Another process has probed a target, which is named by its `identity`."""
        with suppress(KeyError):
            self._judge(self.targets[name], wrong)

    def _judge(self, target: Target, wrong: str) -> None:
        target.condition.probed_at = self.means.now()
        probes = self._count(target, not wrong)
        if probes == self.check.rise:
            self.targets.probed(target, True, f"{probes} probes in a row succeeded")
        elif probes == -self.check.fall:
            self.targets.probed(target, False, f"{-probes} probes in a row failed, the last one: {wrong}")

    def _count(self, target: Target, well: bool) -> int:
        """Successes in a row, or below zero failures in a row; no further than matters."""
        condition = target.condition
        before = condition.probes
        if well:
            condition.probes = min(max(before, 0) + 1, self.check.rise)
        else:
            condition.probes = max(min(before, 0) - 1, -self.check.fall)
        return condition.probes

    def pause(self) -> float:
        """Seconds until the next probe of a target."""
        check = self.check
        return check.every * (1 + check.jitter * (2 * self.means.random() - 1))

    def close(self) -> None:
        """Probe no more."""
        self._started = False
        self._probing.remove(self)
        for prober in self._probers.values():
            prober.stop()
        self._probers.clear()

    def describe(self) -> str:
        """In words, for an explanation."""
        check = self.check
        statuses = ", ".join(f"{low}-{high}" if low != high else str(low) for low, high in check.statuses)
        body = "" if check.body is None else f" and a body that matches {check.body.pattern.decode()!r}"
        asks = f"{check.method} {check.path} every {check.every:g} s expects {statuses}{body}"
        return f"{asks} within {check.timeout:g} s; out after {check.fall}, back after {check.rise}"


class Prober(Timer):
    """One target's probes, one at a time; the driver of each."""

    __slots__ = ("_checker", "_endpoint", "_exchange")

    def __init__(self, checker: Checker, endpoint: Endpoint) -> None:
        super().__init__()
        self._checker = checker
        self._endpoint = endpoint
        self._exchange: Exchange | None = None

    def expired(self) -> None:
        """The next probe is due, or the one under way takes too long."""
        checker = self._checker
        late = self._exchange is not None
        checker.means.wheel.arm(self, checker.pause() if late else checker.check.timeout)
        if late:
            self._end(f"no answer within {checker.check.timeout:g} s")
            return
        try:
            self._begin()
        except Exception as error:
            self._broke(error)

    def _begin(self) -> None:
        check = self._checker.check
        host = check.host or self._endpoint.host_field or self._endpoint.authority
        fields = Headers({"User-Agent": "passerelle-health", "Connection": "close"})
        request = Request(check.method, check.path, scheme=self._endpoint.scheme, host=host, headers=fields)
        exchange = Exchange("", request, Peer(""), _NOBODY, self._checker.means.now())
        exchange.driver = self
        exchange.endpoint = self._endpoint
        exchange.patience = Patience(check.timeout, check.timeout, check.timeout)
        exchange.fresh = True  # what is asked is whether it takes connections, too
        self._exchange = exchange
        self._checker.send(exchange, self._endpoint)

    def _end(self, wrong: str) -> None:
        """The probe is over; the next one is due after the pause."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        attempt, exchange.attempt = exchange.attempt, None
        if attempt is not None:
            attempt.cancel()
        if exchange.response is not None:
            exchange.response.close()
        self._checker.means.wheel.arm(self, self._checker.pause())
        try:
            self._checker.verdict(self._endpoint, wrong)
        except Exception as error:
            self._broke(error)

    def _broke(self, error: BaseException) -> None:
        self._checker.restarts += 1
        log.error("the health check of %s failed and begins again", self._endpoint, exc_info=error)
        self._exchange = None
        self._checker.means.wheel.arm(self, self._checker.pause())

    def stop(self) -> None:
        """Probe no more."""
        exchange, self._exchange = self._exchange, None
        self._checker.means.wheel.forget(self)
        if exchange is not None and exchange.attempt is not None:
            exchange.attempt.cancel()

    # called by the transport

    def informed(self, exchange: Exchange, response: Response) -> None:
        """Interim answers say nothing."""

    def answered(self, exchange: Exchange, response: Response) -> None:
        """The answer's head is here."""
        if exchange is not self._exchange:
            response.close()
            return
        exchange.response = response
        check = self._checker.check
        if not any(low <= response.status <= high for low, high in check.statuses):
            self._end(f"status {response.status}")
        elif check.body is None:
            self._end("")
        else:
            self._checker.means.spawn(self._read(exchange, response, check.body))

    async def _read(self, exchange: Exchange, response: Response, pattern: re.Pattern[bytes]) -> None:
        try:
            found = pattern.search(await response.body.read(_BODY))
            wrong = "" if found else "the body does not match"
        except BodyTooLarge:
            wrong = f"the body is over {_BODY} bytes"
        except GatewayError as error:
            wrong = name(error)
        if exchange is self._exchange:
            self._end(wrong)

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        """There is no answer."""
        if exchange is self._exchange:
            self._end("no answer in time" if isinstance(error, UpstreamTimeout) else error.detail or name(error))

    def again(self, exchange: Exchange) -> None:
        """A probe is one try."""

    def delivered(self, exchange: Exchange, error: GatewayError | None) -> None:
        """Nobody takes answers to probes."""

    def left(self, exchange: Exchange) -> None:
        """Nobody waits for answers to probes."""

    def fetch(self, exchange: Exchange, request: Request) -> Awaitable[Response]:
        """:raises RuntimeError: a probe passes no plugin that could fetch."""
        raise RuntimeError("a probe passes no plugin")


class _Nobody:
    """The client's end of a probe."""

    def informed(self, exchange: Exchange, response: Response) -> None:
        """Nobody is there to be told."""

    def deliver(self, exchange: Exchange) -> None:
        """The prober takes the answer itself."""


_NOBODY = _Nobody()
