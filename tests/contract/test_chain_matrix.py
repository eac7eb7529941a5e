"""Every case, with hooks that are plain, that wait, that do both, and with the wire cut at random places.

All of these give the same answers, the same requests to the upstream, the same events, figures and order of hooks; and
nothing is left behind. There is one engine, not one for those who wait.
"""

from __future__ import annotations

import pytest

from tests.contract.cases import CASES
from tests.contract.chains import WAYS, Case, Outcome, Way, play


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_it_is_what_it_should_be_and_the_same_in_every_way(case: Case) -> None:
    first = await play(case, WAYS[0])
    check(case, first)
    for way in WAYS[1:]:
        other = await play(case, way)
        compare(first, other, way)
        if case.exact and way.cut is None:
            assert other.raw == first.raw, way.name


def check(case: Case, outcome: Outcome) -> None:
    got = outcome.got
    assert (0 if got is None else got.status) == case.status, got
    if got is not None and case.body is not None:
        assert got.body == case.body
    if case.diary is not None:
        assert ", ".join(outcome.diary) == case.diary
    assert [name for name, _ in outcome.events] == list(case.events)


def compare(first: Outcome, other: Outcome, way: Way) -> None:
    for one, two in zip(first.told, other.told, strict=True):
        assert one == two, way.name


async def test_the_matrix_is_whole() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60


async def test_each_try_is_stamped_once() -> None:
    case = next(case for case in CASES if case.name == "tried again")
    for way in WAYS:
        outcome = await play(case, way)
        assert [seen.headers.getall("x-try") for seen in outcome.seen] == [["1"], ["2"]]


async def test_what_is_fetched_is_told_to_the_plugins_further_in_alone() -> None:
    case = next(case for case in CASES if case.name == "fetched in on_request, read")
    outcome = await play(case, WAYS[1])
    assert outcome.diary.count("2 complete") == 2
    assert outcome.diary.count("1 complete") == outcome.diary.count("0 complete") == 1
    assert [seen.target for seen in outcome.seen] == ["/fetched"]
    assert outcome.counted == {("all", "200"): 1}


async def test_an_upload_that_was_read_is_forwarded_and_its_expectation_met_here() -> None:
    case = next(case for case in CASES if case.name == "upload expected by a plugin")
    for way in WAYS:
        outcome = await play(case, way)
        (seen,) = outcome.seen
        assert (seen.body, seen.headers.get("x-read"), seen.headers.get("expect")) == (
            b"hello world",
            "hello world",
            None,
        )
