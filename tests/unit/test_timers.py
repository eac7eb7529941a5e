from __future__ import annotations

import gc
import logging
import math
import random
import weakref
from collections.abc import Callable

import pytest

from proxy.clock import ManualClock
from proxy.timers import Timer, Wheel


class Note(Timer):
    """Writes down that it expired, and when."""

    __slots__ = ("__weakref__", "action", "log", "name")

    def __init__(self, name: str, log: list[str], action: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.name = name
        self.log = log
        self.action = action

    def expired(self) -> None:
        self.log.append(self.name)
        if self.action is not None:
            self.action()


class Bench:
    """A wheel with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.log: list[str] = []
        self.failures: list[tuple[Timer, Exception]] = []
        self.wheel = Wheel(self.clock, on_error=lambda timer, error: self.failures.append((timer, error)))

    def timer(self, name: str = "t", action: Callable[[], None] | None = None) -> Note:
        return Note(name, self.log, action)

    def armed(self, seconds: float, name: str = "t", action: Callable[[], None] | None = None) -> Note:
        timer = self.timer(name, action)
        self.wheel.arm(timer, seconds)
        return timer

    def pass_time(self, seconds: float) -> list[str]:
        """Let time pass with one `advance` at the end; what expired in it."""
        self.log.clear()
        self.clock.advance(seconds)
        self.wheel.advance()
        return self.log


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_timer_is_never_early_and_expires_once(bench: Bench) -> None:
    bench.armed(0.25)
    assert [list(bench.pass_time(0.0625)) for _ in range(6)] == [[], [], [], ["t"], [], []]
    assert len(bench.wheel) == 0


def test_arming_again_moves_the_deadline_later(bench: Bench) -> None:
    timer = bench.armed(1)
    bench.wheel.arm(timer, 5)
    assert bench.pass_time(4.9) == []
    assert bench.pass_time(0.1) == ["t"]


def test_arming_again_moves_the_deadline_sooner(bench: Bench) -> None:
    timer = bench.armed(60)
    bench.wheel.arm(timer, 1)
    assert bench.pass_time(1) == ["t"]
    assert bench.pass_time(60) == []


def test_a_later_deadline_costs_no_move_until_the_slot_comes(bench: Bench) -> None:
    timer = bench.armed(1)
    slot = timer.slot
    bench.wheel.arm(timer, 5)
    assert timer.slot == slot
    bench.pass_time(1.5)
    assert timer.slot > slot


def test_disarmed_timers_never_expire_and_leave_with_their_slot(bench: Bench) -> None:
    timer = bench.armed(1)
    bench.wheel.disarm(timer)
    assert (timer.deadline, len(bench.wheel)) == (math.inf, 1)
    assert bench.pass_time(2) == []
    assert len(bench.wheel) == 0


def test_a_disarmed_timer_can_be_armed_again(bench: Bench) -> None:
    timer = bench.armed(1)
    bench.wheel.disarm(timer)
    bench.wheel.arm(timer, 2)
    assert bench.pass_time(1) == []
    assert bench.pass_time(1) == ["t"]
    bench.wheel.arm(timer, 1)
    assert bench.pass_time(1) == ["t"]


def test_a_forgotten_timer_is_let_go_at_once(bench: Bench) -> None:
    timer = bench.armed(75)
    gone = weakref.ref(timer)
    bench.wheel.forget(timer)
    bench.wheel.forget(timer)
    assert len(bench.wheel) == 0
    del timer
    gc.collect()
    assert gone() is None


def test_disarming_and_forgetting_what_was_never_armed_is_nothing(bench: Bench) -> None:
    timer = bench.timer()
    bench.wheel.disarm(timer)
    bench.wheel.forget(timer)
    assert bench.pass_time(10) == []


@pytest.mark.parametrize("seconds", [0, -3])
def test_a_deadline_that_has_passed_is_due_in_the_next_advance(bench: Bench, seconds: float) -> None:
    bench.pass_time(10)
    bench.armed(seconds)
    assert bench.pass_time(0) == ["t"]


def test_they_expire_in_the_order_of_their_deadlines(bench: Bench) -> None:
    for name, seconds in (("c", 0.33), ("a", 0.31), ("d", 7), ("b", 0.32)):
        bench.armed(seconds, name)
    assert bench.pass_time(3600) == ["a", "b", "c", "d"]


def test_a_timer_may_arm_itself_without_holding_advance(bench: Bench) -> None:
    timer = bench.armed(1)
    timer.action = lambda: bench.wheel.arm(timer, 0)
    assert bench.pass_time(1) == ["t"]
    assert bench.pass_time(0) == ["t"]


@pytest.mark.parametrize("act", ["disarm", "forget"])
def test_a_timer_may_stop_another_that_is_due_as_well(bench: Bench, act: str) -> None:
    other = bench.timer("other")
    bench.armed(1, "first", lambda: getattr(bench.wheel, act)(other))
    bench.wheel.arm(other, 1.01)
    assert bench.pass_time(2) == ["first"]
    assert bench.pass_time(100) == []
    assert len(bench.wheel) == 0


@pytest.mark.parametrize(("seconds", "at_once"), [(5, False), (0, True)])
def test_a_timer_may_move_another_that_is_due_as_well(bench: Bench, seconds: float, at_once: bool) -> None:
    other = bench.timer("other")
    bench.armed(1, "first", lambda: bench.wheel.arm(other, seconds))
    bench.wheel.arm(other, 1.01)
    assert bench.pass_time(2) == (["first", "other"] if at_once else ["first"])
    assert bench.pass_time(5) == ([] if at_once else ["other"])


def test_one_that_raises_does_not_stop_the_others(bench: Bench) -> None:
    wrong = ValueError("wrong")

    def fail() -> None:
        raise wrong

    failing = bench.armed(1, "failing", fail)
    bench.armed(1.01, "next")
    assert bench.pass_time(2) == ["failing", "next"]
    assert bench.failures == [(failing, wrong)]


def test_failures_are_logged_unless_something_else_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("no")

    clock = ManualClock()
    wheel = Wheel(clock)
    wheel.arm(Note("t", [], fail), 1)
    clock.advance(1)
    with caplog.at_level(logging.ERROR):
        wheel.advance()
    assert "a timer failed" in caplog.text
    assert "ValueError" in caplog.text


def test_a_timer_says_what_happens_when_it_expires() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Timer()  # type: ignore[abstract]  # what is tested


def test_a_hundred_thousand_random_operations_agree_with_a_plain_list(bench: Bench) -> None:
    dice = random.Random(7)
    timers = [bench.timer(str(at)) for at in range(200)]
    expected: dict[str, float] = {}
    for _ in range(100_000):
        timer = dice.choice(timers)
        match dice.choices(("arm", "disarm", "forget", "advance"), (10, 5, 2, 3))[0]:
            case "arm":
                seconds = dice.choice((0, 0.05, 0.1, 1, 7.3, 75)) * dice.random()
                bench.wheel.arm(timer, seconds)
                expected[timer.name] = bench.clock.monotonic() + seconds
            case "advance":
                fired = bench.pass_time(dice.choice((0, 0.03, 0.1, 0.1, 0.25, 40)) * dice.random())
                now = bench.clock.monotonic()
                due = [name for name, deadline in expected.items() if deadline <= now]
                assert sorted(fired) == sorted(due)
                expected = {name: deadline for name, deadline in expected.items() if deadline > now}
            case act:
                getattr(bench.wheel, act)(timer)
                expected.pop(timer.name, None)
        assert len(bench.wheel) <= len(timers)
    assert bench.pass_time(3600) == sorted(expected, key=expected.__getitem__)
    assert len(bench.wheel) == 0
