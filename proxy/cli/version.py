"""Which version this is, and the commit that it was made from: what every report of a defect has to begin with.

The number stands in `proxy/__init__.py` and nowhere else. The commit is written into `commit.txt` by `git archive`
(`.gitattributes`) or by the build of an image; in a checkout nothing is written there, and git is asked.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from proxy import __version__

_WRITTEN = Path(__file__).with_name("commit.txt")
_ROOT = Path(__file__).parents[2]
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHOWN = 12  # characters
_PATIENCE = 5.0  # seconds


def described(written: Path = _WRITTEN, root: Path = _ROOT) -> str:
    """The version, with the commit in brackets where it is known.

    :param written: the file that a build leaves the commit in.
    :param root: the checkout, if it is one.
    """
    commit = _recorded(written) or _checked_out(root)
    return f"{__version__} ({commit[:_SHOWN]})" if commit else __version__


def _recorded(file: Path) -> str:
    """What a build wrote; empty where it still is the placeholder."""
    text = file.read_text(encoding="ascii").strip() if file.is_file() else ""
    return text if _COMMIT.fullmatch(text) else ""


def _checked_out(root: Path) -> str:
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return ""
    command = [git, "-C", str(root), "rev-parse", "HEAD"]
    done = subprocess.run(  # noqa: S603 (a fixed command, with a path of our own)
        command, check=False, capture_output=True, text=True, timeout=_PATIENCE
    )
    found = done.stdout.strip()
    return found if _COMMIT.fullmatch(found) else ""
