"""From the bus into the outbox."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from plugins.webhook import intake as module
from plugins.webhook.config import EndpointConfig
from plugins.webhook.intake import Intake
from proxy.api import (
    ApiError,
    Brake,
    Event,
    EventClass,
    RequestCompleted,
    StoreUnavailable,
    WebhookEndpointFailing,
    WebhookTest,
)
from proxy.events import ConfigRejected, QuotaLow
from proxy.testing import ManualClock

NOW = 1_700_000_000.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def endpoint(name: str = "ops", **more: Any) -> EndpointConfig:
    return EndpointConfig(**{"id": name, "url": "https://hooks.example.com/gw", "secret": SECRET, **more})


class Fixture(Intake):
    """An intake, and what it did."""

    def __init__(self, *endpoints: EndpointConfig) -> None:
        self.woken = 0
        self.commits = 0
        self.brake = Brake(ManualClock().monotonic)
        sources = endpoints or (endpoint(),)
        super().__init__(sources, "/gateway", lambda: NOW, logging.getLogger("test"), self._count, self.brake)
        self.wake = self._woke

    def _count(self) -> None:
        self.commits += 1

    def _woke(self) -> None:
        self.woken += 1


def low(percent: float = 80) -> Event:
    return at(QuotaLow("gold", "requests", 100, percent, percent, "2026-11"))


def at(event: Event) -> Event:
    event.time = NOW
    return event


def test_an_event_is_made_for_those_who_subscribe() -> None:
    intake = Fixture(endpoint("a"), endpoint("b", events=("config.*",)), endpoint("c", retry={"schedule": ["7s"]}))
    intake.put(low())
    assert intake.woken == 1
    (made,) = intake.take(5)
    assert (made.type, made.subject, made.time) == ("quota.low", "gold 2026-11", NOW)
    assert made.endpoints == {"a": NOW, "c": NOW + 7}
    told = json.loads(made.body)
    assert (told["id"], told["source"], told["sequence"]) == (made.id, "/gateway", "00000000000000000005")


def test_filters_decide() -> None:
    intake = Fixture(endpoint(filter={"data.percent": {"$gte": 95}}))
    intake.put(low(80))
    intake.put(low(95))
    (made,) = intake.take(1)
    assert json.loads(made.body)["data"]["percent"] == 95


def test_what_is_owed_to_nobody_takes_no_place_in_the_sequence() -> None:
    intake = Fixture(endpoint(filter={"data.percent": 95}))
    for percent in (80, 95, 80, 95):
        intake.put(low(percent))
    assert [json.loads(made.body)["sequence"][-1] for made in intake.take(8)] == ["8", "9"]


def test_no_endpoint_hears_of_itself() -> None:
    intake = Fixture(endpoint("a"), endpoint("b"))
    intake.put(at(WebhookEndpointFailing("a", NOW, 4, 500)))
    intake.put(at(WebhookTest("b")))
    assert [made.endpoints for made in intake.take(1)] == [{"b": NOW}, {"a": NOW}]


def test_what_was_not_kept_is_offered_again_under_the_same_ids() -> None:
    intake = Fixture()
    intake.put(low(80))
    first = intake.take(1)
    intake.settled(StoreUnavailable("full"))
    assert intake.trouble == "full"
    intake.put(low(95))
    again = intake.take(1)
    assert [made.id for made in again][:1] == [made.id for made in first]
    assert len(again) == 2
    assert intake.commits == 1, "it is told that it was not kept"
    intake.settled(None)
    assert (intake.trouble, intake.commits) == ("", 2)
    assert intake.take(3) == []


def test_a_transaction_is_bounded() -> None:
    intake = Fixture()
    for _ in range(450):
        intake.put(low())
    sizes = []
    while taken := intake.take(1):
        sizes.append(len(taken))
        intake.settled(None)
    assert sizes == [200, 200, 50]


def test_an_event_that_cannot_be_told_keeps_no_other(caplog: pytest.LogCaptureFixture) -> None:
    @dataclass(slots=True, eq=False)
    class Broken(Event):
        """It cannot be told."""

        type: ClassVar[str] = "broken.event"
        klass: ClassVar[EventClass] = EventClass.A

        def data(self) -> dict[str, Any]:
            raise RuntimeError("no")

    intake = Fixture()
    intake.put(at(Broken()))
    intake.put(low())
    assert [made.type for made in intake.take(1)] == ["quota.low"]
    assert "cannot be told: Broken" in caplog.text


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Fixture:
    monkeypatch.setattr(module, "SIZES", dict.fromkeys(EventClass, 2))
    return Fixture(endpoint(events=("request.completed", "api.error", "quota.low")))


def request(number: int) -> Event:
    return at(RequestCompleted(str(number), "r", "GET", 200, "u", 1, None, 0, 0))


def failure(number: int) -> Event:
    return at(ApiError("r", "u", 500, "", str(number), str(number)))


class TestRoom:
    def test_of_class_c_the_oldest_goes(self, small: Fixture) -> None:
        for number in range(3):
            small.put(request(number))
        assert [json.loads(made.body)["data"]["request_id"] for made in small.take(1)] == ["1", "2"]
        assert small.lost == {"request.completed": 1}

    def test_of_class_b_the_newest(self, small: Fixture) -> None:
        for number in range(3):
            small.put(failure(number))
        assert [json.loads(made.body)["data"]["first_request_id"] for made in small.take(1)] == ["0", "1"]
        assert small.lost == {"api.error": 1}

    def test_of_class_a_too_with_one_alarm(self, small: Fixture, caplog: pytest.LogCaptureFixture) -> None:
        small.take(1)
        small.settled(StoreUnavailable("the disk is full"))
        for _ in range(5):
            small.put(low())
        assert small.lost == {"quota.low": 3}
        assert [record.levelname for record in caplog.records] == ["CRITICAL"]
        assert "the disk is full" in caplog.text

    def test_the_alarm_is_given_whatever_was_lost_before_and_again_the_next_time(
        self, small: Fixture, caplog: pytest.LogCaptureFixture
    ) -> None:
        for number in range(5):
            small.put(request(number))
        assert caplog.records == []
        for alarms in (1, 2):
            for _ in range(5):
                small.put(low())
            assert len(caplog.records) == alarms
            small.take(1)
            small.settled(None)
            small.ease()

    def test_one_class_takes_no_room_from_another(self, small: Fixture) -> None:
        for number in range(9):
            small.put(request(number))
        small.put(low())
        small.put(at(ConfigRejected("a", ())))
        assert [small.waiting(klass) for klass in EventClass] == [2, 0, 2]
        assert small.take(1)[0].type == "quota.low"


class TestBrake:
    """Requests wait while there is hardly room for events of class A."""

    @pytest.fixture(autouse=True)
    def _ten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "SIZES", dict.fromkeys(EventClass, 10))
        monkeypatch.setattr(module, "_MOST", 2)

    @staticmethod
    def keep(intake: Fixture) -> bool:
        """Two events are kept. :returns: whether requests still wait."""
        intake.take(1)
        intake.settled(None)
        intake.ease()
        return intake.brake.held

    def test_from_four_fifths_until_half(self) -> None:
        intake = Fixture()
        for number in range(8):
            assert not intake.brake.held
            intake.put(low(number))
        assert intake.brake.held
        assert self.keep(intake)
        assert not self.keep(intake), "four wait"
        for number in range(4):
            intake.put(low(number))
        assert intake.brake.held

    def test_not_for_a_store_that_cannot_be_written(self) -> None:
        intake = Fixture()
        for number in range(8):
            intake.put(low(number))
        intake.take(1)
        intake.settled(StoreUnavailable("full"))
        intake.ease()
        assert not intake.brake.held
        for number in range(6):
            intake.put(low(number))
        assert (intake.brake.held, intake.lost) == (False, {"quota.low": 2})

    def test_not_for_other_classes(self) -> None:
        intake = Fixture(endpoint(events=("request.completed", "api.error")))
        for number in range(12):
            intake.put(failure(number))
            intake.put(request(number))
        assert not intake.brake.held
