"""What is wrong with a configuration, said so that it can be put right.

An operator should fix a file in one go: every problem is collected, and each carries where it stands (file, line,
column), which key it is about, what is wrong, and what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]

_PLAIN = re.compile(r"[\w-]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # what would break the line, or steer a terminal


class Severity(StrEnum):
    """Whether a problem stops the start."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right.

    :ivar path: keys and list indexes from the top of the document; empty for the document as a whole.
    :ivar message: what is wrong, in a few words.
    :ivar remedy: what to write instead; may be empty.
    :ivar file: the file as the operator named it; empty when the value came from no file.
    :ivar line: 1-based; 0 when there is no place in the file.
    :ivar column: 1-based; 0 when there is no place in the file.
    """

    path: KeyPath
    message: str
    remedy: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    severity: Severity = Severity.ERROR

    def render(self) -> str:
        """Return `file:line:column: path: message; remedy`, leaving out what is not known."""
        place = self.file if not self.line else f"{self.file}:{self.line}:{self.column}"
        kind = "warning" if self.severity is Severity.WARNING else ""
        head = [part for part in (place, kind, label(self.path)) if part]
        line = ": ".join([*head, f"{self.message}; {self.remedy}" if self.remedy else self.message])
        return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], line)

    def as_json(self) -> dict[str, object]:
        """Return the problem as plain data for `check --json`."""
        return {
            "severity": self.severity.value,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": list(self.path),
            "message": self.message,
            "remedy": self.remedy,
        }


class SettingsError(Exception):
    """The configuration cannot be used.

    :ivar problems: everything that was found, errors and warnings, in the order of the files.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(in_order(problems))
        super().__init__("\n".join(problem.render() for problem in self.problems))


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems in reading order: files as first met, then lines, then columns."""
    found = list(problems)
    files = list(dict.fromkeys(problem.file for problem in found))
    return sorted(found, key=lambda problem: (files.index(problem.file), problem.line, problem.column))


def label(path: KeyPath) -> str:
    """Return a path as people write it: `upstreams.shop.targets[0].url`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _PLAIN.fullmatch(part) else f'"{part}"'
            text += f".{name}" if text else name
    return text


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that `word` is probably a slip of, or None."""
    import difflib  # loaded when something is misspelt

    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def suggestion(word: str, choices: Sequence[str]) -> str:
    """Return a remedy for a misspelt word: the nearest choice, or all of them when none is near."""
    near = nearest(word, choices)
    if near is not None:
        return f'did you mean "{near}"?'
    return f"choose from {', '.join(sorted(choices))}" if choices else ""
