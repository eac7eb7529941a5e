from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import pytest

from proxy.clock import ManualClock
from proxy.events import (
    Event,
    EventBus,
    EventClass,
    EventsDropped,
    EventStream,
    PluginError,
    RequestCompleted,
)


@dataclass(slots=True, eq=False)
class OrderPaid(Event):
    """An order was paid."""

    type: ClassVar[str] = "shop.order.paid"
    klass: ClassVar[EventClass] = EventClass.B

    order: int


@dataclass(slots=True, eq=False)
class OrderPaidTwice(OrderPaid):
    """An order was paid again."""

    type: ClassVar[str] = "shop.order.paid_twice"


@dataclass(slots=True, eq=False)
class PageSeen(Event):
    """A page was seen."""

    type: ClassVar[str] = "site.page_seen"
    klass: ClassVar[EventClass] = EventClass.C

    page: int


def completed() -> RequestCompleted:
    return RequestCompleted("r1", "api", "GET", 200, "shop", 1.5, 1.0, 0, 722)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(epoch=1_800_000_000.0)


@pytest.fixture
def bus(clock: ManualClock) -> EventBus:
    return EventBus(clock)


def failing(event: Event) -> None:
    raise ValueError("handler is wrong")


# publishing


def test_whoever_asked_is_told_at_once_with_the_time(bus: EventBus, clock: ManualClock) -> None:
    seen: list[Event] = []
    bus.subscribe(OrderPaid, seen.append)
    clock.advance(2)
    event = OrderPaid(1)
    bus.publish(event)
    bus.publish(PageSeen(1))
    assert seen == [event]
    assert event.time == 1_800_000_002.0


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Event, [True, True, True]),
        (OrderPaid, [True, True, False]),
        (OrderPaidTwice, [False, True, False]),
        ("*", [True, True, True]),
        ("shop.*", [True, True, False]),
        ("shop.order.paid", [True, False, False]),
        ("*.page_seen", [False, False, True]),
        ("SHOP.*", [False, False, False]),
    ],
)
def test_kinds_are_classes_types_and_globs(bus: EventBus, kind: type[Event] | str, told: list[bool]) -> None:
    seen: list[Event] = []
    bus.subscribe(kind, seen.append)
    events = [OrderPaid(1), OrderPaidTwice(2), PageSeen(3)]
    for event in events:
        bus.publish(event)
    assert [event in seen for event in events] == told
    assert [bus.wants(type(event)) for event in events] == told


def test_wants_follows_subscriptions(bus: EventBus) -> None:
    assert not bus.wants(OrderPaid)
    first = bus.subscribe("shop.*", lambda event: None)
    second = bus.subscribe(OrderPaid, lambda event: None)
    assert bus.wants(OrderPaid)
    first()
    first()
    assert bus.wants(OrderPaid)
    second()
    assert not bus.wants(OrderPaid)


def test_a_coroutine_function_is_no_handler(bus: EventBus) -> None:
    async def handler(event: Event) -> None: ...

    with pytest.raises(TypeError, match="never be awaited"):
        bus.subscribe(OrderPaid, cast("Any", handler))


def test_a_handler_may_publish_and_unsubscribe(bus: EventBus) -> None:
    seen: list[str] = []

    def once(event: Event) -> None:
        seen.append("paid")
        leave()
        bus.publish(PageSeen(1))

    leave = bus.subscribe(OrderPaid, once)
    bus.subscribe(PageSeen, lambda event: seen.append("page"))
    bus.subscribe(OrderPaid, lambda event: seen.append("after"))
    bus.publish(OrderPaid(1))
    bus.publish(OrderPaid(2))
    assert seen == ["paid", "page", "after", "after"]


# subscribers that raise


def test_one_that_raises_is_counted_and_logged_and_hurts_nobody(
    bus: EventBus, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Event] = []
    bus.subscribe(OrderPaid, failing, owner="ledger")
    bus.subscribe(OrderPaid, seen.append)
    with caplog.at_level(logging.ERROR):
        bus.publish(OrderPaid(1))
    assert len(seen) == 1
    assert bus.failures == 1
    assert "ledger failed on shop.order.paid" in caplog.text
    assert "handler is wrong" in caplog.text


