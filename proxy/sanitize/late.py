"""Patterns that are compiled when the first text gets as far as they stand.

Compiling is work in Python: all the patterns of the detectors together are a tenth of a start, and most texts are
known to be harmless before any of the large ones is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

_METHODS = ("finditer", "fullmatch", "match", "search", "sub")


class Late:
    """Stands for `re.compile(text)`, with those of its methods that are called here.

    After the first call each is the compiled pattern's own, so that it costs nothing more.
    """

    __slots__ = ("_text", *_METHODS)

    finditer: Callable[..., Iterator[re.Match[str]]]
    fullmatch: Callable[..., re.Match[str] | None]
    match: Callable[..., re.Match[str] | None]
    search: Callable[..., re.Match[str] | None]
    sub: Callable[..., str]

    def __init__(self, text: str) -> None:
        self._text = text

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        pattern = re.compile(self._text)
        for method in _METHODS:
            setattr(self, method, getattr(pattern, method))
        return getattr(pattern, name)
