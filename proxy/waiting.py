"""Awaiting what a hook gave, so that whatever comes of it is a value; and the one thing to wait for without a task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from inspect import isawaitable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# What somebody else's code may raise: also the SystemExit of a library that was written for scripts, by which one
# request would end the whole gateway. KeyboardInterrupt is the operator's own.
RAISED = (Exception, SystemExit)

# Whatever a plugin raises is its failure: also a CancelledError that comes out of a hook which does not wait, or out
# of something that a hook waited for, while nobody has cancelled the exchange.
FAILURES = (*RAISED, asyncio.CancelledError)


class Failed:
    """A hook that waited has raised."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


async def outcome(given: Any) -> Any:
    """What a hook's awaitable gives, or Failed; a hook that gave no awaitable at all has given that."""
    try:
        return await given if isawaitable(given) else given
    except FAILURES as error:
        return Failed(error)


class Later(Generic[T]):
    """What a hook gives that has to wait for a moment, and knows who will go on: an awaitable that costs no task.

    A future tells its waiters a turn of the loop later; this tells the one that it has before `give` returns. To be
    given something once.

    :ivar dropped: whether nobody waits any more, since the client has left: what is given then goes nowhere.
    """

    __slots__ = ("_given", "_taker", "dropped")

    def __init__(self) -> None:
        self._given: list[T | Failed] = []  # while nobody has asked for it
        self._taker: Callable[[T | Failed], None] | None = None
        self.dropped = False

    def fail(self, error: BaseException) -> None:
        """Here is what the hook would have raised."""
        self.give(Failed(error))

    def give(self, result: T | Failed) -> None:
        """Here is what the hook would have returned."""
        taker, self._taker = self._taker, None
        if taker is not None:
            taker(result)
        elif not self.dropped:
            self._given.append(result)

    def then(self, taker: Callable[[T | Failed], None]) -> None:
        """Have `taker`, of which there is one, called with what comes; at once when it is here."""
        if self._given:
            taker(self._given.pop())
        else:
            self._taker = taker

    def cancel(self) -> None:
        """Nobody waits any more: the taker is told at once that nothing will come."""
        self.dropped = True
        self.give(Failed(asyncio.CancelledError()))

    def __await__(self) -> Generator[Any, None, T]:
        future: asyncio.Future[T | Failed] = asyncio.get_running_loop().create_future()
        self.then(lambda result: None if future.done() else future.set_result(result))
        try:
            result = yield from future
        except asyncio.CancelledError:
            self.dropped = True
            raise
        if isinstance(result, Failed):
            raise result.error
        return result
