"""`passerelle events`, as far as it needs no gateway."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from proxy.cli.events import _line, events
from proxy.events import CATALOGUE

Command = Callable[..., tuple[int, str, str]]


def test_every_schema(command: Command) -> None:
    code, out, _ = command("events", "schema")
    assert (code, list(json.loads(out))) == (0, list(CATALOGUE))


def test_one_schema(command: Command) -> None:
    code, out, _ = command("events", "schema", "quota.low")
    assert (code, json.loads(out)["properties"]["type"]) == (0, {"const": "quota.low"})


def test_no_such_event(command: Command) -> None:
    code, _, err = command("events", "schema", "quota.lo")
    assert (code, 'did you mean "quota.low"' in err) == (1, True)


def test_nobody_there(command: Command) -> None:
    code, out, err = command("events", "tail", "--admin", "http://127.0.0.1:1")
    assert (code, out) == (1, "")
    assert "no gateway answers there" in err


def test_a_stream_is_read_event_by_event() -> None:
    stream = [
        ": listening",
        "",
        "event: a.b",
        'data: {"x": 1}',
        "",
        ": still here",
        "",
        "event: lost",
        'data: {"lost": 3}',
    ]
    assert list(events(stream)) == [("a.b", {"x": 1}), ("lost", {"lost": 3})]


@pytest.mark.parametrize(
    ("data", "shown"),
    [({"a": "b", "n": 3}, "a=b n=3"), ({"t": "two words", "l": [1], "e": ""}, 't="two words" l=[1] e=""')],
)
def test_a_line_for_people(data: dict[str, object], shown: str) -> None:
    line = _line("quota.low", {"time": 1_700_000_000.5, "data": data})
    assert line.endswith(f".500 quota.low {shown}")
    assert "3 events were lost" in _line("lost", {"lost": 3})
