"""The facts as typed events, and the bus they travel on.

Events tell what has happened; nothing waits for whoever listens, and nobody who listens can change the course of an
exchange. Publishing is therefore synchronous and cheap: who wants an event is looked up by its class, and when
nobody does, `wants` lets the publisher spare itself the making.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from fnmatch import translate
from types import TracebackType
from typing import Any, Self, TypeAlias

from proxy.clock import Clock
from proxy.events.brake import Brake
from proxy.events.kinds import Event, EventClass, EventsDropped, PluginError
from proxy.events.merging import Merger
from proxy.waiting import RAISED

_FAILURES = 5  # so many within _WITHIN seconds, and a subscriber is sent away
_WITHIN = 60.0

log = logging.getLogger("passerelle.events")

Kind: TypeAlias = type[Event] | str | Callable[[type[Event]], bool]
Handler: TypeAlias = Callable[[Any], None]


class _Subscriber:
    """One handler, and how it has behaved."""

    __slots__ = ("failures", "handler", "owner", "wanted")

    def __init__(self, kinds: tuple[Kind, ...], handler: Handler, owner: str) -> None:
        self.wanted = [_matcher(kind) for kind in kinds]
        self.handler = handler
        self.owner = owner
        self.failures: deque[float] = deque(maxlen=_FAILURES)


class EventBus:
    """Hands events to whoever asked for them. Not for use from other threads than the loop's.

    :ivar dropped: how many events streams have lost, by type.
    :ivar failures: how many times a subscriber has raised.
    :ivar brake: has new requests wait while there is hardly room for events that are not to be lost.
    """

    def __init__(self, clock: Clock) -> None:
        self.brake = Brake(clock.monotonic)
        self.dropped: Counter[str] = Counter()
        self.failures = 0
        self._announced: Counter[str] = Counter()
        self._others: list[Mapping[str, int]] = []
        self._merger: Merger | None = None
        self._time = clock.time
        self._now = clock.monotonic
        self._subscribers: list[_Subscriber] = []
        self._diverted: dict[type[Event], _Subscriber] = {}
        self._reach: dict[type[Event], tuple[_Subscriber, ...]] = {}  # by exact class, made when first asked for

    def publish(self, event: Event) -> None:
        """Tell everybody who listens, now. Never raises, never waits."""
        subscribers = self._reach.get(type(event))
        if subscribers is None:
            subscribers = self._resolve(type(event))
        if subscribers:
            event.time = self._time()
            if event.folds and self._merger is not None:
                self._merger.take(event)
            else:
                self._tell(subscribers, event)

    def publish_here(self, event: Event) -> None:
        """Tell those who listen in this process, also of what `divert` sends elsewhere.

        An event that was published elsewhere before keeps its time.
        """
        event.time = event.time or self._time()
        self._tell(self._wanting(type(event)), event)

    def merge(self, window: float) -> None:
        """Tell events that fold only once in so many seconds for each subject, the first at once.

        Whoever asks for it calls `flush` at the end.
        """
        self._merger = Merger(self._now, self._merged, self._lost, window)

    def advance(self) -> None:
        """Tell of what was folded, where it is time, and let requests go on that have waited long enough."""
        self.brake.advance()
        if self._merger is not None:
            self._merger.advance()

    def flush(self) -> None:
        """Tell of all that was folded."""
        if self._merger is not None:
            self._merger.flush()

    def _merged(self, event: Event) -> None:
        kind = type(event)
        self._tell(self._reach.get(kind) or self._resolve(kind), event)

    def divert(self, kinds: Iterable[type[Event]], to: Callable[[Event], None]) -> None:
        """Give events of these kinds to somebody else in place of those who listen here.

        Where several processes are one server, what concerns all of it is told once: by whoever is given it here.
        """
        self._diverted |= {kind: _Subscriber((kind,), to, "divert") for kind in kinds}
        self._reach.clear()

    def wants(self, kind: type[Event]) -> bool:
        """Whether anybody listens; what publishers ask before they make an event."""
        subscribers = self._reach.get(kind)
        return bool(self._resolve(kind) if subscribers is None else subscribers)

    def subscribe(self, kind: Kind, handler: Handler, *, owner: str = "") -> Callable[[], None]:
        """Have `handler(event)` called, synchronously, for every event of a kind.

        A handler that raises five times within a minute is unsubscribed, and a `plugin.error` tells.

        :param kind: an event class (its subclasses count), a type, a glob of types such as `quota.*` or `*`, or a
            function that says of a class whether it is wanted.
        :param owner: who to blame; the handler's own name when empty.
        :returns: a function that ends the subscription; safe to call twice.
        :raises TypeError: for a coroutine function, which nobody would await: use `stream`.
        """
        return self._add((kind,), handler, owner)

    def stream(self, *kinds: Kind, size: int = 1024) -> EventStream:
        """The events of these kinds (none: all) from now on, as an async iterator; to be closed, best by `with`.

        :param size: how many may wait. When it is full the oldest waiting one of class C goes, or if there is none,
            the new one; every loss is counted.
        """
        stream = EventStream(size, self._lost)
        stream.unsubscribe = self._add(kinds or ("*",), stream.push, "stream")
        return stream

    def count_drops(self, counts: Mapping[str, int]) -> Callable[[], None]:
        """Tell also of what somebody else loses: of counts, by type, that only grow.

        :returns: a function that ends it.
        """
        self._others.append(counts)
        return lambda: self._others.remove(counts)

    def announce_drops(self) -> None:
        """Publish `system.events_dropped` if there were any since the last call; to be called once a minute."""
        dropped = self.dropped.copy()
        for counts in self._others:
            dropped.update(counts)
        fresh = dict(dropped - self._announced)
        self._announced = dropped
        if fresh:
            self.publish(EventsDropped(fresh))

    def _add(self, kinds: tuple[Kind, ...], handler: Handler, owner: str) -> Callable[[], None]:
        if inspect.iscoroutinefunction(handler):
            raise TypeError(f"{handler.__qualname__} would never be awaited: use stream() for asynchronous work")
        subscriber = _Subscriber(kinds, handler, owner or getattr(handler, "__qualname__", type(handler).__name__))
        self._subscribers.append(subscriber)
        self._reach.clear()
        return lambda: self._remove(subscriber)

    def _remove(self, subscriber: _Subscriber) -> None:
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
            self._reach.clear()

    def _resolve(self, kind: type[Event]) -> tuple[_Subscriber, ...]:
        elsewhere = self._diverted.get(kind)
        found = self._reach[kind] = self._wanting(kind) if elsewhere is None else (elsewhere,)
        return found

    def _wanting(self, kind: type[Event]) -> tuple[_Subscriber, ...]:
        return tuple(one for one in self._subscribers if any(wants(kind) for wants in one.wanted))

    def _tell(self, subscribers: Iterable[_Subscriber], event: Event) -> None:
        for subscriber in subscribers:
            try:
                subscriber.handler(event)
            except RAISED as error:
                self._failed(subscriber, event, error)

    def _failed(self, subscriber: _Subscriber, event: Event, error: BaseException) -> None:
        self.failures += 1
        log.error("%s failed on %s", subscriber.owner, event.type, exc_info=error)
        now = self._now()
        subscriber.failures.append(now)
        if len(subscriber.failures) == _FAILURES and now - subscriber.failures[0] <= _WITHIN:
            self._expel(subscriber, error)

    def _expel(self, subscriber: _Subscriber, error: BaseException) -> None:
        """Unsubscribe for good; events under way may still reach it, but one notice is enough."""
        subscriber.failures.clear()
        if subscriber in self._subscribers:
            self._remove(subscriber)
            reason = f"unsubscribed after {_FAILURES} failures in a minute: {type(error).__name__}: {error}"
            log.error("%s is told of no more events until it is started again: %s", subscriber.owner, reason)
            self.publish(PluginError(subscriber.owner, reason))

    def _lost(self, event: Event) -> None:
        self.dropped[event.type] += 1


class EventStream(AsyncIterator[Event]):
    """Events waiting to be taken, in the order of their publishing; made by `EventBus.stream`.

    :ivar dropped: how many it has lost for want of room.
    """

    def __init__(self, size: int, lost: Callable[[Event], None]) -> None:
        if size < 1:
            raise ValueError(f"a stream holds at least one event, not {size}")
        self.dropped = 0
        self.unsubscribe: Callable[[], None] = _nothing
        self._size = size
        self._lost = lost
        self._count = 0
        self._firm: deque[tuple[int, Event]] = deque()  # classes A and B, with their place in the order
        self._loose: deque[tuple[int, Event]] = deque()  # class C: what may be lost to make room
        self._ready = asyncio.Event()
        self._closed = False

    def push(self, event: Event) -> None:
        """Put an event at the end, if there is room or room can be made."""
        if len(self) >= self._size:
            self.dropped += 1
            if not self._loose:
                self._lost(event)
                return
            self._lost(self._loose.popleft()[1])
        self._count += 1
        (self._loose if event.klass is EventClass.C else self._firm).append((self._count, event))
        self._ready.set()

    async def __anext__(self) -> Event:
        while not len(self):
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        firm, loose = self._firm, self._loose
        return (loose if not firm or (loose and loose[0][0] < firm[0][0]) else firm).popleft()[1]

    def close(self) -> None:
        """Take no more events; those that wait can still be read, then the iteration ends."""
        self._closed = True
        self.unsubscribe()
        self._ready.set()

    def __len__(self) -> int:
        return len(self._firm) + len(self._loose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _matcher(kind: Kind) -> Callable[[type[Event]], bool]:
    if isinstance(kind, str):
        pattern = re.compile(translate(kind))
        return lambda candidate: pattern.match(candidate.type) is not None
    if isinstance(kind, type):
        return lambda candidate: issubclass(candidate, kind)
    return kind


def _nothing() -> None:
    """A stream that no bus feeds has nothing to leave."""
