"""How an endpoint is judged."""

from __future__ import annotations

import pytest

from plugins.webhook.health import Health

NOW = 1_700_000_000.0
HOUR = 3600.0


def failing(times: int, *, every: float = 1.0, health: Health | None = None) -> Health:
    health = health or Health()
    for number in range(times):
        health.failed(NOW + number * every, 500, 0.0)
    return health


def test_the_fourth_failure_is_told_once() -> None:
    health = Health()
    assert [health.failed(NOW + number, 500, 0.0) for number in range(6)] == [False, False, False, True, False, False]
    assert health.notes.since == NOW


def test_the_first_success_after_that_is_told() -> None:
    health = failing(5)
    before = health.succeeded(NOW + 10, 204)
    assert before is not None
    assert (before.failures, before.since) == (5, NOW)
    assert health.succeeded(NOW + 11, 204) is None
    assert health.notes.failures == 0


def test_a_success_after_three_failures_is_not() -> None:
    assert failing(3).succeeded(NOW + 10, 200) is None


class TestBreaker:
    def test_ten_failures_in_a_row_open_it(self) -> None:
        assert failing(9).wait(NOW + 9) == 0
        assert failing(10).wait(NOW + 9) == 30

    def test_most_of_what_was_sent_lately_does_too(self) -> None:
        health = Health()
        for number in range(9):
            health.succeeded(NOW + number, 200) if number % 4 == 3 else health.failed(NOW + number, 500, 0.0)
        assert health.wait(NOW + 9) == 0
        health.failed(NOW + 9, 500, 0.0)
        assert health.wait(NOW + 9) == 30

    def test_what_is_long_ago_does_not_count(self) -> None:
        health = failing(8)
        health.succeeded(NOW + 8, 200)
        for number in range(3):
            health.failed(NOW + 400 + number, 500, 0.0)
        assert health.wait(NOW + 403) == 0

    def test_a_probe_that_fails_doubles_the_time(self) -> None:
        health, now, waits = failing(10), NOW + 9, []
        for _ in range(7):
            waits.append(health.wait(now))
            now += health.wait(now)
            assert health.wait(now) == 0
            assert health.is_probing
            health.failed(now, 500, 0.0)
        assert waits == [30, 60, 120, 240, 480, 600, 600]

    def test_what_was_under_way_when_it_opened_does_not(self) -> None:
        health = failing(10)
        for _ in range(5):
            health.failed(NOW + 10, 500, 0.0)
        assert health.wait(NOW + 10) == 29

    def test_a_probe_that_succeeds_closes_it(self) -> None:
        health = failing(10)
        health.succeeded(NOW + 40, 200)
        assert not health.is_probing
        assert health.wait(NOW + 40) == 0


def test_a_pause_is_kept_and_ends_with_a_success() -> None:
    health = Health()
    health.failed(NOW, 429, 120.0)
    assert health.wait(NOW + 1) == 119
    health.failed(NOW + 1, 429, 60.0)
    assert health.wait(NOW + 1) == 119
    health.succeeded(NOW + 2, 200)
    assert health.wait(NOW + 2) == 0


def test_a_clock_that_was_set_back_ends_no_wait_later_than_it_can_be() -> None:
    health = failing(10)
    assert health.wait(NOW - 100_000) == 600


class TestGivingUp:
    def test_410_at_once(self) -> None:
        assert "gone" in failing(1).given_up(NOW, 410)

    def test_days_of_nothing_but_failure(self) -> None:
        health = failing(20, every=6.4 * HOUR)
        assert health.given_up(NOW + 119 * HOUR, 500) == ""
        assert "120 hours" in health.given_up(NOW + 121 * HOUR, 500)

    def test_but_not_when_it_was_seldom_tried(self) -> None:
        assert failing(19, every=24 * HOUR).given_up(NOW + 999 * HOUR, 500) == ""

    def test_it_is_given_up_until_it_is_enabled(self) -> None:
        health = failing(20)
        health.disable("gone")
        assert health.notes.disabled == "gone"
        health.enable()
        assert (health.notes.disabled, health.notes.failures, health.wait(NOW)) == ("", 0, 0)


class TestNotes:
    def test_they_outlast_a_process(self) -> None:
        health = Health("", "mark")
        failing(12, health=health)
        health.disable("gone")
        again = Health(health.text(), "mark")
        assert again.notes == health.notes

    def test_another_configuration_begins_anew(self) -> None:
        health = Health("", "mark")
        failing(12, health=health)
        health.disable("gone")
        again = Health(health.text(), "other")
        assert (again.notes.disabled, again.notes.failures, again.notes.config) == ("", 0, "other")

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"unknown": 1}', "null", "3"])
    def test_what_cannot_be_read_is_forgotten(self, text: str) -> None:
        assert Health(text).notes.failures == 0

    def test_a_success_alone_is_not_worth_keeping(self) -> None:
        health = Health()
        before = health.mark
        health.succeeded(NOW, 204)
        assert health.mark == before
        health.failed(NOW, 500, 0.0)
        assert health.mark != before
