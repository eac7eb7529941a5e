"""A hook that raises: whose answer is given, who is told."""

from __future__ import annotations

import pytest

from proxy.errors import BodyTooLarge
from proxy.exchange import Exchange
from proxy.faults import Faults
from proxy.message import Response
from proxy.waiting import Failed
from tests.unit.stage import Acting, Stage


class Skipped(Acting):
    on_error = "skip"


def failing(kind: type[Acting] = Acting) -> tuple[Stage, Faults, Exchange]:
    stage = Stage(kind())
    x = stage.begin()
    x.cursor = 0
    return stage, Faults(stage.engine.events), x


def test_an_error_that_was_meant_is_an_answer_and_nobody_is_told() -> None:
    stage, faults, x = failing()
    response = faults.raised(x, BodyTooLarge("too much"))
    assert response is not None
    assert response.status == 413
    assert stage.events == []


@pytest.mark.parametrize(("kind", "status"), [(Acting, 500), (Skipped, None)])
def test_a_defect_is_told_and_answered_unless_it_may_be_skipped(kind: type[Acting], status: int | None) -> None:
    stage, faults, x = failing(kind)
    response = faults.raised(x, ValueError("oh"))
    assert (None if response is None else response.status) == status
    assert [event.type for event in stage.events] == ["plugin.error"]
    assert (x.error is None) == (status is None)


def test_what_a_hook_that_waited_gives() -> None:
    _, faults, x = failing()
    answer = Response(204)
    assert faults.settled(x, answer) is answer
    assert faults.settled(x, None) is None
    for defect in (Failed(ValueError("oh")), "nonsense"):
        response = faults.settled(x, defect)
        assert response is not None
        assert response.status == 500
