"""One tree out of a file and those that it includes.

`include: [routes/*.yaml]` splits a large file. An included file adds upstreams, plugins, routes and tests; everything
else belongs to the process as a whole and so to the main file. Nothing is overridden: what is defined twice is an
error, because which of the two holds would depend on the names of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from proxy.settings.document import Entry, Mark, Node
from proxy.settings.interpolate import Interpolation, interpolate
from proxy.settings.problems import KeyPath, Problem, Severity
from proxy.settings.yaml_source import parse

Keys: TypeAlias = dict[str, Entry]  # the top of one file

SHARED_LISTS = ("plugins", "routes", "tests")
INCLUDABLE = ("include", "upstreams", *SHARED_LISTS)

# Below these a missing value means something: no options, or no such header field.
_MAY_BE_EMPTY = (("plugins", "*"), ("routes", "*", "plugins"), ("tests", "*", "expect", "headers"))


@dataclass(slots=True)
class Tree:
    """What was read.

    :ivar root: the merged mapping; None when the main file could not be read.
    :ivar files: every file that was opened, the main one first.
    :ivar references: every file that a `${file:…}` names.
    :ivar patterns: directory and pattern of every include that may come to match further files.
    :ivar problems: errors and warnings found on the way.
    """

    env: Mapping[str, str]
    root: Node | None = None
    files: list[Path] = field(default_factory=list)
    references: list[Path] = field(default_factory=list)
    patterns: list[tuple[Path, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def read(self, file: Path) -> None:
        """Read a file and all that it includes."""
        text = self._text(file)
        if text is not None:
            self.read_text(text, file)

    def read_text(self, text: str, file: Path) -> None:
        """Read text as if it stood in `file`, and all that it includes."""
        main = self._mapping(text, file)
        if main is not None:
            self._merge_all(main, main, file, (file.resolve(),))
            self.root = Node(Mark(str(file), 1, 1), main)

    def _text(self, file: Path) -> str | None:
        self.files.append(file)
        try:
            return file.read_bytes().decode("utf-8-sig")
        except FileNotFoundError:
            self._add(Problem((), "there is no such file", "check the path", str(file)))
        except OSError as error:
            self._add(Problem((), f"cannot be read: {(error.strerror or 'error').lower()}", "", str(file)))
        except UnicodeDecodeError as error:
            before = bytes(error.object[: error.start])
            line, column = before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1
            self._add(Problem((), "is not UTF-8 text", "save it as UTF-8", str(file), line, column))
        return None

    def _mapping(self, text: str, file: Path) -> Keys | None:
        root, problems = parse(text, str(file))
        self.problems += problems
        if root is None:
            return None
        if root.value is None:
            self._add(Problem((), "is empty", "write upstreams and routes", str(file)))
            return None
        if not isinstance(root.value, dict):
            self._add(_at(root.mark, (), "must be a mapping at the top", 'begin with a key, such as "upstreams:"'))
            return None
        interpolation = Interpolation(self.env, file.parent)
        self.problems += interpolate(root, interpolation)
        self.references += interpolation.files
        self.problems += _drop_empty(root, ())
        return root.value

    def _merge_all(self, main: Keys, part: Keys, file: Path, chain: tuple[Path, ...]) -> None:
        """Merge into `main` what `part`, read from `file`, includes; `chain` holds the files that led here."""
        entry = part.pop("include", None)
        if entry is None:
            return
        for path, node in self._patterns(entry.node):
            for found in self._matches(file.parent, path, node):
                self._include(main, found, node.mark, chain)

    def _patterns(self, node: Node) -> Iterator[tuple[KeyPath, Node]]:
        items = node.value if isinstance(node.value, list) else [node]
        for index, item in enumerate(items):
            path: KeyPath = ("include", index) if isinstance(node.value, list) else ("include",)
            if isinstance(item.value, str) and item.value:
                yield path, item
            else:
                self._add(_at(item.mark, path, "must be a path", 'write it as "routes/*.yaml"'))

    def _matches(self, base: Path, path: KeyPath, node: Node) -> list[Path]:
        pattern = str(node.value)
        if not any(sign in pattern for sign in "*?["):
            return [base / pattern]
        root = Path(Path(pattern).anchor) if Path(pattern).is_absolute() else base
        inner = str(Path(pattern).relative_to(Path(pattern).anchor))
        self.patterns.append((root, inner))
        found = sorted(root.glob(inner))
        if not found:
            self._add(_at(node.mark, path, f'"{pattern}" matches no file', "", Severity.WARNING))
        return found

    def _include(self, main: Keys, file: Path, mark: Mark, chain: tuple[Path, ...]) -> None:
        real = file.resolve()
        if real in chain:
            self._add(_at(mark, ("include",), f"{file} includes itself", "remove one of the includes"))
        elif real in {known.resolve() for known in self.files}:
            self._add(_at(mark, ("include",), f"{file} is included twice", "include it once"))
        else:
            self._merge_file(main, file, mark, (*chain, real))

    def _merge_file(self, main: Keys, file: Path, mark: Mark, chain: tuple[Path, ...]) -> None:
        if not file.is_file():
            self._add(_at(mark, ("include",), f"there is no file {file}", "check the path"))
            return
        text = self._text(file)
        part = self._mapping(text, file) if text is not None else None
        if part is not None:
            self._merge(main, part)
            self._merge_all(main, part, file, chain)

    def _merge(self, main: Keys, part: Keys) -> None:
        for key, entry in part.items():
            if key not in INCLUDABLE:
                remedy = f"only {', '.join(INCLUDABLE)} may stand in an included file"
                self._add(_at(entry.mark, (key,), "belongs in the main file", remedy))
            elif key not in main and key != "include":
                main[key] = entry
            elif key != "include":
                self._join(key, main[key].node, entry.node)

    def _join(self, key: str, ours: Node, theirs: Node) -> None:
        if isinstance(ours.value, list) and isinstance(theirs.value, list):
            ours.value.extend(theirs.value)
        elif isinstance(ours.value, dict) and isinstance(theirs.value, dict):
            for name, entry in theirs.value.items():
                known = ours.value.setdefault(name, entry)
                if known is not entry:
                    message = f"is defined twice; it already stands at {known.mark}"
                    self._add(_at(entry.mark, (key, name), message, "rename one of them"))
        else:
            self._add(_at(theirs.mark, (key,), f"must be a {'list' if key in SHARED_LISTS else 'mapping'}", ""))

    def _add(self, problem: Problem) -> None:
        self.problems.append(problem)


def _at(mark: Mark, path: KeyPath, message: str, remedy: str, severity: Severity = Severity.ERROR) -> Problem:
    return Problem(path, message, remedy, mark.file, mark.line, mark.column, severity)


def _drop_empty(node: Node, path: KeyPath) -> list[Problem]:
    """Take keys without a value out of the tree and report them: `routes:` with nothing after it is an oversight."""
    if not isinstance(node.value, dict | list) or _may_hold_empty(path):
        return []
    problems: list[Problem] = []
    if isinstance(node.value, dict):
        empty = [key for key, entry in node.value.items() if entry.node.value is None]
        remedy = "write one, or remove the key"
        problems += [_at(node.value.pop(key).mark, (*path, key), "has no value", remedy) for key in empty]
    for part, child in node.children():
        problems += _drop_empty(child, (*path, part))
    return problems


def _may_hold_empty(path: KeyPath) -> bool:
    return any(
        len(path) == len(pattern) and all(want in ("*", part) for want, part in zip(pattern, path, strict=True))
        for pattern in _MAY_BE_EMPTY
    )
