"""Of what flaps, one edge is told in ten seconds, and the last state always is."""

from __future__ import annotations

import pytest

from proxy.events import UpstreamRecovered, UpstreamUnhealthy
from proxy.upstream.edges import Edge
from tests.unit.upstream.crew import Crew


@pytest.fixture
def crew() -> Crew:
    return Crew()


def edge(crew: Crew) -> Edge:
    return Edge(
        crew.teller,
        lambda reason: UpstreamUnhealthy("app", "a", reason),
        lambda reason: UpstreamRecovered("app", "a", reason),
    )


def test_the_first_edge_is_told_at_once(crew: Crew) -> None:
    one = edge(crew)
    one.set(False, "as it was")
    assert crew.types() == []
    one.set(True, "why")
    one.set(True, "again")
    assert [event.data()["reason"] for event in crew.told] == ["why"]


def test_a_state_that_did_not_last_is_not_told(crew: Crew) -> None:
    one = edge(crew)
    one.set(True, "first")
    crew.pass_time(3)
    one.set(False, "second")
    crew.pass_time(3)
    one.set(True, "third")
    crew.pass_time(30)
    assert crew.types() == ["upstream.unhealthy"]


def test_flapping_is_told_once_in_ten_seconds_and_ends_in_the_truth(crew: Crew) -> None:
    one = edge(crew)
    for turn in range(101):
        one.set(turn % 2 == 0, str(turn))
        crew.pass_time(0.5)
    crew.pass_time(20)
    assert len(crew.told) <= 7
    one.set(False, "well")
    assert crew.types()[-1] == "upstream.recovered"


def test_after_ten_quiet_seconds_the_next_edge_is_told_at_once(crew: Crew) -> None:
    one = edge(crew)
    one.set(True, "out")
    crew.pass_time(10.1)
    one.set(False, "in")
    assert crew.types() == ["upstream.unhealthy", "upstream.recovered"]


def test_what_is_forgotten_is_told_no_more(crew: Crew) -> None:
    one = edge(crew)
    one.set(True, "out")
    one.set(False, "in")
    one.forget()
    crew.pass_time(20)
    assert crew.types() == ["upstream.unhealthy"]
