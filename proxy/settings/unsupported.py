"""What the models describe and this version does not do yet.

A key that is accepted and ignored is worse than one that is refused: so whatever the engine would not honour is an
error here, by name. Support for something is complete when its row is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.settings.problems import KeyPath


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is not supported.

    :ivar path: attribute names from `Settings` down; `*` stands for every key or index.
    :ivar accepts: tells which values are honoured all the same.
    :ivar remedy: what to write instead.
    """

    path: str
    accepts: Callable[[Any], bool]
    remedy: str


UNSUPPORTED: tuple[Row, ...] = ()


def unsupported(settings: object, rows: Iterable[Row] = UNSUPPORTED) -> Iterator[tuple[KeyPath, str]]:
    """Yield path and remedy of everything in the settings that this version would not honour."""
    for row in rows:
        for path, value in _values(settings, row.path.split("."), ()):
            if not row.accepts(value):
                yield path, row.remedy


def _values(value: Any, names: list[str], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every value that the names lead to; nothing below a section that is switched off."""
    if not names:
        yield path, value
    elif names[0] == "*":
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            yield from _values(item, names[1:], (*path, key))
    elif value is not None:
        yield from _values(getattr(value, names[0]), names[1:], (*path, names[0]))
