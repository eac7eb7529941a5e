"""Values from the environment and from files: `${VAR}` and its relatives.

`${VAR}` must be set; `${VAR:-default}` stands for the default when it is unset or empty; `${VAR:?message}` stops with
the message then; `${file:/run/secrets/x}` is the file's text without the line end; `$$` is a dollar sign. Names that
begin with `exchange.` belong to plugins, which replace them for each exchange, and those that begin with `error.` to
error pages; both are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from proxy.settings.document import Node, Source
from proxy.settings.problems import KeyPath, Problem

MAX_FILE = 64 * 1024  # bytes of a `${file:…}`

_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?", re.DOTALL)
_MARKS = re.compile(r"\$\$|\$\{|\}")
_FORMS = "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:path}, and $$ for a dollar sign"


class Unresolved(Exception):
    """A `${…}` has no value.

    :ivar message: what is wrong.
    :ivar remedy: what to do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(slots=True)
class Interpolation:
    """Replaces `${…}` in texts.

    :param env: the variables.
    :param base: directory from which relative paths of `${file:…}` are taken.
    :ivar source: where the parts of the last text came from; a file outweighs the environment.
    :ivar files: every file that was named so far, whether it could be read or not.
    """

    env: Mapping[str, str]
    base: Path
    source: Source = Source.TEXT
    files: list[Path] = field(default_factory=list)

    def expand(self, text: str) -> str:
        """Return `text` with every `${…}` replaced.

        :raises Unresolved: when one has no value or is malformed.
        """
        self.source = Source.TEXT
        return self._expand(text)

    def _expand(self, text: str) -> str:
        parts: list[str] = []
        position = 0
        while (dollar := text.find("$", position)) >= 0:
            parts.append(text[position:dollar])
            part, position = self._at_dollar(text, dollar)
            parts.append(part)
        return "".join((*parts, text[position:]))

    def _at_dollar(self, text: str, start: int) -> tuple[str, int]:
        """Return what stands for the text from the dollar sign on, and where that ends."""
        if text.startswith("$$", start):
            return "$", start + 2
        if not text.startswith("${", start):
            return "$", start + 1
        end = _closing(text, start + 2)
        return self._value(text[start + 2 : end]), end + 1

    def _value(self, inner: str) -> str:
        if inner.startswith(("exchange.", "error.")):
            return f"${{{inner}}}"
        if inner.startswith("file:"):
            return self._read(inner.removeprefix("file:"))
        match = _VARIABLE.fullmatch(inner)
        if match is None:
            raise Unresolved(f'"${{{inner}}}" is not a variable', _FORMS)
        return self._variable(*match.groups())

    def _variable(self, name: str, operator: str | None, word: str | None) -> str:
        value = self.env.get(name)
        if value is not None and (value or operator is None):
            self.source = Source.FILE if self.source is Source.FILE else Source.ENVIRONMENT
            return value
        if operator == "-":
            return self._expand(word or "")
        if operator == "?":
            raise Unresolved(f"the variable {name} is not set: {word or 'it is needed'}")
        raise Unresolved(f"the variable {name} is not set", f"set it, or write ${{{name}:-default}}")

    def _read(self, name: str) -> str:
        path = self.base / name
        self.files.append(path)
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE + 1)
        except OSError as error:
            raise Unresolved(f"cannot read {path}: {(error.strerror or 'error').lower()}") from None
        if len(content) > MAX_FILE:
            raise Unresolved(f"{path} is larger than {MAX_FILE // 1024} KiB", "name a file that holds one value")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise Unresolved(f"{path} is not UTF-8 text") from None
        self.source = Source.FILE
        return text.removesuffix("\n").removesuffix("\r")


def _closing(text: str, start: int) -> int:
    """Return the index of the brace that closes the `${` before `start`; defaults may hold further ones."""
    depth = 1
    for match in _MARKS.finditer(text, start):
        depth += {"${": 1, "}": -1}.get(match.group(), 0)
        if depth == 0:
            return match.start()
    raise Unresolved('"${" is never closed', _FORMS)


def interpolate(root: Node, interpolation: Interpolation) -> list[Problem]:
    """Replace `${…}` in every text of the tree, in place, and return what could not be replaced."""
    problems: list[Problem] = []
    seen: set[int] = set()  # an aliased node hangs in the tree twice, but is replaced once

    def visit(node: Node, path: KeyPath) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node.value, str):
            _replace(node, interpolation, path, problems)
        for key, child in node.children():
            visit(child, (*path, key))

    visit(root, ())
    return problems


def _replace(node: Node, interpolation: Interpolation, path: KeyPath, problems: list[Problem]) -> None:
    try:
        node.value = interpolation.expand(str(node.value))
        node.source = interpolation.source
    except Unresolved as error:
        mark = node.mark
        problems.append(Problem(path, error.message, error.remedy, mark.file, mark.line, mark.column))