@pytest.mark.parametrize(("pause", "stays"), [(15.0, False), (15.1, True)])
def test_five_failures_within_a_minute_end_a_subscription(
    bus: EventBus, clock: ManualClock, pause: float, stays: bool
) -> None:
    told: list[PluginError] = []
    bus.subscribe("plugin.error", told.append)
    bus.subscribe(OrderPaid, failing, owner="ledger")
    for _ in range(5):
        bus.publish(OrderPaid(1))
        clock.advance(pause)
    assert bus.wants(OrderPaid) is stays
    assert [(event.plugin, event.error) for event in told] == (
        [] if stays else [("ledger", "unsubscribed after 5 failures in a minute: ValueError: handler is wrong")]
    )


def test_handlers_that_fail_on_everything_and_on_each_other_come_to_an_end(bus: EventBus) -> None:
    for _ in range(3):
        bus.subscribe("*", failing)
    for _ in range(6):
        bus.publish(OrderPaid(1))
    assert not bus.wants(OrderPaid)


def test_a_handler_that_publishes_its_own_kind_without_end_is_stopped(bus: EventBus) -> None:
    bus.subscribe(OrderPaid, lambda event: bus.publish(OrderPaid(1)))
    bus.publish(OrderPaid(1))
    assert bus.failures >= 1


def test_nested_failures_send_a_subscriber_away_once(bus: EventBus) -> None:
    told: list[Event] = []

    def nested(event: OrderPaid) -> None:
        if event.order:
            bus.publish(OrderPaid(event.order - 1))
        raise ValueError("at every level")

    bus.subscribe(OrderPaid, nested)
    bus.subscribe(PluginError, told.append)
    bus.publish(OrderPaid(12))
    assert not bus.wants(OrderPaid)
    assert len(told) == 1


# streams


async def take(stream: EventStream) -> list[Event]:
    stream.close()
    return [event async for event in stream]


async def test_a_stream_has_what_came_since_it_was_made_in_order(bus: EventBus) -> None:
    bus.publish(PageSeen(0))
    stream = bus.stream(OrderPaid, "site.*")
    events = [PageSeen(1), OrderPaid(2), OrderPaid(3), PageSeen(4)]
    for event in events:
        bus.publish(event)
    bus.publish(completed())
    assert await take(stream) == events


async def test_a_stream_without_kinds_has_everything(bus: EventBus) -> None:
    stream = bus.stream()
    events = [PageSeen(2), PluginError("auth", "ValueError: no", "r1"), OrderPaid(1)]
    for event in events:
        bus.publish(event)
    assert await take(stream) == events


async def test_a_reader_that_waits_is_woken(bus: EventBus) -> None:
    stream = bus.stream(OrderPaid)
    reader = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert not reader.done()
    event = OrderPaid(1)
    bus.publish(event)
    assert await reader is event


async def test_closing_ends_a_reader_that_waits_and_the_subscription(bus: EventBus) -> None:
    with bus.stream(OrderPaid) as stream:
        reader = asyncio.ensure_future(take_all(stream))
        await asyncio.sleep(0)
    assert await reader == []
    assert not bus.wants(OrderPaid)


async def take_all(stream: EventStream) -> list[Event]:
    return [event async for event in stream]


async def test_class_c_loses_its_oldest(bus: EventBus) -> None:
    stream = bus.stream(PageSeen, size=3)
    for page in range(5):
        bus.publish(PageSeen(page))
    assert stream.dropped == 2
    assert [event.data()["page"] for event in await take(stream)] == [2, 3, 4]
    assert bus.dropped == {"site.page_seen": 2}


async def test_other_classes_lose_the_newest(bus: EventBus) -> None:
    stream = bus.stream(OrderPaid, size=3)
    for order in range(5):
        bus.publish(OrderPaid(order))
    assert [event.data()["order"] for event in await take(stream)] == [0, 1, 2]
    assert bus.dropped == {"shop.order.paid": 2}


