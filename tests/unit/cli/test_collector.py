"""The collector while a command starts: it waits, and goes on in the end."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from proxy.cli.collector import spare_start
from proxy.server.run import settle_memory


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_it_waits_while_a_command_starts_and_looks_again_once_it_serves() -> None:
    spare_start()
    assert gc.isenabled()
    assert gc.get_threshold()[0] == 200_000
    settle_memory()
    assert gc.get_threshold()[0] == 20_000
    assert gc.get_freeze_count() > 0
