"""One suite for every outbox: what is kept in memory and what is kept in a file behave alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.store import (
    Backlog,
    Due,
    MemoryStore,
    NewEvent,
    Outcome,
    Selection,
    State,
    Store,
    StoreUnavailable,
)
from proxy.store.sqlite import SqliteStore

NOW = 1_700_000_000.0
LEASE = 30.0


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "state" / "outbox.sqlite3")
    yield made
    await made.close()


def event(number: int, *endpoints: str, kind: str = "quota.low", size: int = 2) -> NewEvent:
    return NewEvent(
        f"id{number:04}", kind, "subject", NOW + number, b"x" * size, dict.fromkeys(endpoints, NOW + number)
    )


async def added(store: Store, *events: NewEvent) -> None:
    for one in events:
        await store.events.add(lambda _, one=one: one)  # type: ignore[misc]  # mypy knows no default of a lambda


def outcome(due: Due, then: State = "done", *, owner: str = "me", status: int = 200, next_at: float = 0.0) -> Outcome:
    return Outcome(due, owner, then, next_at, NOW + 100, 12.5, status, "" if then == "done" else "refused", b"answer")


async def claimed(store: Store, now: float = NOW + 1000, limit: int = 10, owner: str = "me") -> list[Due]:
    return list((await store.deliveries.claim("a", owner, now, now + LEASE, limit)).due)


class Source:
    """Gives what it has, and hears what becomes of it."""

    def __init__(self, events: Sequence[NewEvent]) -> None:
        self.events = list(events)
        self.given: list[NewEvent] = []
        self.sequences: list[int] = []
        self.kept = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def take(self, sequence: int) -> Sequence[NewEvent]:
        self.sequences.append(sequence)
        self.given, self.events = self.given + self.events[:2], self.events[2:]
        return list(self.given)

    def settled(self, error: StoreUnavailable | None) -> None:
        assert error is None
        self.given = []
        if not self.events:
            self._loop.call_soon_threadsafe(self.kept.set)


class TestEvents:
    async def test_what_is_added_can_be_read(self, store: Store) -> None:
        await added(store, event(1, "a"))
        found = await store.events.get("id0001")
        assert found is not None
        assert (found.type, found.subject, found.time, found.body) == ("quota.low", "subject", NOW + 1, b"xx")

    async def test_nothing_is_known_of_others(self, store: Store) -> None:
        assert await store.events.get("id0001") is None

    async def test_sequences_rise_by_one(self, store: Store) -> None:
        given: list[int] = []

        def make(sequence: int) -> NewEvent:
            given.append(sequence)
            return event(sequence, "a")

        await store.events.add(make)
        await store.events.add(make)
        assert given == [1, 2]
        found = await store.events.get("id0002")
        assert found is not None
        assert found.sequence == 2

    async def test_an_event_that_is_offered_twice_is_kept_once(self, store: Store) -> None:
        await added(store, event(1, "a"), event(1, "a"))
        assert len(await claimed(store)) == 1

    async def test_a_source_is_emptied(self, store: Store) -> None:
        source = Source([event(number, "a") for number in range(1, 6)])
        wake = store.events.feed(source)
        wake()
        wake()
        wake()
        await asyncio.wait_for(source.kept.wait(), 5)
        assert [due.event.id for due in await claimed(store)] == [f"id{number:04}" for number in range(1, 6)]
        assert source.sequences[:3] == [1, 3, 5]

    async def test_close_keeps_what_sources_still_have(self, tmp_path: Path) -> None:
        made = SqliteStore(tmp_path / "outbox.sqlite3")
        made.events.feed(Source([event(number, "a") for number in range(1, 6)]))
        await made.close()
        again = SqliteStore(tmp_path / "outbox.sqlite3")
        assert len(await claimed(again)) == 5
        await again.close()


class TestClaiming:
    async def test_each_endpoint_has_its_own_deliveries(self, store: Store) -> None:
        await added(store, event(1, "a", "b"), event(2, "b"))
        assert [due.event.id for due in await claimed(store)] == ["id0001"]
        claim = await store.deliveries.claim("b", "me", NOW + 10, NOW + 40, 10)
        assert [due.event.id for due in claim.due] == ["id0001", "id0002"]

    async def test_what_is_leased_is_nobody_elses(self, store: Store) -> None:
        await added(store, event(1, "a"))
        assert await claimed(store, owner="me")
        assert not await claimed(store, owner="other")
        assert not await claimed(store, owner="me")

    async def test_a_lease_that_is_over_is_taken_up_again(self, store: Store) -> None:
        await added(store, event(1, "a"))
        await claimed(store, NOW + 10)
        assert not await claimed(store, NOW + 10 + LEASE - 1, owner="other")
        assert await claimed(store, NOW + 10 + LEASE, owner="other")

    async def test_a_lease_is_void_that_a_clock_set_back_makes_too_long(self, store: Store) -> None:
        await added(store, event(1, "a"))
        await claimed(store, NOW + 1000)
        assert await claimed(store, NOW + 400, owner="other")

    async def test_what_is_not_due_waits(self, store: Store) -> None:
        await added(store, event(1, "a"), event(20, "a"))
        claim = await store.deliveries.claim("a", "me", NOW + 5, NOW + 35, 10)
        assert [due.event.id for due in claim.due] == ["id0001"]
        assert claim.next_at == NOW + 20

    async def test_no_more_than_asked_for_and_the_earliest_first(self, store: Store) -> None:
        await added(store, event(3, "a"), event(1, "a"), event(2, "a"))
        claim = await store.deliveries.claim("a", "me", NOW + 10, NOW + 40, 2)
        assert {due.event.id for due in claim.due} == {"id0001", "id0002"}
        assert claim.next_at == NOW + 3

    async def test_nothing_is_next_when_all_is_settled(self, store: Store) -> None:
        claim = await store.deliveries.claim("a", "me", NOW, NOW + 30, 2)
        assert (claim.due, claim.next_at) == ((), None)

    async def test_released_leases_are_free_at_once(self, store: Store) -> None:
        await added(store, event(1, "a"))
        await claimed(store)
        await store.deliveries.release("other")
        assert not await claimed(store, owner="other")
        await store.deliveries.release("me")
        assert await claimed(store, owner="other")

    async def test_next_due_is_the_earliest_that_is_free(self, store: Store) -> None:
        assert await store.deliveries.next_due("a") is None
        await added(store, event(1, "a"), event(2, "a"))
        assert await store.deliveries.next_due("a") == NOW + 1
        await claimed(store, limit=1)
        assert await store.deliveries.next_due("a") == NOW + 2


class TestOrder:
    async def test_the_first_alone(self, store: Store) -> None:
        await added(store, event(1, "a"), event(2, "a"))
        claim = await store.deliveries.claim("a", "me", NOW + 10, NOW + 40, 10, ordered=True)
        assert [due.event.id for due in claim.due] == ["id0001"]
        again = await store.deliveries.claim("a", "me", NOW + 10, NOW + 40, 10, ordered=True)
        assert again.due == ()

    async def test_later_ones_wait_for_the_first_to_be_due_again(self, store: Store) -> None:
        await added(store, event(1, "a"), event(2, "a"))
        claim = await store.deliveries.claim("a", "me", NOW + 10, NOW + 40, 10, ordered=True)
        await store.deliveries.settle(outcome(claim.due[0], "pending", next_at=NOW + 50))
        claim = await store.deliveries.claim("a", "me", NOW + 20, NOW + 50, 10, ordered=True)
        assert (claim.due, claim.next_at) == ((), NOW + 50)
        claim = await store.deliveries.claim("a", "me", NOW + 50, NOW + 80, 10, ordered=True)
        assert [due.event.id for due in claim.due] == ["id0001"]


class TestSettling:
    async def test_what_is_done_is_not_claimed_again(self, store: Store) -> None:
        await added(store, event(1, "a"))
        (due,) = await claimed(store)
        assert await store.deliveries.settle(outcome(due))
        assert not await claimed(store, NOW + 9999)
        (found,) = await store.deliveries.find(Selection(), 10)
        assert (found.state, found.attempts, found.status, found.settled_at) == ("done", 1, 200, NOW + 100)

    async def test_a_failure_is_remembered_until_the_next_attempt(self, store: Store) -> None:
        await added(store, event(1, "a"))
        for attempts in range(3):
            (due,) = await claimed(store, NOW + 1000 + attempts)
            assert (due.attempts, due.alike) == (attempts, attempts)
            await store.deliveries.settle(outcome(due, "pending", status=404, next_at=NOW + 1001 + attempts))
        (due,) = await claimed(store, NOW + 2000)
        assert (due.attempts, due.status, due.alike, due.failed_since) == (3, 404, 3, NOW + 100)

    async def test_another_status_is_counted_anew(self, store: Store) -> None:
        await added(store, event(1, "a"))
        for status in (404, 404, 500):
            (due,) = await claimed(store, NOW + 2000)
            await store.deliveries.settle(outcome(due, "pending", status=status, next_at=NOW))
        (due,) = await claimed(store, NOW + 2000)
        assert (due.status, due.alike) == (500, 1)

    async def test_attempts_are_kept(self, store: Store) -> None:
        await added(store, event(1, "a"))
        (due,) = await claimed(store)
        await store.deliveries.settle(outcome(due, "dead", status=500))
        (tried,) = await store.deliveries.attempts("id0001")
        assert (tried.endpoint, tried.status, tried.error, tried.answer) == ("a", 500, "refused", b"answer")
        assert (tried.at, tried.duration_ms) == (NOW + 100, 12.5)

    async def test_who_lost_the_lease_decides_nothing(self, store: Store) -> None:
        await added(store, event(1, "a"))
        (due,) = await claimed(store, NOW + 10)
        await claimed(store, NOW + 100, owner="other")
        assert not await store.deliveries.settle(outcome(due, "dead"))
        (found,) = await store.deliveries.find(Selection(), 10)
        assert found.state == "pending"
        assert len(await store.deliveries.attempts("id0001")) == 1

    async def test_but_a_success_counts_whoever_had_it(self, store: Store) -> None:
        await added(store, event(1, "a"))
        (due,) = await claimed(store, NOW + 10)
        await claimed(store, NOW + 100, owner="other")
        assert not await store.deliveries.settle(outcome(due, "done"))
        (found,) = await store.deliveries.find(Selection(), 10)
        assert found.state == "done"

    async def test_the_outcome_of_an_event_that_is_gone_is_nobody_elses(self, store: Store) -> None:
        """A file that was lost begins anew with the same sequences."""
        await added(store, event(1, "a"))
        (due,) = await claimed(store)
        gone = replace(due, event=replace(due.event, id="id0009"))
        assert not await store.deliveries.settle(outcome(gone))
        (found,) = await store.deliveries.find(Selection(), 10)
        assert (found.state, found.attempts) == ("pending", 0)
        assert await store.deliveries.attempts("id0001") == []
        unknown = replace(due, event=replace(due.event, sequence=77))
        assert not await store.deliveries.settle(outcome(unknown))


class TestReplay:
    async def test_by_everything_that_selects(self, store: Store) -> None:
        await added(store, event(1, "a"), event(2, "a", kind="config.reloaded"), event(3, "b"))
        for endpoint in ("a", "b"):
            for due in (await store.deliveries.claim(endpoint, "me", NOW + 10, NOW + 40, 10)).due:
                await store.deliveries.settle(outcome(due, "dead"))

        async def ids(selection: Selection) -> list[str]:
            return [one.event_id for one in await store.deliveries.find(selection, 10)]

        assert await ids(Selection(event_id="id0002")) == ["id0002"]
        assert await ids(Selection(endpoint="a")) == ["id0002", "id0001"]
        assert await ids(Selection(type="config.*")) == ["id0002"]
        assert await ids(Selection(since=NOW + 2, until=NOW + 3)) == ["id0002"]
        assert await ids(Selection(state="done")) == []
        assert await store.deliveries.replay(Selection(endpoint="a", state="dead"), NOW + 500) == 2
        assert await ids(Selection(state="dead")) == ["id0003"]

    async def test_it_begins_anew_with_the_same_event(self, store: Store) -> None:
        await added(store, event(1, "a"))
        (due,) = await claimed(store)
        await store.deliveries.settle(outcome(due, "dead", status=404))
        assert await store.deliveries.replay(Selection(event_id="id0001"), NOW + 500) == 1
        assert not await claimed(store, NOW + 499)
        (again,) = await claimed(store, NOW + 500)
        assert again.event == due.event
        assert (again.attempts, again.status, again.failed_since) == (0, 0, 0.0)

    async def test_what_is_pending_stays_as_it_is(self, store: Store) -> None:
        await added(store, event(1, "a"))
        assert await store.deliveries.replay(Selection(), NOW) == 0


class TestHurry:
    async def test_what_is_owed_later_is_due_now_and_its_attempts_stay_counted(self, store: Store) -> None:
        await added(store, event(1, "a"), event(2, "a"), event(3, "b"))
        for due in await claimed(store, limit=2):
            await store.deliveries.settle(outcome(due, "pending", next_at=NOW + 9000))
        assert not await claimed(store, NOW + 500)
        assert await store.deliveries.hurry("a", NOW + 500) == 2
        assert [due.attempts for due in await claimed(store, NOW + 500)] == [1, 1]

    async def test_what_is_due_or_leased_or_settled_stays_as_it_is(self, store: Store) -> None:
        await added(store, event(1, "a"), event(2, "a"), event(3, "a"))
        leased, done = await claimed(store, limit=2)
        await store.deliveries.settle(outcome(done, "done"))
        assert await store.deliveries.hurry("a", NOW + 500) == 0
        assert await store.deliveries.settle(outcome(leased, "done"))


class TestBacklog:
    async def test_counts_what_is_owed(self, store: Store) -> None:
        await added(store, event(1, "a"), event(2, "a"), event(3, "a"), event(4, "b"))
        (due,) = await claimed(store, limit=1)
        await store.deliveries.settle(outcome(due, "dead"))
        assert dict(await store.deliveries.backlog()) == {
            "a": Backlog(2, 1, NOW + 2),
            "b": Backlog(1, 0, NOW + 4),
        }

    async def test_a_quiet_endpoint_is_owed_nothing(self, store: Store) -> None:
        await added(store, event(1, "a"))
        (due,) = await claimed(store)
        await store.deliveries.settle(outcome(due))
        assert (await store.deliveries.backlog()).get("a", Backlog()) == Backlog()


class TestPruning:
    async def test_old_events_go_that_are_owed_to_nobody(self, store: Store) -> None:
        await added(store, event(1, "a"), event(2, "a"), event(3, "a"))
        for due in await claimed(store, limit=2):
            await store.deliveries.settle(outcome(due))
        assert await store.events.prune(NOW + 2, 1 << 40) == 1
        assert await store.events.prune(NOW + 2, 1 << 40) == 0
        assert await store.events.get("id0001") is None
        assert await store.deliveries.attempts("id0001") == []
        assert await store.events.prune(NOW + 1000, 1 << 40) == 1
        assert await store.events.get("id0003") is not None

    async def test_when_there_is_too_much_the_delivered_ones_go_first(self, store: Store) -> None:
        await added(store, *(event(number, "a", size=100_000) for number in range(1, 4)))
        for due, then in zip(await claimed(store, limit=2), self.ends(), strict=True):
            await store.deliveries.settle(outcome(due, then))
        assert await store.events.prune(0, 250_000) == 1
        assert [one.event_id for one in await store.deliveries.find(Selection(), 10)] == ["id0003", "id0001"]
        assert await store.events.prune(0, 1000) == 1
        assert await store.events.prune(0, 1000) == 0
        assert [one.event_id for one in await store.deliveries.find(Selection(), 10)] == ["id0003"]

    @staticmethod
    def ends() -> Iterator[State]:
        yield "dead"
        yield "done"


class TestEndpoints:
    async def test_one_owner_at_a_time(self, store: Store) -> None:
        assert await store.endpoints.own("a", "me", NOW, NOW + 5) is not None
        assert await store.endpoints.own("a", "other", NOW + 4, NOW + 9) is None
        assert await store.endpoints.own("a", "me", NOW + 4, NOW + 9) is not None
        assert await store.endpoints.own("a", "other", NOW + 9, NOW + 14) is not None

    async def test_a_clock_set_back_locks_nobody_out(self, store: Store) -> None:
        await store.endpoints.own("a", "me", NOW + 600, NOW + 605)
        assert await store.endpoints.own("a", "other", NOW, NOW + 5) is not None

    async def test_how_late_it_has_become_is_known_for_ever(self, store: Store) -> None:
        assert await store.endpoints.latest() == 0.0
        await store.endpoints.own("a", "me", NOW, NOW + 5)
        await store.endpoints.own("b", "other", NOW + 1, NOW + 6)
        await store.endpoints.disown("other")
        assert await store.endpoints.latest() == NOW + 6

    async def test_disowned_endpoints_are_free(self, store: Store) -> None:
        await store.endpoints.own("a", "me", NOW, NOW + 5)
        await store.endpoints.disown("me")
        assert await store.endpoints.own("a", "other", NOW, NOW + 5) is not None

    async def test_notes_go_from_owner_to_owner(self, store: Store) -> None:
        await store.endpoints.own("a", "me", NOW, NOW + 5)
        await store.endpoints.save("a", '{"failing": 3}')
        await store.endpoints.save("b", "{}")
        found = await store.endpoints.own("a", "other", NOW + 6, NOW + 11)
        assert found is not None
        assert found.state == '{"failing": 3}'
        await store.endpoints.ask("b", "disable")
        assert [(one.id, one.owner, one.state + one.asked) for one in await store.endpoints.all()] == [
            ("a", "other", '{"failing": 3}'),
            ("b", "", "{}disable"),
        ]
