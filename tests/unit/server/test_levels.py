"""How much is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from proxy.server.levels import levels, set_level


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root, logger = logging.root.level, logging.getLogger("passerelle.tests")
    yield
    logging.root.setLevel(root)
    logger.setLevel(logging.NOTSET)


def test_loggers_of_ours_are_known() -> None:
    logging.getLogger("passerelle.tests")
    logging.getLogger("passerelles")
    assert {"root", "passerelle", "passerelle.tests"} <= levels().keys()
    assert "passerelles" not in levels()
    assert levels()["passerelle.tests"] is None


def test_each_can_be_set_and_taken_back() -> None:
    logger = logging.getLogger("passerelle.tests")
    set_level("passerelle.tests", "error")
    assert (logger.level, levels()["passerelle.tests"]) == (logging.ERROR, "error")
    set_level("passerelle.tests", None)
    assert logger.level == logging.NOTSET
    set_level("root", "info")
    assert levels()["root"] == "info"
    set_level("root", None)  # there is none above it
    assert levels()["root"] == "warning"


def test_others_are_not() -> None:
    for name in ("asyncio", "passerelle.never.made"):
        with pytest.raises(KeyError):
            set_level(name, "info")
