"""What comes after a try that failed: another try, the route's way out, or the answer that tells of the failure."""

from __future__ import annotations

from collections.abc import Callable

from proxy.answers import error_response
from proxy.errors import GatewayError
from proxy.exchange import Exchange
from proxy.fallback import Fallback
from proxy.kept import Kept
from proxy.message import Response
from proxy.pending import Pending


class Recovery:
    """The engine's way with failures.

    :param go: goes on with what is pending.
    :param again: begins a try.
    :param turn: gives an answer its way out.
    """

    __slots__ = ("_again", "_go", "_turn")

    def __init__(
        self,
        go: Callable[[Exchange, Pending], None],
        again: Callable[[Exchange], Pending],
        turn: Callable[[Exchange, Response], Pending],
    ) -> None:
        self._go = go
        self._again = again
        self._turn = turn

    def instead(self, x: Exchange, failure: GatewayError | int, response: Response | None = None) -> bool:
        """Do something about a try that failed, where that is possible; False when the failure is to be told.

        :param failure: the error, or the status of `response`, which is closed when another one takes its place.
        """
        wait = x.plan.upstream.retry_in(x, failure)
        fallback = x.plan.fallback
        if wait is None and (fallback is None or not fallback.takes(x, failure)):
            return False
        if response is not None:
            response.close()
        if wait is None:
            self._go(x, self._fall_back(x, fallback, failure))
            return True
        if x.endpoint is not None:
            x.tried += (x.endpoint,)
        if wait:
            x.plan.upstream.pause(x, wait)
        else:
            self._go(x, self._again(x))
        return True

    def give_up(self, x: Exchange, error: GatewayError) -> Pending:
        """No try can be begun."""
        fallback = x.plan.fallback
        if fallback is not None and fallback.takes(x, error):
            return self._fall_back(x, fallback, error)
        return self.fail(x, error)

    def _fall_back(self, x: Exchange, fallback: Fallback, failure: GatewayError | int) -> Pending:
        answer = fallback.begin(x, failure)
        return self._again(x) if answer is None else self._end(x, answer)

    def fail(self, x: Exchange, error: GatewayError) -> Pending:
        """Answer by the error itself."""
        x.error = error
        return self._end(x, error_response(x, error))

    def _end(self, x: Exchange, response: Response) -> Pending:
        if isinstance(x.request.body, Kept):
            x.request.body.settle()
        x.cursor = x.plan.size
        return self._turn(x, response)
