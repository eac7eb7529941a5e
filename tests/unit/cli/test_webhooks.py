"""`passerelle webhooks`, as far as it needs no gateway; with one it is tested by the real command."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.cli import webhooks

Command = Callable[..., tuple[int, str, str]]
ENDPOINT = {
    "id": "ops",
    "url": "https://a.example/…",
    "events": ["quota.*"],
    "state": "failing",
    "reason": "",
    "previous_secret_until": 1_700_086_400.0,
    "failures": 3,
    "failing_since": 1_700_000_000.0,
    "last_status": 500,
    "silent_until": 1_700_000_060.0,
    "pending": 2,
    "dead": 1,
    "oldest_seconds": 61.4,
}
DELIVERY = {
    "event": "01",
    "type": "quota.low",
    "subject": "gold",
    "time": 1_700_000_000.0,
    "endpoint": "ops",
    "state": "pending",
    "attempts": 2,
    "next_at": 1_700_000_300.0,
    "status": 500,
    "error": "answered 500",
}


def test_a_plain_secret_is_shown_as_receivers_take_it(command: Command) -> None:
    assert command("webhooks", "secret", "plain") == (0, f"whsec_{base64.b64encode(b'plain').decode()}\n", "")


def test_a_new_secret_is_long_and_another_each_time(command: Command) -> None:
    made = [command("webhooks", "secret")[1].strip() for _ in range(2)]
    assert made[0] != made[1]
    assert all(len(base64.b64decode(one.removeprefix("whsec_"))) == 32 for one in made)


def test_nobody_there(command: Command) -> None:
    code, out, err = command("webhooks", "list", "--admin", "http://127.0.0.1:1")
    assert (code, out) == (1, "")
    assert "no gateway answers there" in err


def test_a_replay_of_everything_is_not_guessed(command: Command) -> None:
    code, _, err = command("webhooks", "replay", "--admin", "http://127.0.0.1:1")
    assert (code, "say what is to be replayed" in err) == (2, True)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1700000000", 1_700_000_000.0),
        ("1700000000.5", 1_700_000_000.5),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000.0),
        ("2023-11-14", datetime(2023, 11, 14).astimezone().timestamp()),
    ],
)
def test_times(text: str, moment: float) -> None:
    assert webhooks._moment(text) == moment


def test_what_is_no_time(command: Command) -> None:
    code, _, err = command("webhooks", "replay", "--since", "yesterday")
    assert (code, "yesterday" in err) == (2, True)


def test_endpoints_and_deliveries_for_people() -> None:
    assert list(webhooks._endpoint(ENDPOINT)) == [
        "ops: failing, 2 pending (the oldest for 61 s), 1 dead",
        "  https://a.example/…  quota.*",
        "  3 failures since 2023-11-14T22:13:20Z, last status 500",
        "  nothing is sent until 2023-11-14T22:14:20Z; `passerelle webhooks enable ops` ends that",
        "  the previous secret signs until 2023-11-15T22:13:20Z",
    ]
    assert webhooks._delivery(DELIVERY) == (
        "2023-11-14T22:13:20Z 01 quota.low to ops: pending after 2 attempts, next at 2023-11-14T22:18:20Z: answered 500"
    )


def test_a_replay_is_asked_for_by_what_was_said() -> None:
    asked: list[Any] = []

    def ask(what: str, body: Any = None) -> dict[str, Any]:
        asked.append((what, body))
        return {"replayed": 3}

    said = {"id": None, "endpoint": "ops", "type": "quota.*", "since": 5.0, "until": None, "state": "done"}
    assert webhooks._replay(argparse.Namespace(**said, json=False), ask) == 0
    assert asked == [("webhooks/replay", {"endpoint": "ops", "type": "quota.*", "since": 5.0, "state": "done"})]


def test_a_time_is_told_in_utc() -> None:
    assert webhooks._time(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()) == "2026-01-02T03:04:05Z"
