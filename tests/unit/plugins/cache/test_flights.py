from __future__ import annotations

from typing import Any, cast

from plugins.cache.flights import REMEMBERED, Flights
from plugins.cache.stored import Stored
from proxy.api import ClientLeft, UpstreamError

ONE = Stored(200, "", (), b"", 0.0, 0, 60)


class Leader:
    detached = False

    def detach(self) -> None:
        self.detached = True


def made() -> tuple[Flights, list[float]]:
    now = [0.0]
    return Flights(lambda: now[0]), now


async def test_one_leads_and_is_found() -> None:
    flights, _ = made()
    leader: Any = Leader()
    flight = flights.lead("k", leader)
    assert flights.find("k") is flight
    flight.join()
    assert leader.detached
    flights.stored(flight, ONE)
    assert flight.landed.done()
    assert flight.stored is ONE
    assert flights.find("k") is None
    flight.join()  # of no effect any more


async def test_what_is_uncacheable_is_remembered_for_a_while() -> None:
    flights, now = made()
    flights.uncacheable(flights.lead("k", cast("Any", Leader())))
    assert flights.alone("k")
    now[0] = REMEMBERED + 1
    assert not flights.alone("k")
    flights.uncacheable(flights.lead("k", cast("Any", Leader())))
    flights.stored(flights.lead("k", cast("Any", Leader())), ONE)
    assert not flights.alone("k")


async def test_failures_in_a_row_are_counted_and_clients_that_leave_are_not() -> None:
    flights, _ = made()
    first = flights.lead("k", cast("Any", Leader()))
    flights.failed(first, None)
    assert isinstance(first.error, ClientLeft)
    second = flights.lead("k", cast("Any", Leader()), first)
    flights.failed(second, UpstreamError("no"))
    assert not flights.hopeless(second)
    third = flights.lead("k", cast("Any", Leader()), second)
    flights.failed(third, UpstreamError("no"))
    assert flights.hopeless(third)
    assert flights.active == 0


async def test_memory_of_keys_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr("plugins.cache.flights._MOST", 3)
    flights, _ = made()
    for number in range(5):
        flights.uncacheable(flights.lead(str(number), cast("Any", Leader())))
    assert [flights.alone(str(number)) for number in range(5)] == [False, False, True, True, True]
