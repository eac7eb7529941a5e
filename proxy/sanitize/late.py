"""Patterns that are compiled when the first text gets as far as they stand.

Compiling is work in Python: all the patterns of the detectors together are a tenth of a start. So those are late that
fewer than one in a hundred harmless texts gets to; what is asked of most texts is compiled at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, AnyStr, Generic, TypeAlias

_METHODS = ("findall", "finditer", "fullmatch", "match", "search", "sub")


class Late(Generic[AnyStr]):
    """Stands for `re.compile(text)`, with those of its methods that are called here.

    After the first call each is the compiled pattern's own, so that it costs nothing more.
    """

    __slots__ = ("_text", *_METHODS)

    _text: AnyStr
    findall: Callable[..., list[Any]]
    finditer: Callable[..., Iterator[re.Match[AnyStr]]]
    fullmatch: Callable[..., re.Match[AnyStr] | None]
    match: Callable[..., re.Match[AnyStr] | None]
    search: Callable[..., re.Match[AnyStr] | None]
    sub: Callable[..., AnyStr]

    def __init__(self, text: AnyStr) -> None:
        self._text = text

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        pattern = re.compile(self._text)
        for method in _METHODS:
            setattr(self, method, getattr(pattern, method))
        return getattr(pattern, name)


Pattern: TypeAlias = re.Pattern[str] | Late[str]
"""For whoever is given either."""
