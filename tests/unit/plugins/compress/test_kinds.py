from __future__ import annotations

import pytest

from plugins.compress import Config
from plugins.compress.kinds import _REMEMBERED, Kinds


@pytest.mark.parametrize(
    ("media_type", "is_events"),
    [("text/event-stream", True), ("application/x-ndjson; charset=utf-8", True), ("application/json", False)],
)
def test_which_are_made_of_events(media_type: str, is_events: bool) -> None:
    kind = Kinds(Config()).find(media_type)
    assert kind is not None
    assert (kind.events is not None) is is_events


def test_each_stream_of_events_has_its_own_memory() -> None:
    kind = Kinds(Config()).find("text/event-stream")
    assert kind is not None
    assert kind.events is not None
    assert kind.events() is not kind.events()


def test_levels_go_by_the_first_pattern_that_fits() -> None:
    levels = {"text/css": {"gzip": 9}, "text/*": {"gzip": 2}}
    kinds = Kinds(Config.model_validate({"levels_by_type": levels, "levels": {"gzip": 4}}))
    found = [kinds.find(name) for name in ("text/css", "text/html", "application/json")]
    assert [kind.coders["gzip"].level for kind in found if kind is not None] == [9, 2, 4]


def test_what_is_remembered_is_bounded() -> None:
    kinds = Kinds(Config())
    for n in range(_REMEMBERED * 3):
        assert kinds.find(f"text/plain; n={n}") is not None
    assert len(kinds._known) <= _REMEMBERED
