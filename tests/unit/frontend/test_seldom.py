"""What strangers can cause is logged once a minute, with a count."""

from __future__ import annotations

import logging

import pytest

from proxy.clock import ManualClock
from proxy.frontend.seldom import Damped, Seldom


def test_once_a_minute_with_what_was_left_out(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    seldom = Seldom(logging.getLogger("passerelle.test"), clock.monotonic)
    for number in range(5):
        seldom.tell("refused %d", number)
    clock.advance(59)
    seldom.tell("refused %d", 5)
    clock.advance(1)
    seldom.tell("refused %d", 6)
    clock.advance(60)
    seldom.tell("refused %d", 7, level=logging.ERROR)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "refused 0"),
        ("WARNING", "refused 6 (and 5 times since it was last told)"),
        ("ERROR", "refused 7"),
    ]


def heard(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_another_s_lines_are_told_once_a_minute_by_kind(caplog: pytest.LogCaptureFixture) -> None:
    clock, loud = ManualClock(), logging.getLogger("test.loud")
    loud.addFilter(Damped(clock.monotonic))
    for number in range(5):
        loud.warning("write to %d", number)
        loud.error("protocol failed\ntransport: <at %d>" % number)  # noqa: UP031 (as event loops put it together)
        loud.error("protocol failed\n", exc_info=ValueError("another kind"))
    assert heard(caplog) == ["write to 0", "protocol failed\ntransport: <at 0>", "protocol failed\n"]
    clock.advance(60)
    loud.warning("write to %d", 5)
    loud.warning("write to %d", 6)
    assert heard(caplog)[3:] == ["write to 5 (and 4 times since it was last told)"]


def test_what_is_below_a_warning_is_told_always(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    quiet = logging.getLogger("test.quiet")
    quiet.addFilter(Damped(ManualClock().monotonic))
    for _ in range(3):
        quiet.info("asked for")
    assert len(caplog.records) == 3


def test_kinds_of_lines_are_not_remembered_without_end() -> None:
    damped = Damped(ManualClock().monotonic)
    for number in range(1000):
        assert damped.filter(logging.LogRecord("x", logging.ERROR, "f.py", 1, f"kind {number}", None, None))
    assert len(damped._told) <= 64
