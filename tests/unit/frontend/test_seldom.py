"""What strangers can cause is logged once a minute, with a count."""

from __future__ import annotations

import logging

import pytest

from proxy.clock import ManualClock
from proxy.frontend.seldom import Seldom


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
