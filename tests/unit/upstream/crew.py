"""Targets without an upstream, on a clock and a wheel that the test turns, and exchanges that choose among them."""

from __future__ import annotations

import random
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from proxy.clock import ManualClock
from proxy.errors import ConnectRefused, GatewayError, UpstreamReset
from proxy.events import Event, EventBus
from proxy.exchange import Endpoint, Exchange
from proxy.headers import Headers
from proxy.message import Request, Response
from proxy.peer import Peer
from proxy.timers import Wheel
from proxy.upstream.balance import Balancer, RoundRobin
from proxy.upstream.breaker import Breaker
from proxy.upstream.condition import Condition, Target
from proxy.upstream.edges import Edge, Teller
from proxy.upstream.ejection import Means, Rules
from proxy.upstream.targets import Targets

RESET = UpstreamReset("it died")
REFUSED = ConnectRefused("it refused")


class Nobody:
    """A client's end that is never reached."""

    def informed(self, exchange: Exchange, response: Response) -> None:
        raise AssertionError("nothing is sent here")

    def deliver(self, exchange: Exchange) -> None:
        raise AssertionError("nothing is sent here")


def endpoint(number: int, weight: int = 1) -> Endpoint:
    return Endpoint(f"http://a:{number}", "http", "a", number, weight=weight)


def endpoints(*weights: int) -> list[Endpoint]:
    """One for each weight, on the ports 1, 2, 3 and so on."""
    return [endpoint(number, weight) for number, weight in enumerate(weights, 1)]


def exchange(
    target: str = "/", headers: Mapping[str, str] | None = None, *, client: str = "192.0.2.1", scheme: str = "http"
) -> Exchange:
    return Exchange(
        "id", Request("GET", target, scheme=scheme, headers=Headers(headers or {})), Peer(client), Nobody(), 0.0
    )


class Crew:
    """What targets need, and some of them.

    :ivar told: events, oldest first.
    :ivar open: ports that take connections; a knock at any other fails.
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.wheel = Wheel(self.clock)
        self.random = random.Random(7)
        self.events = EventBus(self.clock)
        self.told: list[Event] = []
        self.events.subscribe("*", self.told.append)
        self.open: set[int] = set()
        self.knocks: list[int] = []
        self.teller = Teller(self.events, self.clock, self.wheel)
        self.means = Means(self.clock, self.wheel, self.random, self._run, self._knock)

    async def _knock(self, at: Endpoint) -> None:
        self.knocks.append(at.port)
        if at.port not in self.open:
            raise ConnectRefused("nobody is there")

    def _run(self, work: Coroutine[Any, Any, None]) -> Any:
        """Knocking does not wait here, so its one step is its last."""
        try:
            work.send(None)
        except StopIteration:
            return
        raise AssertionError("a knock waits for something")

    def targets(
        self,
        *weights: int,
        balancer: Balancer | None = None,
        rules: Rules | None = None,
        breaker: Breaker | None = None,
        slow_start: float = 0.0,
    ) -> Targets:
        chooser = RoundRobin() if balancer is None else balancer
        return Targets(
            "app",
            endpoints(*weights),
            chooser,
            self.means,
            self.teller,
            rules=rules,
            breaker=breaker,
            slow_start=slow_start,
        )

    def pass_time(self, seconds: float, step: float = 0.1) -> None:
        """Let time pass, and what is due in it happen."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            self.wheel.advance()

    def types(self) -> list[str]:
        return [event.type for event in self.told]


def alone(*weights: int) -> list[Target]:
    """Targets that nobody watches, for balancers."""
    crew = Crew()
    edge = Edge(crew.teller, _untold, _untold)
    return [Target(one, Condition(_Careless(), edge)) for one in endpoints(*weights)]


class _Careless:
    def blame(self, condition: Condition, cause: GatewayError | int) -> None:
        raise AssertionError("nothing fails here")

    def restore(self, condition: Condition, reason: str) -> None:
        raise AssertionError("nothing comes back here")


def _untold(reason: str) -> Event:
    raise AssertionError("nothing is told here")


def attempt(targets: Targets, x: Exchange | None = None) -> tuple[Exchange, int]:
    """Pick, as the engine does; the exchange and the port."""
    x = x or exchange()
    x.endpoint = targets.pick(x)
    x.attempts += 1
    return x, x.endpoint.port


def succeed(targets: Targets) -> int:
    """One whole request that is answered well; its port."""
    x, port = attempt(targets)
    assert x.claim is not None
    x.claim.succeeded()
    end(x)
    return port


def fail(targets: Targets, cause: GatewayError | int = RESET, x: Exchange | None = None) -> int:
    """One try that fails; its port."""
    x, port = attempt(targets, x)
    assert x.claim is not None
    if isinstance(cause, int):
        x.claim.failed(cause)
    else:
        targets.failed(x, cause)
    assert x.endpoint is not None
    x.tried += (x.endpoint,)
    return port


def end(x: Exchange, error: GatewayError | None = None) -> None:
    """The exchange is over."""
    claim, x.claim = x.claim, None
    if claim is not None:
        claim.release(error)


def fail_at(targets: Targets, port: int, cause: GatewayError | int = RESET) -> None:
    """A request of its own that goes to this target and fails there."""
    target = targets[f"http://a:{port}"]
    target.condition.active += 1
    target.condition.failed(cause)
    target.condition.release(None)


def ports(picked: Sequence[Target]) -> list[int]:
    return [target.endpoint.port for target in picked]
