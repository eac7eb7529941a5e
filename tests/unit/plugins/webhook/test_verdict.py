"""What follows from an attempt."""

from __future__ import annotations

import random

import pytest

from plugins.webhook.config import Retry
from plugins.webhook.verdict import Reply, Schedule, Verdict, judge, pause
from proxy.api import Due, StoredEvent

NOW = 1_700_000_000.0
EVENT = StoredEvent(1, "id", "quota.low", "", NOW, b"{}")
EXACT = Schedule(Retry().schedule, 0.0)


def after(reply: Reply, due: Due | None = None, *, paused_until: float = 0.0, others_pass: bool = False) -> Verdict:
    return judge(due or Due(EVENT, "a"), reply, NOW, EXACT, paused_until=paused_until, others_pass=others_pass)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_a_success(status: int) -> None:
    assert after(Reply(status)) == Verdict("done")


@pytest.mark.parametrize("status", [0, 101, 300, 301, 302, 304, 307, 400, 404, 410, 429, 500, 503])
def test_nothing_else_is(status: int) -> None:
    assert after(Reply(status)) == Verdict("pending", NOW + 5)


def test_the_whole_schedule_is_75_hours() -> None:
    delays = []
    for attempts in range(9):
        verdict = after(Reply(500), Due(EVENT, "a", attempts))
        delays.append(verdict.next_at - NOW)
    assert delays == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert 75 < sum(delays) / 3600 < 76
    last = after(Reply(500), Due(EVENT, "a", 9))
    assert last.then == "dead"
    assert last.why == "attempt 10 was the last: answered 500"


def test_jitter_is_a_fifth_either_way() -> None:
    schedule = Schedule((0.0, 100.0), 0.2, random.Random(3))
    found = [schedule.after(1) or 0.0 for _ in range(500)]
    assert 80 <= min(found) < 83
    assert 117 < max(found) <= 120


def test_a_pause_moves_the_next_attempt() -> None:
    assert after(Reply(503), paused_until=NOW + 60).next_at == NOW + 60


class TestPoison:
    def test_three_equal_refusals_while_others_pass(self) -> None:
        assert after(Reply(422), Due(EVENT, "a", 2, 422, 2), others_pass=True).then == "dead"

    def test_not_when_nothing_passes(self) -> None:
        assert after(Reply(422), Due(EVENT, "a", 2, 422, 2)).then == "pending"

    def test_not_the_second_time(self) -> None:
        assert after(Reply(422), Due(EVENT, "a", 1, 422, 1), others_pass=True).then == "pending"

    def test_not_when_they_differ(self) -> None:
        assert after(Reply(422), Due(EVENT, "a", 2, 400, 2), others_pass=True).then == "pending"

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 0, 302])
    def test_not_for_what_says_nothing_of_the_event(self, status: int) -> None:
        assert after(Reply(status), Due(EVENT, "a", 2, status, 2), others_pass=True).then == "pending"


class TestPause:
    @pytest.mark.parametrize(
        ("reply", "seconds"),
        [
            (Reply(200, retry_after="120"), 0),
            (Reply(500), 0),
            (Reply(429), 60),
            (Reply(503), 60),
            (Reply(429, retry_after="120"), 120),
            (Reply(500, retry_after="120"), 120),
            (Reply(429, retry_after="1"), 60),
            (Reply(429, retry_after="99999999999999"), 86400),
            (Reply(429, retry_after="-5"), 60),
            (Reply(429, retry_after="soon"), 60),
            (Reply(503, retry_after="Tue, 14 Nov 2023 22:23:20 GMT"), 600),
            (Reply(503, retry_after="Tue, 14 Nov 2023 22:23:20"), 600),
            (Reply(503, retry_after="Tue, 14 Nov 2000 22:23:20 GMT"), 60),
            (Reply(0, error="timeout"), 0),
        ],
    )
    def test_seconds(self, reply: Reply, seconds: float) -> None:
        assert pause(reply, NOW) == seconds


def test_words() -> None:
    assert Reply(200).words == ""
    assert Reply(302).words == "answered 302"
    assert Reply(error="connect_failed: no").words == "connect_failed: no"
