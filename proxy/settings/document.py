"""The written configuration: its values, and where each of them stands.

Values and places are kept apart, so that validation works on plain data while every message, also one made long after
loading, can still point at file, line and column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias

from proxy.settings.problems import KeyPath, Problem, Severity

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column are 1-based."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Source(Enum):
    """Where a value came from; what is not in the YAML itself may be secret."""

    TEXT = "text"
    ENVIRONMENT = "environment"
    FILE = "file"


@dataclass(slots=True)
class Node:
    """One value of the YAML with its place."""

    mark: Mark
    value: Scalar | list[Node] | dict[str, Entry]
    source: Source = Source.TEXT

    def children(self) -> Iterator[tuple[str | int, Node]]:
        """Yield what the node holds, with key or index."""
        if isinstance(self.value, list):
            yield from enumerate(self.value)
        elif isinstance(self.value, dict):
            for key, entry in self.value.items():
                yield key, entry.node


@dataclass(slots=True)
class Entry:
    """A key's place, and its value."""

    mark: Mark
    node: Node


@dataclass(frozen=True, slots=True)
class _Spot:
    value: Mark
    key: Mark | None
    is_leaf: bool
    source: Source


@dataclass(slots=True)
class Document:
    """Plain data with the place of every value; without any place for settings that came from no file.

    :ivar data: the merged YAML as dicts, lists and scalars, variables replaced.
    """

    data: dict[str, Any] = field(default_factory=dict)
    _spots: dict[KeyPath, _Spot] = field(default_factory=dict)
    _variables: dict[KeyPath, str] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Node) -> Document:
        """Return the document of a tree whose root is a mapping."""
        document = cls()
        document.data = document._record(root, (), None)
        return document

    def _record(self, node: Node, path: KeyPath, key: Mark | None) -> Any:
        is_leaf = not isinstance(node.value, list | dict)
        self._spots[path] = _Spot(node.mark, key, is_leaf, node.source)
        if isinstance(node.value, list):
            return [self._record(item, (*path, index), None) for index, item in enumerate(node.value)]
        if isinstance(node.value, dict):
            return {name: self._record(entry.node, (*path, name), entry.mark) for name, entry in node.value.items()}
        return node.value

    def holds(self, path: KeyPath) -> bool:
        """Tell whether something is written at `path`."""
        return path in self._spots

    def mark(self, path: KeyPath, *, key: bool = False) -> Mark | None:
        """Return the place of a value, or of its key; of what encloses it when the path is not in the document.

        A scalar's place is the scalar's own, that of a mapping or list is its key's, which is where one looks for it.
        """
        spot = self._spots.get(path)
        if spot is None:
            return self.mark(path[:-1]) if path else None
        wants_key = key or not spot.is_leaf
        return spot.key if wants_key and spot.key is not None else spot.value

    def problem(
        self,
        path: KeyPath,
        message: str,
        remedy: str = "",
        *,
        key: bool = False,
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        """Return a problem placed at `path`; with `key`, at the key rather than its value."""
        variable = self._variable(path)
        if variable:
            return Problem((), f"{variable}: {message}", remedy, "environment", severity=severity)
        mark = self.mark(path, key=key) or Mark("", 0, 0)
        return Problem(path, message, remedy, mark.file, mark.line, mark.column, severity)

    def name_variable(self, path: KeyPath, variable: str) -> None:
        """Take note that what stands at a path, and below it, came from a variable of the environment as a whole."""
        self._variables[path] = variable

    def _variable(self, path: KeyPath) -> str:
        while path and path not in self._variables:
            path = path[:-1]
        return self._variables.get(path, "")

    def warning(self, path: KeyPath, message: str, remedy: str = "") -> Problem:
        """Return a problem that does not stop the start."""
        return self.problem(path, message, remedy, severity=Severity.WARNING)

    def base(self, path: KeyPath) -> Path:
        """Return the absolute directory from which relative paths at `path` are taken."""
        mark = self.mark(path)
        return (Path(mark.file).parent if mark is not None else Path()).absolute()

    def from_source(self, source: Source) -> frozenset[KeyPath]:
        """Return the paths of all values that hold text from the environment, or from files."""
        return frozenset(path for path, spot in self._spots.items() if spot.source is source)
