"""What workers counted never falls, whoever dies or does not answer; what they hold goes with them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from proxy.metrics import Metrics
from proxy.server.channel import Channel
from proxy.server.crew import Member
from proxy.server.ledger import Ledger
from proxy.server.merge import exposition

DONE = 'passerelle_done_total{route="a"}'


@pytest.fixture
async def members() -> AsyncIterator[list[Member]]:
    pairs = [socket.socketpair() for _ in range(3)]
    made = []
    for index, (ours, theirs) in enumerate(pairs):
        channel = await Channel.over(ours, f"worker {index}")
        made.append(Member(index, cast("Any", None), channel, theirs, 0.0))
    yield made
    for member in made:
        await member.let_go()
    await asyncio.sleep(0)


def counts(done: int, *, route: str = "a") -> list[Any]:
    """What a worker says that has done so much."""
    metrics = Metrics()
    metrics.counter("passerelle_done_total", "Done.", ("route",)).inc(route, by=done)
    metrics.histogram("passerelle_took_seconds", "Took.", (1.0,), ("route",)).observe(float(done), route)
    metrics.gauge("passerelle_open", "Open.").set(done)
    return list(metrics.collect())


def figures(ledger: Ledger, answers: dict[Member, list[Any]]) -> dict[str, float]:
    lines = exposition(ledger.metrics(answers))[0].decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_counts_of_the_dead_stay_and_their_gauges_go(members: list[Member]) -> None:
    ledger = Ledger()
    one, two, successor = members
    ledger.welcome(one)
    ledger.welcome(two)
    before = figures(ledger, {one: counts(3), two: counts(4)})
    assert (before[DONE], before["passerelle_open"]) == (7, 7)
    ledger.forget(one)
    ledger.welcome(successor)
    after = figures(ledger, {two: counts(5), successor: counts(1)})
    assert (after[DONE], after["passerelle_open"]) == (9, 6)
    assert after['passerelle_took_seconds_count{route="a"}'] == 3
    assert after['passerelle_took_seconds_sum{route="a"}'] == 3 + 5 + 1
    assert after['passerelle_took_seconds_bucket{le="1.0",route="a"}'] == 1


def test_who_does_not_answer_counts_as_it_did(members: list[Member]) -> None:
    ledger = Ledger()
    for member in members[:2]:
        ledger.welcome(member)
    figures(ledger, {members[0]: counts(3), members[1]: counts(4)})
    found = figures(ledger, {members[1]: counts(6)})
    assert (found[DONE], found["passerelle_open"]) == (9, 6)
    assert figures(ledger, {members[0]: counts(5), members[1]: counts(6)})[DONE] == 11


def test_an_answer_that_was_under_way_when_its_worker_died_counts_once(members: list[Member]) -> None:
    ledger = Ledger()
    ledger.welcome(members[0])
    figures(ledger, {members[0]: counts(3)})
    ledger.forget(members[0])
    assert [figures(ledger, {members[0]: counts(4)})[DONE] for _ in range(2)] == [3, 3]


def test_several_deaths_add_up(members: list[Member]) -> None:
    ledger = Ledger()
    for number, member in enumerate(members, 1):
        ledger.welcome(member)
        figures(ledger, {member: counts(number)})
        ledger.forget(member)
        ledger.forget(member)
    assert figures(ledger, {})[DONE] == 6


def test_of_the_dead_no_more_time_series_are_kept_than_there_may_be(members: list[Member]) -> None:
    ledger = Ledger(most=2)
    for number, member in enumerate(members):
        ledger.welcome(member)
        figures(ledger, {member: counts(1, route=f"r{number}") + counts(1, route="other")[-1:]})
        ledger.forget(member)
    found = figures(ledger, {})
    names = {name for name in found if name.startswith("passerelle_done")}
    assert names == {f'passerelle_done_total{{route="{route}"}}' for route in ("r0", "r1", "other")}
    assert sum(found[name] for name in names) == 3
    assert found['passerelle_took_seconds_bucket{le="+Inf",route="other"}'] == 1


def test_exchanges_that_are_over_add_up_too(members: list[Member]) -> None:
    ledger = Ledger()
    one, two, successor = members
    ledger.welcome(one)
    ledger.welcome(two)
    assert ledger.requests({one: 3, two: 4}) == 7
    ledger.forget(one)
    ledger.welcome(successor)
    assert ledger.requests({two: 4}) == 7
    assert ledger.requests({two: 5, successor: 1, one: 9}) == 9
