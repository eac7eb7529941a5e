"""The counts that a change is held against, each with the reason why it is what it is.

They lie in a file beside the code, so the commit that makes a path longer is the one that has to say why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

FILE = Path(__file__).with_name("regress.json")
ALLOWED = 1.05
_NOISE = 0.005  # share by which two counts of the same code may differ


class NoReason(Exception):
    """A count is to be raised, and nobody said why."""


@dataclass(frozen=True, slots=True)
class Known:
    """One path's recorded instructions for a request, and why they are what they are."""

    instructions: int
    reason: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """Recorded counts by the name of their path, and the build of Python for which they hold."""

    build: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, Known] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        """The recorded one; an empty one when there is no file."""
        if not file.exists():
            return cls()
        data = json.loads(file.read_text(encoding="utf-8"))
        return cls(data["build"], {name: Known(**known) for name, known in data["paths"].items()})

    def write(self, file: Path = FILE) -> None:
        """Record it."""
        paths = {name: {"instructions": it.instructions, "reason": it.reason} for name, it in self.paths.items()}
        data = {"build": dict(self.build), "paths": paths}
        file.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def holds_for(self, build: Mapping[str, str]) -> bool:
        """Whether counts taken by `build` can be compared with it."""
        return dict(self.build) == dict(build)

    def renewed(self, build: Mapping[str, str], counts: Mapping[str, int], reason: str) -> Baseline:
        """One with new counts; those that are as they were keep their reason, and so do those that fell without one.

        :raises NoReason: when a path is longer than it was, or new, and `reason` is empty.
        """
        same = self.holds_for(build)
        paths = dict(self.paths) if same else {}
        for name, instructions in counts.items():
            old = paths.get(name)
            if old is not None and abs(instructions / old.instructions - 1) <= _NOISE:
                continue
            if not reason and (old is None or instructions > old.instructions):
                raise NoReason(f"{name} {'has no count yet' if old is None else 'is longer than it was'}: say why")
            paths[name] = Known(instructions, reason or (old.reason if old is not None else ""))
        return Baseline(build, paths)


@dataclass(frozen=True, slots=True)
class Row:
    """One path held against its baseline."""

    name: str
    instructions: int
    before: int | None

    @property
    def ratio(self) -> float | None:
        """Of the recorded count; None when there is none."""
        return None if self.before is None else self.instructions / self.before

    @property
    def bad(self) -> bool:
        """Whether a commit must not leave it so."""
        return self.ratio is None or self.ratio > ALLOWED

    def line(self) -> str:
        """What is printed of it."""
        if self.ratio is None:
            return f"{self.name:<16} {self.instructions:>10,}  NEW: it has no recorded count"
        word = "GREW" if self.bad else "fell: record it" if self.ratio < 2 - ALLOWED else "as it was"
        return f"{self.name:<16} {self.instructions:>10,}  {self.before:>10,}  {self.ratio - 1:>+7.1%}  {word}"


def rows(counts: Mapping[str, int], before: Mapping[str, int]) -> list[Row]:
    """Hold counts against those of before."""
    return [Row(name, instructions, before.get(name)) for name, instructions in counts.items()]
