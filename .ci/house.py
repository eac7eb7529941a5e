"""Keep the house small: no file over 400 lines, no function over 40, no module that does not say what it is for.

A gate without exceptions: what does not fit is to be divided, not excused.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 40


def findings(path: Path) -> Iterator[str]:
    """Yield what is wrong with one source file, as `path:line: words`."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path}:{FILE_LINES}: {lines} lines; a file has at most {FILE_LINES}"
    tree = ast.parse(text, str(path))
    if ast.get_docstring(tree) is None and not path.name.startswith("test_"):  # a test is named for what it tests
        yield f"{path}:1: no docstring that says what the module is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            long = (node.end_lineno or node.lineno) - node.lineno + 1
            if long > FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {long} lines; a function has at most {FUNCTION_LINES}"


def main(roots: list[str]) -> int:
    """Check every Python file below `roots`; 1 when there is anything to say."""
    files = sorted(path for root in roots for path in Path(root).rglob("*.py"))
    found = [line for path in files for line in findings(path)]
    print("\n".join(found) or f"{len(files)} files are small enough")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
