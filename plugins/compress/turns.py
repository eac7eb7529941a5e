"""What is coded on the event loop, a little in each of its turns.

One answer takes less than a millisecond, but thirty-two that arrive together would hold the loop for twenty-five: every
other connection would wait for them. So a turn of the loop has a budget. What comes first is coded at once; what is
over the budget waits in line for the turns that follow, each of which has asked the system for news before.

While others wait in line, what was coded goes out by sixteens: coding sweeps the interpreter out of the processor's
caches, and so do the system's calls; what comes after them is quicker in a row.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from time import thread_time
from typing import Any, TypeAlias

from proxy.api import Failed, Later

BUDGET = 0.0012  # seconds of a turn after which no other work is begun; a single one takes less than one millisecond
_AT_ONCE = BUDGET / 2  # of them, for what has just come: the rest is for those in line
_LITTLE = 4096  # bytes: an event, say, which need not stand in line
_FOR_LITTLE = BUDGET / 4
_TOGETHER = 16  # answers that go out together; fewer once nobody is left in line

log = logging.getLogger("passerelle.plugin.compress")

Work: TypeAlias = Callable[[], Any]
_Done: TypeAlias = "tuple[Later[Any], Any]"


class Turns:
    """The budget of one event loop, and who waits for it.

    :param clock: seconds from any start, by default those for which the loop's thread has worked: what a neighbour on
        the same core takes is no reason to code less in a turn.
    """

    def __init__(self, clock: Callable[[], float] = thread_time) -> None:
        self._clock = clock
        self._line: deque[tuple[Work, Later[Any]]] = deque()
        self._spent = 0.0  # seconds in this turn and the one before it, between which the loop may not have looked up
        self._before = 0.0  # of them, those of the one before
        self._done: list[_Done] = []
        self._armed = False

    def room(self, size: int) -> bool:
        """Whether work on so many bytes may be done at once."""
        if size <= _LITTLE and self._spent - self._before < _FOR_LITTLE:
            return True
        return not self._line and self._spent < _AT_ONCE

    def now(self, work: Callable[[], bytes]) -> bytes:
        """Do it at once, and count it."""
        start = self._clock()
        try:
            return work()
        finally:
            self._spent += self._clock() - start
            if not self._armed:
                self._arm()

    def later(self, work: Work) -> Later[Any]:
        """Do it when those before it have been done; who leaves gives up the place.

        :returns: gives what `work` returns, or fails by what it raises.
        """
        later: Later[Any] = Later()
        self._line.append((work, later))
        if not self._armed:
            self._arm()
        return later

    def _arm(self) -> None:
        self._armed = True
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """The loop turns: do what the budget still has room for, or tell who waits, and begin a new one."""
        self._armed = False
        before, full = self._before, len(self._done) >= _TOGETHER
        if not full:
            self._work(before + BUDGET)
        self._before = self._spent = self._spent - before
        if full or not self._line:
            self._tell()
        if (self._spent or self._line or self._done) and not self._armed:
            self._arm()  # what was spent counts until the loop has turned again: only then has it looked for news

    def _work(self, end: float) -> None:
        while self._line and self._spent < end:
            work, later = self._line.popleft()
            if later.dropped:
                continue
            start = self._clock()
            try:
                self._done.append((later, work()))
            except Exception as error:  # it is told to who waits for it
                self._done.append((later, Failed(error)))
            self._spent += self._clock() - start

    def _tell(self) -> None:
        """Whoever is done goes on; one that cannot does not keep the others waiting."""
        done, self._done = self._done, []
        for later, result in done:
            try:
                later.give(result)
            except Exception as raised:
                log.error("who waited for a coded body failed", exc_info=raised)
