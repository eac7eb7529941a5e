"""What holds for all tests.

Those that need a browser are left out where there is none, and the last lines of a run say so. Hypothesis measures no
time: how long an example takes says more about what else the machine does.
"""

from __future__ import annotations

import gc
import shutil

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

BROWSERS = ("chromium", "google-chrome", "chrome")


@pytest.fixture
def browser() -> str:
    """The program of a Chromium; who asks for it is marked `browser`."""
    found = _found()
    assert found is not None
    return found


def _found() -> str | None:
    return next((program for name in BROWSERS if (program := shutil.which(name))), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _found() is not None:
        return
    left = [item for item in items if item.get_closest_marker("browser")]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


def pytest_collection_finish() -> None:
    """Ten thousand tests are objects that stay; a reload collects garbage, and would look at all of them each time."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _found() is None:
        terminalreporter.write_line(f"left out: tests that need a browser, for none of {', '.join(BROWSERS)} is here")
