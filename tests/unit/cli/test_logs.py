"""Log lines: one a record, whatever is in it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator

import pytest

from proxy.cli.logs import OneLine, log_to_stderr


def record(message: str, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("passerelle.x", logging.WARNING, "f.py", 1, message, None, info)


def test_a_line_has_time_level_and_name() -> None:
    line = OneLine().format(record("fine"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING passerelle\.x: fine", line)


def test_line_ends_in_it_are_escaped() -> None:
    line = OneLine().format(record("a\r\n2024-01-01T00:00:00.000Z ERROR forged: b"))
    assert line.endswith("a\\r\\n2024-01-01T00:00:00.000Z ERROR forged: b")


def test_an_exception_is_told_on_the_same_line() -> None:
    def raising() -> None:
        raise ValueError("bad\nthing")

    try:
        raising()
    except ValueError as error:
        line = OneLine().format(record("failed", error))
    assert "\n" not in line
    assert re.search(r"failed \[ValueError: bad\\nthing; \S+test_logs\.py:\d+ in raising; ", line)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    before = logger.level, logger.handlers[:]
    yield logger
    logger.setLevel(before[0])
    logger.handlers[:] = before[1]


def test_records_of_the_level_go_to_stderr(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("warning")
    logging.getLogger("passerelle").info("quiet")
    logging.getLogger("passerelle").warning("loud")
    assert [handler.stream for handler in root.handlers if isinstance(handler, logging.StreamHandler)] == [sys.stderr]
    err = capsys.readouterr().err
    assert err.endswith("WARNING passerelle: loud\n")
    assert "quiet" not in err


def test_a_flood_of_the_event_loop_s_lines_is_one(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        log_to_stderr("warning")
    for _ in range(100):
        logging.getLogger("asyncio").warning("this test wrote to a connection that is lost")
    assert capsys.readouterr().err.count("\n") == 1