async def test_class_c_makes_room_for_the_others(bus: EventBus) -> None:
    stream = bus.stream(size=3)
    events = [PageSeen(0), OrderPaid(1), PageSeen(2), OrderPaid(3), PageSeen(4), OrderPaid(5), PageSeen(6)]
    for event in events:
        bus.publish(event)
    assert await take(stream) == [events[1], events[3], events[5]]
    assert bus.dropped == {"site.page_seen": 4}


async def test_a_slow_stream_loses_its_own_events_only(bus: EventBus) -> None:
    slow, fast = bus.stream(PageSeen, size=1), bus.stream(PageSeen, size=10)
    for page in range(4):
        bus.publish(PageSeen(page))
    assert (slow.dropped, fast.dropped, len(slow), len(fast)) == (3, 0, 1, 4)


def test_a_stream_holds_something(bus: EventBus) -> None:
    with pytest.raises(ValueError, match="at least one"):
        bus.stream(size=0)
    assert not bus.wants(PageSeen)


async def test_drops_are_announced_once(bus: EventBus) -> None:
    told: list[Callable[[], dict[str, object]]] = []
    bus.subscribe(EventsDropped, lambda event: told.append(event.data))
    stream = bus.stream(PageSeen, OrderPaid, size=1)
    bus.announce_drops()
    for page in range(3):
        bus.publish(PageSeen(page))
    bus.announce_drops()
    bus.announce_drops()
    bus.publish(OrderPaid(1))
    bus.announce_drops()
    assert [data() for data in told] == [{"dropped": {"site.page_seen": 2}}, {"dropped": {"site.page_seen": 1}}]
    stream.close()


class TestDivert:
    """What concerns several processes is told by whoever speaks for all of them."""

    def test_diverted_kinds_go_elsewhere(self) -> None:
        bus = EventBus(ManualClock(epoch=5.0))
        here: list[Event] = []
        there: list[Event] = []
        bus.subscribe("*", here.append)
        bus.divert((OrderPaid,), there.append)
        event = OrderPaid(1)
        bus.publish(event)
        assert (here, there) == ([], [event])
        assert event.time == 5.0

    def test_they_are_wanted_although_nobody_listens_here(self) -> None:
        bus = EventBus(ManualClock())
        assert not bus.wants(OrderPaid)
        bus.divert((OrderPaid,), lambda event: None)
        assert bus.wants(OrderPaid)

    def test_what_comes_back_is_told_here(self) -> None:
        bus = EventBus(ManualClock())
        here: list[Event] = []
        bus.subscribe(OrderPaid, here.append)
        bus.divert((OrderPaid,), lambda event: None)
        bus.publish_here(event := OrderPaid(1))
        assert here == [event]

    def test_what_comes_back_keeps_its_time_and_what_has_none_is_given_it(self) -> None:
        bus = EventBus(ManualClock(epoch=5.0))
        published, made_elsewhere = OrderPaid(1), OrderPaid(2)
        published.time = 3.0
        bus.publish_here(published)
        bus.publish_here(made_elsewhere)
        assert (published.time, made_elsewhere.time) == (3.0, 5.0)

    def test_a_subscriber_that_raises_does_not_keep_the_others(self) -> None:
        bus = EventBus(ManualClock())
        here: list[Event] = []

        def fail(event: Event) -> None:
            raise ValueError("no")

        bus.subscribe(OrderPaid, fail)
        bus.subscribe(OrderPaid, here.append)
        bus.publish_here(OrderPaid(1))
        assert len(here) == 1
        assert bus.failures == 1


def test_the_end_of_a_subscription_is_logged(bus: EventBus, caplog: pytest.LogCaptureFixture) -> None:
    bus.subscribe(OrderPaid, failing, owner="ledger")
    for _ in range(5):
        assert "told of no more events" not in caplog.text
        bus.publish(OrderPaid(1))
    assert "ledger is told of no more events until it is started again" in caplog.text
