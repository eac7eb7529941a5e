"""What a run says of tests that it leaves out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[2] / "conftest.py"
TESTS = """
import pytest

def test_plain(): ...

@pytest.mark.browser
def test_with_a_browser(browser):
    assert browser.endswith("chromium")
"""


@pytest.mark.parametrize(("there", "said"), [(True, "2 passed"), (False, "1 passed, 1 deselected")])
def test_a_browser_is_asked_or_the_run_says_that_none_is_there(tmp_path: Path, there: bool, said: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = browser: needs one\n")
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "test_both.py").write_text(TESTS)
    (tmp_path / "bin").mkdir()
    if there:
        (tmp_path / "bin" / "chromium").symlink_to(sys.executable)
    env = {**os.environ, "PATH": str(tmp_path / "bin"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path))
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert said in done.stdout, done.stdout
    assert ("left out: tests that need a browser" in done.stdout) is not there
