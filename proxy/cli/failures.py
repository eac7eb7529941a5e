"""From errors to readable lines and exit codes: a user of the command never sees a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.settings import Problem


class Exit(IntEnum):
    """How the command ends."""

    FINE = 0
    BAD_CONFIGURATION = 1
    USAGE = 2
    CANNOT_BIND = 3
    INTERRUPTED = 130


def say(line: str) -> None:
    """One line on stderr."""
    print(f"passerelle: {line}", file=sys.stderr)


def show(problems: Iterable[Problem]) -> None:
    """Problems on stderr, one a line, in the form that editors jump to."""
    for problem in problems:
        print(problem.render(), file=sys.stderr)
