"""What a route does instead of answering with a failure: ask another upstream, or give a fixed answer.

It comes into play once, after the upstream's own rules for trying again have said no: there is no fallback of a
fallback, so that a request always ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxy.errors import DeadlinePassed, GatewayError, UpstreamError, cause_of
from proxy.exchange import Exchange
from proxy.message import Response

RESPOND = "respond"  # the name of a fixed answer
_UNSENT = frozenset({"connect", "unavailable"})


def _untold(cause: str) -> None:
    """Nobody counts."""


class Fallback:
    """One route's way out.

    :ivar name: of the other upstream; `respond` for a fixed answer.
    :ivar causes: :see: `proxy.errors.cause_of`; statuses each by itself.
    :ivar plan: the route's `proxy.plan.Plan` with the other upstream, or None.
    :ivar answer: makes the fixed answer, or None.
    :ivar about: in words, for `explain`.
    :ivar told: called with the cause whenever it is used.
    """

    __slots__ = ("about", "answer", "causes", "name", "plan", "told")

    def __init__(
        self,
        causes: frozenset[str],
        *,
        plan: Any = None,
        name: str = RESPOND,
        answer: Callable[[], Response] | None = None,
        about: str = "",
        told: Callable[[str], None] = _untold,
    ) -> None:
        self.causes = causes
        self.plan = plan
        self.name = name
        self.answer = answer
        self.about = about
        self.told = told

    def takes(self, x: Exchange, failure: GatewayError | int) -> bool:
        """Whether this failure leads here. Another upstream needs the whole request, and time.

        What may have been processed goes to another upstream only when its method is idempotent, as with any repetition
        (RFC 9110 section 9.2.2).
        """
        cause = cause_of(failure)
        if cause not in self.causes:
            return False
        if self.plan is None:
            return True
        unsent = cause in _UNSENT and not isinstance(failure, int)
        return (x.resendable if unsent else x.repeatable) and not isinstance(failure, DeadlinePassed)

    def begin(self, x: Exchange, failure: GatewayError | int) -> Response | None:
        """Put the exchange on its new way.

        :returns: the fixed answer; None when the other upstream is to be asked.
        """
        x.fallback = self.name
        self.told(cause_of(failure))
        if self.plan is None:
            x.error = (
                failure if isinstance(failure, GatewayError) else UpstreamError(f"the upstream answered {failure}")
            )
            return Response(503) if self.answer is None else self.answer()
        x.plan.active -= 1
        x.plan = self.plan
        x.plan.active += 1
        x.patience = self.plan.patience
        x.before = x.attempts
        x.tried = ()
        x.fresh = False
        return None
