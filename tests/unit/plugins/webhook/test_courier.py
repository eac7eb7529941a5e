"""Deliveries, by a clock of the test's own."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook as Oracle

from proxy.api import MemoryStore, Selection, StoreUnavailable, WebhookDeliveryDead, WebhookEndpointRecovered
from proxy.errors import UpstreamTimeout
from proxy.testing import ManualClock
from tests.unit.plugins.webhook.stage import SECRET, URL, Stage

HOUR = 3600.0


async def states(stage: Stage) -> dict[str, str]:
    return {one.event_id: one.state for one in await stage.store.deliveries.find(Selection(), 1000)}


async def test_what_is_owed_is_delivered_once() -> None:
    stage = Stage()
    ids = await stage.owe(3)
    await stage.run()
    assert stage.receiver.ids == ids
    assert await states(stage) == dict.fromkeys(ids, "done")
    await stage.pass_time(24 * HOUR)
    assert len(stage.receiver.received) == 3


async def test_it_is_signed_at_each_attempt() -> None:
    stage = Stage(clock=ManualClock(epoch=1_900_000_000.0))
    stage.receiver.status = 500
    await stage.owe()
    await stage.run()
    await stage.pass_time(5)
    first, second = stage.receiver.received
    assert first.url == URL
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 5
    for sent in (first, second):
        signed = Oracle(SECRET).sign(
            sent.headers["webhook-id"], _moment(int(sent.headers["webhook-timestamp"])), sent.body.decode()
        )
        assert sent.headers["webhook-signature"] == signed


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class TestRotation:
    NEW = "whsec_" + base64.b64encode(bytes(32)).decode()

    @staticmethod
    async def signatures(stage: Stage) -> int:
        """How many are on the next delivery."""
        await stage.owe()
        await stage.run()
        return len(stage.receiver.received[-1].headers["webhook-signature"].split(" "))

    async def test_the_old_secret_signs_for_a_day(self, caplog: pytest.LogCaptureFixture) -> None:
        before = Stage()
        assert await self.signatures(before) == 1
        await before.pass_time(500 * HOUR)
        await before.store.endpoints.disown("me")
        stage = Stage(store=before.store, clock=before.clock, first=100, secret=[self.NEW, SECRET])
        assert await self.signatures(stage) == 2
        stage.clock.advance(23.99 * HOUR)
        assert await self.signatures(stage) == 2
        assert not caplog.records
        stage.clock.advance(0.02 * HOUR)
        assert await self.signatures(stage) == 1
        assert await self.signatures(stage) == 1
        assert caplog.text.count("take it out") == 1
        sent = stage.receiver.received[-1]
        moment = _moment(int(sent.headers["webhook-timestamp"]))
        expected = Oracle(self.NEW).sign(sent.headers["webhook-id"], moment, sent.body.decode())
        assert sent.headers["webhook-signature"] == expected

    async def test_a_restart_or_an_operator_does_not_make_it_a_day_more(self) -> None:
        stage = Stage(secret=[self.NEW, SECRET])
        assert await self.signatures(stage) == 2
        stage.clock.advance(20 * HOUR)
        await stage.store.endpoints.ask("ops", "enable 1")
        await stage.pass_time(6)
        await stage.store.endpoints.disown("me")
        again = Stage(store=stage.store, clock=stage.clock, owner="other", first=100, secret=[self.NEW, SECRET])
        assert await self.signatures(again) == 2
        again.clock.advance(4 * HOUR)
        assert await self.signatures(again) == 1


async def test_the_whole_schedule_then_a_dead_letter() -> None:
    stage = Stage()
    stage.receiver.status = 500
    (event_id,) = await stage.owe()
    await stage.run()
    for _ in range(400):
        await stage.pass_time(0.25 * HOUR)
    began = stage.receiver.received[0].at
    hours = [round((one.at - began) / HOUR, 2) for one in stage.receiver.received]
    assert len(hours) == 10
    assert 75 <= hours[-1] <= 78
    assert await states(stage) == {event_id: "dead"}
    (dead,) = [event for event in stage.events if isinstance(event, WebhookDeliveryDead)]
    assert (dead.endpoint, dead.attempts, dead.last_status, dead.event_id) == ("ops", 10, 500, event_id)
    attempts = await stage.store.deliveries.attempts(event_id)
    assert [one.status for one in attempts] == [500] * 10


async def test_it_is_told_that_it_fails_and_that_it_is_well_again() -> None:
    stage = Stage()
    stage.receiver.status = 500
    await stage.owe(4)
    await stage.run()
    assert stage.told() == ["webhook.endpoint.failing"]
    stage.receiver.status = 200
    await stage.pass_time(5)
    assert stage.told() == ["webhook.endpoint.failing", "webhook.endpoint.recovered"]
    assert isinstance(stage.events[1], WebhookEndpointRecovered)
    assert stage.events[1].attempts == 4


async def test_the_breaker_spares_the_endpoint_and_the_attempts() -> None:
    stage = Stage(pace={"in_flight": 10, "per_second": 1000})
    stage.receiver.error = UpstreamTimeout("no answer in time")
    ids = await stage.owe(30)
    await stage.run()
    assert len(stage.receiver.received) == 10
    await stage.pass_time(29)
    assert len(stage.receiver.received) == 10
    await stage.pass_time(1.5)
    assert len(stage.receiver.received) == 11, "one probe"
    found = {one.event_id: one.attempts for one in await stage.store.deliveries.find(Selection(), 100)}
    assert sum(found[one] for one in ids) == 11
    stage.receiver.error = None
    await stage.pass_time(61)
    assert not stage.courier.health.is_probing  # type: ignore[union-attr]  # it has the endpoint


async def test_after_a_recovery_it_begins_gently() -> None:
    stage = Stage()
    stage.receiver.status = 500
    await stage.owe(10)
    await stage.run()
    stage.receiver.status = 200
    await stage.owe(100)
    await stage.pass_time(30)
    before = len(stage.receiver.received)
    await stage.pass_time(1)
    assert len(stage.receiver.received) - before <= 6


@pytest.mark.parametrize(("status", "after", "seconds"), [(429, "", 60), (503, "120", 120), (500, "90", 90)])
async def test_an_endpoint_that_asks_for_a_pause_gets_it(status: int, after: str, seconds: float) -> None:
    stage = Stage()
    stage.receiver.status = status
    stage.receiver.fields = {"Retry-After": after} if after else {}
    await stage.owe(1)
    await stage.run()
    await stage.owe(2)
    await stage.pass_time(seconds - 1)
    assert len(stage.receiver.received) == 1
    stage.receiver.status = 200
    await stage.pass_time(1)
    assert len(stage.receiver.received) == 4


async def test_poison_dies_and_the_endpoint_stays_well() -> None:
    stage = Stage()
    (bad,) = await stage.owe(1)
    stage.receiver.by_id[bad] = 422
    for _ in range(3):
        await stage.run()
        await stage.owe(2)
        await stage.pass_time(0.1 * HOUR)
    assert (await states(stage))[bad] == "dead"
    assert stage.receiver.ids.count(bad) == 3
    assert stage.told() == ["webhook.delivery.dead"]


async def test_410_disables_at_once_and_keeps_what_is_owed() -> None:
    stage = Stage(pace={"in_flight": 1, "per_second": 50})
    stage.receiver.status = 410
    await stage.owe(3)
    await stage.run()
    await stage.pass_time(HOUR)
    assert len(stage.receiver.received) == 1
    assert stage.told() == ["webhook.endpoint.disabled"]
    assert set((await states(stage)).values()) == {"pending"}


async def test_days_of_nothing_but_failure_disable() -> None:
    stage = Stage()
    stage.receiver.status = 500
    for _ in range(130):
        await stage.owe(1)
        await stage.run()
        await stage.pass_time(HOUR)
    assert stage.told().count("webhook.endpoint.disabled") == 1
    count = len(stage.receiver.received)
    await stage.pass_time(48 * HOUR)
    assert len(stage.receiver.received) == count


async def test_an_operator_enables_and_disables() -> None:
    stage = Stage()
    stage.receiver.status = 410
    await stage.owe(1)
    await stage.run()
    stage.receiver.status = 200
    await stage.store.endpoints.ask("ops", "enable 1")
    await stage.pass_time(6)
    assert len(stage.receiver.received) == 2
    await stage.store.endpoints.ask("ops", "disable 2")
    await stage.pass_time(6)
    await stage.owe(1)
    await stage.pass_time(6)
    assert len(stage.receiver.received) == 2
    await stage.store.endpoints.ask("ops", "enable 3")
    await stage.pass_time(6)
    assert len(stage.receiver.received) == 3


async def test_a_changed_configuration_enables() -> None:
    stage = Stage()
    stage.receiver.status = 410
    await stage.owe(1)
    await stage.run()
    await stage.store.endpoints.disown("me")
    again = Stage(store=stage.store, clock=stage.clock, owner="other", url="https://hooks.example.com/new")
    await again.pass_time(6)
    assert len(again.receiver.received) == 1


async def test_what_is_known_of_it_goes_from_process_to_process() -> None:
    stage = Stage()
    stage.receiver.status = 500
    await stage.owe(10)
    await stage.run()
    other = Stage(store=stage.store, clock=stage.clock, owner="other")
    await other.pass_time(6)
    assert other.receiver.received == [], "the breaker is open for it as well"
    await other.pass_time(30)
    assert len(other.receiver.received) > 0


async def test_one_process_delivers_at_a_time_and_another_takes_over() -> None:
    stage = Stage()
    other = Stage(store=stage.store, clock=stage.clock, owner="other")
    await stage.owe(1)
    await stage.run()
    await stage.owe(1)
    assert await other.run() == 1.0
    assert other.receiver.received == []
    await other.pass_time(5)
    assert other.receiver.ids == ["id2"]


async def test_what_a_dead_process_was_at_is_taken_up_when_its_lease_is_over() -> None:
    stage = Stage(timeouts={"total": "15s"})
    stage.receiver.gate.clear()
    await stage.owe(1)
    await stage.run()
    assert stage.receiver.ids == ["id1"]
    other = Stage(store=stage.store, clock=stage.clock, owner="other")
    await other.pass_time(29.75)
    assert other.receiver.received == []
    assert other.courier.look_every <= 0.25, "it is not late by a whole second"
    await other.pass_time(0.25)
    assert other.receiver.ids == ["id1"]
    await other.pass_time(60)
    assert other.courier.look_every == 1.0
    await stage.courier.close()


class TestPace:
    async def test_in_flight(self) -> None:
        stage = Stage(pace={"in_flight": 3, "per_second": 50})
        stage.receiver.gate.clear()
        await stage.owe(9)
        await stage.run()
        await stage.run()
        assert stage.receiver.open == 3
        stage.receiver.gate.set()
        await stage.run()
        assert (len(stage.receiver.received), stage.receiver.most) == (9, 3)

    async def test_per_second(self) -> None:
        stage = Stage(pace={"in_flight": 100, "per_second": 20})
        await stage.owe(70)
        await stage.run()
        assert len(stage.receiver.received) == 20
        await stage.pass_time(0.5)
        assert len(stage.receiver.received) == 30

    async def test_all_endpoints_together(self) -> None:
        stage = Stage()
        for _ in range(198):
            stage.budget.take()
        stage.receiver.gate.clear()
        await stage.owe(9)
        await stage.run()
        await stage.run()
        assert stage.receiver.open == 2
        stage.receiver.gate.set()
        await stage.run()
        assert len(stage.receiver.received) == 9


async def test_in_order_when_it_is_asked_for() -> None:
    stage = Stage(ordered=True)
    ids = await stage.owe(4)
    stage.receiver.by_id[ids[1]] = 500
    await stage.run()
    assert stage.receiver.ids == ids[:2]
    stage.receiver.by_id.clear()
    await stage.pass_time(5)
    assert stage.receiver.ids == [ids[0], ids[1], ids[1], ids[2], ids[3]]
    assert stage.receiver.most == 1


async def test_a_batch_is_one_request() -> None:
    stage = Stage(format="batch")
    ids = await stage.owe(120)
    await stage.run()
    assert [one.body.count(b"quota.low") for one in stage.receiver.received] == [100, 20]
    assert stage.receiver.received[0].headers["Content-Type"].startswith("application/cloudevents-batch+json")
    assert await states(stage) == dict.fromkeys(ids, "done")


async def test_a_chat_gets_a_text() -> None:
    stage = Stage(format="slack")
    await stage.owe(1)
    await stage.run()
    assert b'"text": "*quota.low*' in stage.receiver.received[0].body


async def test_a_store_that_cannot_be_written_costs_a_duplicate_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plugins.webhook.courier._SETTLE_AGAIN", (0.0, 0.0))
    store = MemoryStore()
    stage = Stage(store=store)
    settle, calls = store.deliveries.settle, 0

    async def failing(outcome):  # type: ignore[no-untyped-def]  # as the one that it stands for
        nonlocal calls
        calls += 1
        if calls <= 3:
            raise StoreUnavailable("the disk is full")
        return await settle(outcome)

    store.deliveries.settle = failing  # type: ignore[method-assign]  # a disk that is full for a while
    await stage.owe(1)
    await stage.run()
    await stage.pass_time(31)
    assert stage.receiver.ids == ["id1", "id1"]
    assert await states(stage) == {"id1": "done"}


async def test_figures() -> None:
    stage = Stage()
    ids = await stage.owe(2)
    stage.receiver.by_id[ids[0]] = 500
    await stage.run()
    text = stage.metrics.exposition()[0].decode()
    assert 'passerelle_webhook_attempts_total{endpoint="ops",result="500",type="quota.low"} 1.0' in text
    assert 'passerelle_webhook_attempts_total{endpoint="ops",result="ok",type="quota.low"} 1.0' in text
    assert 'passerelle_webhook_delivery_seconds_count{endpoint="ops",type="quota.low"} 1.0' in text
