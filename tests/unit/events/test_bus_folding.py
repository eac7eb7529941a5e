"""Storms of events on the bus, and losses that others count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from proxy.clock import ManualClock
from proxy.events import ApiError, CacheCorrupt, Event, EventBus, EventsDropped, PluginError


class TestFolding:
    """Where it is asked for, events that fold are told once in a while for each subject."""

    @staticmethod
    def failure(number: int) -> ApiError:
        return ApiError("r", "u", 500, "", str(number), str(number))

    def test_not_unless_asked_for(self) -> None:
        bus, told = EventBus(ManualClock()), list[Any]()
        bus.subscribe(ApiError, told.append)
        for number in range(3):
            bus.publish(self.failure(number))
        assert len(told) == 3

    def test_the_first_at_once_and_then_one_for_all(self) -> None:
        clock = ManualClock()
        bus, told = EventBus(clock), list[Any]()
        bus.subscribe(ApiError, told.append)
        bus.merge(10.0)
        for number in range(5):
            bus.publish(self.failure(number))
        assert [one.count for one in told] == [1]
        clock.advance(10)
        bus.advance()
        assert [(one.count, one.first_request_id, one.last_request_id) for one in told[1:]] == [(4, "1", "4")]

    @pytest.mark.parametrize(
        "make",
        [
            lambda number: PluginError("auth", f"no {number}", "r1"),
            lambda number: CacheCorrupt("c", f"k{number}", "cut"),
        ],
        ids=["plugin.error", "cache.corrupt"],
    )
    def test_a_plugin_or_a_store_that_fails_at_each_request_fills_nothing(self, make: Callable[[int], Event]) -> None:
        clock = ManualClock()
        bus, told = EventBus(clock), list[Any]()
        bus.subscribe("*", told.append)
        bus.merge(10.0)
        for number in range(1000):
            bus.publish(make(number))
        clock.advance(10)
        bus.advance()
        assert [one.count for one in told] == [1, 999]

    def test_flush_keeps_nothing_back(self) -> None:
        bus, told = EventBus(ManualClock()), list[Any]()
        bus.merge(10.0)
        bus.subscribe("api.*", told.append)
        bus.publish(self.failure(1))
        bus.publish(self.failure(2))
        bus.flush()
        assert len(told) == 2

    def test_what_others_lose_is_announced_too(self) -> None:
        bus, told = EventBus(ManualClock()), list[Any]()
        bus.subscribe(EventsDropped, told.append)
        counts = Counter({"api.error": 2})
        end = bus.count_drops(counts)
        bus.announce_drops()
        bus.announce_drops()
        counts["api.error"] += 1
        bus.announce_drops()
        end()
        bus.announce_drops()
        assert [one.dropped for one in told] == [{"api.error": 2}, {"api.error": 1}]
