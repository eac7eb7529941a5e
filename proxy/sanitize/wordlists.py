"""How the tables of this package are written down: words with spaces between, which read better than lists."""

from __future__ import annotations


def listed(text: str) -> tuple[str, ...]:
    """The words of a text, in order."""
    return tuple(text.split())


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())
