"""What an exchange waits for, and the one task that resumes it where it stood.

The engine's steps return what must be awaited instead of awaiting it; a task is made only then, and lives until the
exchange no longer waits. A `Later` resumes its exchange by itself, and needs none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import Any, TypeAlias

from proxy.errors import DeadlinePassed, GatewayError
from proxy.exchange import Exchange
from proxy.faults import Faults
from proxy.flow import Spawn
from proxy.message import Response
from proxy.waiting import Failed, Later, outcome

# What a step returns: nothing, or what must be awaited and who takes its result.
Pending: TypeAlias = "tuple[Awaitable[Any], Callable[[Exchange, Any], Pending]] | None"

log = logging.getLogger("passerelle.engine")

# Seconds that a hook has beyond the deadline: what it fetched ends at that moment, and may be made something of, such
# as a stale answer; and an answer about a deadline has hooks before it, too.
_SLACK = 1.0


class Suspension:
    """Awaits for exchanges.

    :param finish: ends an exchange whose waiting was cancelled.
    :param now: the clock that deadlines are readings of.
    """

    __slots__ = ("_faults", "_finish", "_now", "_spawn")

    def __init__(
        self, spawn: Spawn, finish: Callable[[Exchange], None], faults: Faults, now: Callable[[], float]
    ) -> None:
        self._spawn = spawn
        self._finish = finish
        self._faults = faults
        self._now = now

    def go(self, x: Exchange, pending: Pending) -> None:
        """Go on once what is pending has come, in a task; at once done when nothing is."""
        if pending is None:
            return
        first, resume = pending
        if type(first) is Later and x.deadline == inf:
            x.task = first
            first.then(partial(self._came, x, first, resume))
            return
        x.task = self._spawn(self._drive(x, pending))
        x.task.add_done_callback(lambda task: self._waited(x, task, first))

    def _came(self, x: Exchange, later: Later[Any], resume: Callable[[Exchange, Any], Pending], result: Any) -> None:
        """What came later is here; where nobody waits for it any more, the exchange ends here."""
        x.task = None
        if later.dropped:
            self._finish(x)
        else:
            self.go(x, resume(x, result))

    def _waited(self, x: Exchange, task: asyncio.Task[None], first: Awaitable[Any]) -> None:
        """The task is over; where it was cancelled, perhaps before its first step, the exchange ends here."""
        if task.cancelled():
            if asyncio.iscoroutine(first):
                first.close()
            self._finish(x)

    async def _drive(self, x: Exchange, pending: Pending) -> None:
        """Await for the exchange, and resume it where it stood, as often as that is needed."""
        task = asyncio.current_task()
        while pending is not None:
            awaitable, resume = pending
            result = await (outcome(awaitable) if x.deadline == inf else self._in_time(x, awaitable))
            if task is not None and task.cancelling():  # the hook has let go, in its own way: nobody wants its answer
                self._forsaken(x, result)
                raise asyncio.CancelledError
            x.task = None
            pending = resume(x, result)
            if pending is not None:
                x.task = task

    async def _in_time(self, x: Exchange, awaitable: Awaitable[Any]) -> Any:
        """As `outcome`, but that a hook which has not done when the exchange's time is over is cancelled for it."""
        async with asyncio.timeout(max(0.0, x.deadline - self._now()) + _SLACK) as limit:
            result = await outcome(awaitable)
        if not limit.expired():
            return result
        if isinstance(result, Response):
            result.close()
        log.warning(
            "plugin %s still waited when the time for request %s was over", x.plan.chain.links[x.cursor].id, x.id
        )
        return Failed(DeadlinePassed("the time for the whole exchange is over"))

    def _forsaken(self, x: Exchange, result: Any) -> None:
        """What a hook made although its client has left."""
        if isinstance(result, Response):
            result.close()
        elif isinstance(result, Failed) and not isinstance(result.error, GatewayError | asyncio.CancelledError):
            self._faults.tell(x, result.error)
