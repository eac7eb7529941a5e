"""What is compressed in the benchmark: real JSON, HTML, JavaScript and CSS, found where this project is installed.

JavaScript and CSS come out of installed packages; JSON is their metadata as an index's API gives it, their bills of
materials and schemas, and this gateway's own; HTML is the standard library's documentation as pydoc renders it. What is
long is cut into answers of 64 KiB, so that no file counts for more than its kind.
"""

from __future__ import annotations

import importlib
import json
import pydoc
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

KINDS = ("JSON", "HTML", "JS", "CSS")
PIECE = 65536  # bytes of an answer
_SMALLEST = 1024
_MOST = 768 * 1024  # bytes of each kind
_OF_ONE = 4  # pieces of one file
_METADATA = 20  # distributions
_SUFFIXES = {".js": "JS", ".css": "CSS", ".json": "JSON", ".html": "HTML"}
_MODULES: tuple[str, ...] = ("argparse", "asyncio", "collections", "datetime", "email.message", "http.client", "json")
_MODULES += (
    "logging",
    "pathlib",
    "smtplib",
    "sqlite3",
    "ssl",
    "statistics",
    "tarfile",
    "unittest",
    "urllib.parse",
    "zipfile",
)


@dataclass(frozen=True, slots=True)
class Document:
    """One answer: its kind, what it was taken from, and its bytes."""

    kind: str
    source: str
    data: bytes


def corpus() -> list[Document]:
    """All answers, kind by kind, the same in each run on one installation."""
    found: dict[str, list[Document]] = {kind: [] for kind in KINDS}
    sizes = dict.fromkeys(KINDS, 0)
    for document in (*_made(), *_files()):
        if sizes[document.kind] < _MOST:
            found[document.kind].append(document)
            sizes[document.kind] += len(document.data)
    return [document for kind in KINDS for document in found[kind]]


def sources(documents: list[Document]) -> dict[str, list[str]]:
    """The sources of each kind."""
    return {kind: sorted({one.source for one in documents if one.kind == kind}) for kind in KINDS}


def of_size(documents: list[Document], kind: str, size: int) -> bytes:
    """One answer of that kind and length.

    Raises:
        ValueError: when the corpus has not so much of it.
    """
    data = b"".join(one.data for one in documents if one.kind == kind)[:size]
    if len(data) < size:
        raise ValueError(f"the corpus has only {len(data)} bytes of {kind}")
    return data


def _made() -> Iterator[Document]:
    yield from _pieces(
        "JSON", "config/schema.json", (Path(__file__).parent.parent / "config" / "schema.json").read_bytes()
    )
    known = {found.name: found for found in metadata.distributions() if found.name}
    for name in sorted(known)[:_METADATA]:
        text = json.dumps(known[name].metadata.json, indent=2, ensure_ascii=False)
        yield from _pieces("JSON", f"{name}: metadata", text.encode())
    renderer = pydoc.HTMLDoc()
    for name in _MODULES:
        page = renderer.page(name, renderer.document(importlib.import_module(name), name))
        yield from _pieces("HTML", f"pydoc: {name}", page.encode())


def _files() -> Iterator[Document]:
    known = {found.name: found for found in metadata.distributions() if found.name}
    for name in sorted(known):
        for file in sorted(known[name].files or (), key=str):
            kind = _SUFFIXES.get(file.suffix)
            path = Path(str(file.locate()))
            if kind is not None and path.is_file():
                yield from _pieces(kind, f"{name}: {file.name}", path.read_bytes())


def _pieces(kind: str, source: str, data: bytes) -> Iterator[Document]:
    for at in range(0, min(len(data), _OF_ONE * PIECE), PIECE):
        piece = data[at : at + PIECE]
        if len(piece) >= _SMALLEST:
            yield Document(kind, source, piece)
