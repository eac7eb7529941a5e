"""YAML text to a tree that knows its places.

Built from PyYAML's events rather than its loaders, because what makes YAML surprising is decided between the two:
booleans are `true` and `false` only (YAML 1.2, so `on`, `off`, `yes` and country code `NO` stay text), a key may stand
once, tags are refused, and aliases cannot be nested into more than a bounded number of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from proxy.settings.document import Entry, Mark, Node, Scalar
from proxy.settings.problems import KeyPath, Problem

MAX_DEPTH = 64  # levels of nesting
MAX_ALIASED = 10_000  # values that aliases may stand for, all together

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")


class _Refused(Exception):
    """The rest of the file cannot be read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """Return the tree of one YAML document and what is wrong with it; None when there is no tree to go on with.

    :param file: the name by which places in this text are shown.
    """
    builder = _Builder(file)
    try:
        return builder.build(yaml.parse(text, Loader=_LOADER)), builder.problems
    except _Refused as refused:
        return None, [*builder.problems, refused.problem]
    except yaml.MarkedYAMLError as error:
        return None, [*builder.problems, _syntax_problem(error, file)]
    except yaml.YAMLError:
        return None, [Problem((), "holds a control character", "remove it", file)]


def resolve(text: str) -> Scalar:
    """Return what a plain scalar means in YAML 1.2's core schema; numbers without end stay text."""
    if _NULL.fullmatch(text):
        return None
    boolean = _BOOLEAN.fullmatch(text)
    if boolean:
        return boolean[1] is not None
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    what = error.problem or error.context or "cannot be read"
    remedy = "check indentation and quotes; indent with spaces" if "token" in what or "expected" in what else ""
    return Problem((), f"is not valid YAML: {what}", remedy, file, line, column)


class _Builder:
    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._anchors: dict[str, Node | None] = {}  # None: not complete yet
        self._aliased = 0

    def build(self, events: Iterator[Any]) -> Node:
        root: Node | None = None
        for event in events:
            if not isinstance(event, yaml.NodeEvent):
                continue  # marks of stream and document
            if root is not None:
                raise self._refuse(event, (), "holds more than one document", 'remove the line "---" between them')
            root = self._node(event, events, ())
        return root if root is not None else Node(Mark(self._file, 1, 1), None)

    def _node(self, event: Any, events: Iterator[Any], path: KeyPath) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        self._check(event, path)
        if event.anchor:
            self._anchors[event.anchor] = None
        node = self._content(event, events, path)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _content(self, event: Any, events: Iterator[Any], path: KeyPath) -> Node:
        mark = self._mark(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(mark, self._sequence(events, path))
        if isinstance(event, yaml.MappingStartEvent):
            return Node(mark, self._mapping(events, path))
        return Node(mark, resolve(event.value) if event.implicit[0] else event.value)

    def _sequence(self, events: Iterator[Any], path: KeyPath) -> list[Node]:
        items: list[Node] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[Any], path: KeyPath) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, path)
            node = self._node(next(events), events, (*path, key))
            if key in entries:
                again = f"the key is written twice; it already stands at {entries[key].mark}"
                self.problems.append(self._problem(event, (*path, key), again, "keep one of them"))
            else:
                entries[key] = Entry(self._mark(event), node)
        return entries

    def _key(self, event: Any, path: KeyPath) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refuse(event, path, "has a key that is not plain text", "quote keys that hold [, { or *")
        if event.value == "<<" and event.implicit[0]:
            raise self._refuse(event, path, 'merges with "<<", which is not supported', "write the keys out")
        return str(event.value)

    def _alias(self, event: Any, path: KeyPath) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise self._refuse(event, path, f'"*{event.anchor}" stands inside what it refers to', "write the value out")
        self._aliased += _count(node)
        if self._aliased > MAX_ALIASED:
            message = f"aliases stand for more than {MAX_ALIASED} values"
            raise self._refuse(event, path, message, "write the values out, or generate the file")
        return node

    def _check(self, event: Any, path: KeyPath) -> None:
        if event.tag is not None:
            message = f'the tag "{event.tag}" is not allowed'
            self.problems.append(self._problem(event, path, message, "write a plain value; quotes make it text"))
        if len(path) > MAX_DEPTH:
            raise self._refuse(event, path[:2], f"is nested more than {MAX_DEPTH} levels deep", "make it flatter")

    def _mark(self, event: Any) -> Mark:
        return Mark(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _problem(self, event: Any, path: KeyPath, message: str, remedy: str) -> Problem:
        mark = self._mark(event)
        return Problem(path, message, remedy, mark.file, mark.line, mark.column)

    def _refuse(self, event: Any, path: KeyPath, message: str, remedy: str) -> _Refused:
        return _Refused(self._problem(event, path, message, remedy))


def _count(node: Node) -> int:
    return 1 + sum(_count(child) for _, child in node.children())
