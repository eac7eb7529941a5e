"""The one path that every request takes.

The engine is synchronous until something must wait. It runs a route's hooks inward, hands the exchange to an upstream,
runs the hooks outward and gives the answer to the client's end; each step ends either by calling the next or by
returning what must be awaited first. Then, and only then, a task is made, which resumes the exchange where it stood:
`exchange.cursor` holds the place, so there is no second copy of any rule for the path that waits.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

from proxy.answers import keep_client, made_fit, replace
from proxy.clock import Clock
from proxy.errors import ClientLeft, GatewayError, NoRoute, PluginFailed
from proxy.events import EventBus
from proxy.exchange import Exchange, Phase
from proxy.faults import Faults
from proxy.flow import Spawn
from proxy.kept import Kept
from proxy.message import Duplex, Request, Response
from proxy.metrics import Metrics
from proxy.pending import Pending, Suspension
from proxy.plan import Snapshot
from proxy.ports import Drain, FetchPort, keep, let_go
from proxy.recovery import Recovery
from proxy.tally import Tally
from proxy.waiting import FAILURES, Failed

ATTEMPT, UPSTREAM, OUTWARD, DELIVER, DONE = list(Phase)[1:]  # an enum's members cost a call each time they are named

_DECIDED = (Response, Failed)  # what a hook gives that need not be awaited
_IDS = 256  # made at a time


class Engine:
    """Advances exchanges. Its methods are called by front ends and transports; none of them raises or blocks."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        events: EventBus,
        clock: Clock,
        metrics: Metrics,
        spawn: Spawn,
        randomness: random.Random | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.active = 0  # exchanges begun and not yet complete
        self.events = events
        self.clock = clock
        self._now = clock.monotonic
        self._spawn = spawn
        self._faults = Faults(events)
        self._go = Suspension(spawn, self._finish, self._faults, self._now).go
        self._recovery = Recovery(self._go, self._try, self._turn)
        self._fail = self._recovery.fail
        self._random = randomness or random.Random()  # ids are unique, not secret
        self._ids: list[str] = []
        self._traces: list[bytes] = []
        self._tally = Tally(metrics)
        self._tunnels = metrics.gauge("passerelle_tunnels_active", "Tunnels open, by their upstream.", ("upstream",))
        metrics.gauge("passerelle_requests_active", "Exchanges under way.", function=lambda: self.active)

    def new_id(self) -> str:
        """A fresh request id: 32 hexadecimal digits. Made a batch at a time, which costs a quarter."""
        ids = self._ids
        if not ids:
            text = self._random.randbytes(16 * _IDS).hex()
            ids += [text[at : at + 32] for at in range(0, 32 * _IDS, 32)]
        return ids.pop()

    def new_trace(self) -> bytes:
        """A fresh traceparent (W3C Trace Context section 3.2) whose `sampled` flag is unset; made a batch at a time."""
        traces = self._traces
        if not traces:
            text = self._random.randbytes(24 * _IDS).hex()
            made = [f"00-{text[at : at + 32]}-{text[at + 32 : at + 48]}-00" for at in range(0, 48 * _IDS, 48)]
            traces += " ".join(made).encode().split()
        return traces.pop()

    # called by the front end

    def begin(self, x: Exchange) -> None:
        """Take a new exchange: its head is known, its body may still flow."""
        x.driver = self
        self.active += 1
        snapshot = self.snapshot
        plan = snapshot.fallback
        refused: GatewayError | None = None
        try:
            route = snapshot.router.find(x.request)
            if route is not None:
                plan = route.payload
        except GatewayError as error:
            refused = error
        plan.active += 1
        x.plan = plan
        x.route = plan.name
        x.patience = patience = plan.patience
        if patience.total:
            x.deadline = x.started + patience.total
        pending = self._inward(x) if refused is None else self._fail(x, refused)
        if pending is not None:
            self._go(x, pending)

    def refuse(self, x: Exchange, error: GatewayError) -> None:
        """Answer a request that the front end cannot accept; no hook sees it on the way in."""
        x.driver = self
        self.active += 1
        x.plan = plan = self.snapshot.fallback
        plan.active += 1
        self._go(x, self._fail(x, error))

    def reply(self, x: Exchange, response: Response) -> None:
        """Give an answer that is the front end's own (RFC 9110 section 7.6.2); no hook sees it on the way in."""
        x.driver = self
        self.active += 1
        x.plan = plan = self.snapshot.fallback
        plan.active += 1
        x.cursor = plan.size
        self._go(x, self._turn(x, response))

    def delivered(self, x: Exchange, error: GatewayError | None) -> None:
        if x.phase is DONE:
            return
        if error is not None:
            x.error = x.error or error
            if isinstance(error, PluginFailed):
                self._faults.filtered(x, error)
            self._abandon(x)
        self._finish(x, error)

    def left(self, x: Exchange) -> None:
        if x.phase is DONE:
            return
        x.error = x.error or ClientLeft("the client left before its answer was complete")
        if x.detached:
            if x.phase < DELIVER:
                x.client = Drain(x, self._spawn)
            return
        self._abandon(x)
        if x.task is not None:
            x.task.cancel()  # it finishes the exchange once the hook has let go
        else:
            self._finish(x)

    # called by the transport

    def informed(self, x: Exchange, response: Response) -> None:
        if x.phase is UPSTREAM:
            x.client.informed(x, response)

    def answered(self, x: Exchange, response: Response) -> None:
        if x.phase is not UPSTREAM:
            response.close()
            return
        x.upstream_status = response.status
        x.plan.upstream.answered(x, response)
        if response.status >= 500 and self._recovery.instead(x, response.status, response):
            return
        if type(x.request.body) is Kept:
            x.request.body.settle()
        x.cursor = x.plan.size
        pending = self._turn(x, response)
        if pending is not None:
            self._go(x, pending)

    def failed(self, x: Exchange, error: GatewayError) -> None:
        if x.phase is not UPSTREAM:
            return
        x.attempt = None
        x.plan.upstream.failed(x, error)
        if isinstance(error, PluginFailed):
            self._faults.filtered(x, error)
        if not self._recovery.instead(x, error):
            self._go(x, self._fail(x, error))

    def again(self, x: Exchange) -> None:
        if x.phase is UPSTREAM:
            self._go(x, self._try(x))

    # called by plugins

    def fetch(self, x: Exchange, request: Request) -> Awaitable[Response]:
        port = FetchPort()
        child = Exchange(x.id, request, x.peer, port, self._now())
        child.parent = x
        child.floor = child.cursor = x.place
        child.plan, child.route = x.plan, x.route
        child.patience = patience = x.patience
        if x.phase is not DONE:
            child.deadline = x.deadline
        elif patience.total:
            child.deadline = child.started + patience.total
        return self.run(child, port)

    async def run(self, child: Exchange, port: FetchPort) -> Response:
        """The answer to an exchange that no client has begun."""
        child.driver = self
        self.active += 1
        child.plan.active += 1
        keep(child)
        port.future = asyncio.get_running_loop().create_future()
        self._go(child, self._inward(child))
        try:
            return await port.future
        except asyncio.CancelledError:
            child.left()
            raise

    # the way in

    def _inward(self, x: Exchange) -> Pending:
        chain = x.plan.chain
        x.hooks = hooks = chain.inward if x.cursor < 0 else chain.inward_behind(x.cursor)
        if hooks is None:
            return self._try(x)
        x.steps = steps = iter(hooks)
        try:
            for hook in steps:
                answer = hook(x)
                if answer is not None:
                    break
        except FAILURES as error:
            answer = Failed(error)
        if answer is None:
            return self._try(x)
        x.cursor = hooks.at(steps)
        if isinstance(answer, Response):
            return self._turn(x, answer)
        return self._inward_with(x, answer) if type(answer) is Failed else (answer, self._inward_with)

    def _inward_with(self, x: Exchange, answer: Any) -> Pending:
        settled = self._faults.settled(x, answer)
        return self._inward(x) if settled is None else self._turn(x, settled)

    # at the upstream

    def _try(self, x: Exchange) -> Pending:
        plan = x.plan
        upstream = plan.upstream
        if upstream is None:
            return self._fail(x, NoRoute("no route matches this request"))
        try:
            pick = upstream.pick
            x.endpoint = pick(x)
            x.target = x.request.target if plan.rewrite is None else plan.rewrite.apply(x.request.target)
        except GatewayError as error:
            return self._recovery.give_up(x, error)
        x.upstream = upstream.name
        x.attempts += 1
        x.upstream_status = 0
        x.cursor = x.floor
        if plan.chain.attempts is not None:
            x.phase = ATTEMPT
            return self._stamp(x)
        x.hooks, x.phase = None, UPSTREAM
        upstream.send(x, x.endpoint)
        return None

    def _stamp(self, x: Exchange) -> Pending:
        chain = x.plan.chain
        x.hooks = hooks = chain.attempts if x.cursor < 0 else chain.attempts_behind(x.cursor)
        if hooks is not None:
            x.steps = steps = iter(hooks)
            try:
                for hook in steps:
                    waits = hook(x)
                    if waits is not None:
                        x.cursor = hooks.at(steps)
                        return waits, self._stamped
            except FAILURES as error:
                x.cursor = hooks.at(steps)
                return self._unstamped(x, error)
        x.phase = UPSTREAM
        x.plan.upstream.send(x, x.endpoint)
        return None

    def _stamped(self, x: Exchange, result: Any) -> Pending:
        if result is None:
            return self._stamp(x)
        if isinstance(result, Failed):
            return self._unstamped(x, result.error)
        if isinstance(result, Response):
            result.close()
        return self._unstamped(x, TypeError(f"on_attempt gave {type(result).__name__}; it takes None"))

    def _unstamped(self, x: Exchange, error: BaseException) -> Pending:
        """An on_attempt hook raised: go on where its plugin allows that, else answer for it."""
        refused = self._faults.raised(x, error)
        if refused is None:
            return self._stamp(x)
        x.cursor = x.plan.size
        return self._turn(x, refused)

    # the way out

    def _turn(self, x: Exchange, response: Response) -> Pending:
        x.response = response
        now = self._now  # a call by way of the attribute would be looked up as a method first
        x.first_byte = now()
        x.phase = OUTWARD
        if x.plan.chain.outward is not None:
            return self._outward(x)
        x.hooks = None
        return self._deliver(x)

    def _outward(self, x: Exchange) -> Pending:
        hooks = x.plan.chain.outward
        if hooks is not None and (x.cursor < x.plan.size or x.floor >= 0):
            hooks = hooks.between(x.floor, x.cursor)
        x.hooks = hooks
        if hooks is not None:
            x.steps = steps = iter(hooks)
            try:
                for hook in steps:
                    answer = hook(x)
                    if answer is not None:
                        break
            except FAILURES as error:
                answer = Failed(error)
            if answer is not None:
                x.cursor = hooks.at(steps)
                return self._outward_with(x, answer) if isinstance(answer, _DECIDED) else (answer, self._outward_with)
        return self._deliver(x)

    def _outward_with(self, x: Exchange, answer: Any) -> Pending:
        settled = self._faults.settled(x, answer)
        if settled is not None:
            replace(x, settled)
        return self._outward(x)

    def _deliver(self, x: Exchange) -> Pending:
        response = x.response
        if response is not None and (response.tunnel is not None or not 200 <= response.status <= 599):
            tunnel = made_fit(x, response)
            if tunnel is not None:
                self._count_tunnel(x.upstream, tunnel)
        if x.stays is not None:
            keep_client(x)
        x.phase = DELIVER
        x.client.deliver(x)
        return None

    def _count_tunnel(self, upstream: str, tunnel: Duplex) -> None:
        child = self._tunnels.child(upstream)
        child.add()
        tunnel.on_end(lambda: child.add(-1))

    # the end

    @staticmethod
    def _abandon(x: Exchange) -> None:
        """Nobody wants the answer any more: stop the upstream's work at once."""
        attempt, x.attempt = x.attempt, None
        if attempt is not None:
            attempt.cancel()
        if x.response is not None:
            x.response.close()

    def _finish(self, x: Exchange, error: GatewayError | None = None) -> None:
        if x.phase is DONE:
            return
        x.phase = DONE
        claim = x.claim
        if claim is not None:
            x.claim = None
            claim.release(error)
        if x.attempt is not None:  # a plugin put another body in the place of the upstream's
            self._abandon(x)
        if x.limit is not None:
            x.limit.stop()
        if type(x.request.body) is Kept:
            x.request.body.forget()
        if x.fetched is not None:
            let_go(x.fetched)
        now = self._now
        x.finished = now()
        self.active -= 1
        plan = x.plan
        chain = plan.chain
        x.hooks = hooks = chain.complete if x.floor < 0 else chain.complete_inside(x.floor)
        if hooks is not None:
            x.steps = steps = iter(hooks)
            while True:
                try:
                    for hook in steps:
                        hook(x)
                    break
                except FAILURES as error:
                    x.cursor = hooks.at(steps)
                    self._faults.tell(x, error)
        plan.active -= 1
        if x.parent is None:
            self._tally.count(x, plan)
